"""Converts the sections of a configuration file to strict structs; errors name the field and its value."""

from __future__ import annotations

import re
from functools import reduce
from typing import Any, TypeVar

import msgspec

from nacre.entropy.errors import UsageError


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A section of a file, or a whole file, whose fields are its sections."""


S = TypeVar("S", bound=Section)


def read_section(kind: type[S], raw: object, file: str, section: str = "") -> S:
    """Convert `raw`, the parsed content of `section` or of the whole TOML or JSON file.

    Raises UsageError, for example "my.toml: steps.batch is '4': expected int, got str".
    """
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"{file}: {_explained(str(error), kind, raw, section)}") from error


def _explained(said: str, kind: Any, raw: Any, section: str) -> str:
    """Rewrite a message of msgspec, such as "Expected `int`, got `str` - at `$.steps.batch`"."""
    fault, _, path = said.partition(" - at `$")
    keys = [int(i) if i else name for name, i in re.findall(r"\.([^.\[`]+)|\[(\d+)\]", path)]
    where = section + "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in keys)
    where = where.removeprefix(".")
    inside = f"{where}." if where else ""
    if unknown := re.fullmatch("Object contains unknown field `(.*)`", fault):
        for key in keys:
            kind = next(f.type for f in msgspec.structs.fields(kind) if f.name == key)
        known = ", ".join(f.name for f in msgspec.structs.fields(kind))
        return f"{inside}{unknown[1]} is not known; there is {known}"
    if missing := re.fullmatch("Object missing required field `(.*)`", fault):
        return f"{inside}{missing[1]} is missing"
    for word, plain in (
        ("`", ""),
        ("object", "section"),
        ("array", "list"),
        ("Expected", "expected"),
    ):
        fault = fault.replace(word, plain)
    if not where:  # the fault of the whole file
        return fault
    value = reduce(lambda inner, key: inner[key], keys, raw)
    return f"{where} is {value!r}: {fault}"
