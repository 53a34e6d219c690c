"""Adding models to the user's folder: checked, named, and with a card beside them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlparse
from urllib.request import urlopen

from nacre.entropy.errors import UsageError, WeightsError
from nacre.models import zoo
from nacre.models.family import CodingModel

LARGEST_BYTES = 1 << 30
TIMEOUT_SECONDS = 60


def add(source: str, sha256: str | None = None, name: str | None = None) -> str:
    """Install a weights file from a path or an https address; returns the name of the model.

    `sha256` is the expected hash of the file; http addresses require it. A card (.json) beside the weights file
    is installed with it. Raises UsageError, and WeightsError for a file that is damaged, too large or no model.
    """
    data, card = _fetched(source, sha256)
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256.lower():
        raise WeightsError(f"{source}: SHA-256 is {found}, not {sha256.lower()}")
    from nacre.models.weights_file import unpack

    model = unpack(data)
    name = name or model.name
    if not zoo.NAME.fullmatch(name):
        raise UsageError(f"model name {name!r}: letters, digits, dots and hyphens wanted")
    if name in zoo.names() and zoo.card(name)["sha256"] != found:
        raise UsageError(f"another model is called {name}: give this one a name with --name")
    if name not in zoo.names():
        _write(zoo.user_folder(), name, data, {**described(model, found), **card, "sha256": found})
    return name


def remove(name: str) -> None:
    """Remove a model that was added. Raises UsageError for an unknown model or a model of the package."""
    path = zoo.user_folder() / f"{name}{zoo.SUFFIX}"
    if not zoo.NAME.fullmatch(name) or not path.is_file():
        raise UsageError(f"no added model is called {name!r}")
    for file in (path, path.with_suffix(zoo.CARD_SUFFIX)):
        file.unlink(missing_ok=True)


def described(model: CodingModel, sha256: str) -> dict[str, Any]:
    """The fields of a card that follow from the weights."""
    from nacre.entropy.schedule import layer_count

    network = model.network
    return {
        "sha256": sha256,
        "family": model.family,
        "parameters": network.parameter_count(),
        "kmac_per_pixel": {k: round(v, 1) for k, v in network.multiplications().items()},
        "turns": len(network.schedule),
        "layers": layer_count(network.schedule),
        "distortion": model.distortion,
    }


def _fetched(source: str, sha256: str | None) -> tuple[bytes, dict[str, Any]]:
    """The bytes of a weights file, and the card beside it where there is one."""
    scheme = urlparse(source).scheme
    if scheme in ("http", "https"):
        if scheme == "http" and sha256 is None:
            raise UsageError(f"{source}: over http --sha256 is needed")
        return _downloaded(source), {}
    path = Path(source)
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise WeightsError(f"{source}: over {LARGEST_BYTES >> 20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{source}: {error.strerror}") from error
    beside = path.with_suffix(zoo.CARD_SUFFIX)
    return data, zoo.read_card(beside) if beside.is_file() else {}


def _downloaded(address: str) -> bytes:
    try:
        with urlopen(address, timeout=TIMEOUT_SECONDS) as answer:
            data: bytes = answer.read(LARGEST_BYTES + 1)
    except (URLError, OSError, ValueError) as error:
        raise UsageError(f"{address}: {getattr(error, 'reason', error)}") from error
    if len(data) > LARGEST_BYTES:
        raise WeightsError(f"{address}: over {LARGEST_BYTES >> 20} MiB")
    return data


def _write(folder: Path, name: str, data: bytes, card: dict[str, Any]) -> None:
    """Write both files, whole or not at all; the card last, since models without a card are ignored."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = (json.dumps(card, indent=2) + "\n").encode()
        for suffix, content in ((zoo.SUFFIX, data), (zoo.CARD_SUFFIX, text)):
            partial = folder / f"{name}{suffix}.part{os.getpid()}"
            partial.write_bytes(content)
            os.replace(partial, folder / f"{name}{suffix}")
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from error
