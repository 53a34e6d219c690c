"""The table of codecs, and a codec from its name."""

from __future__ import annotations

import re
from collections.abc import Container

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.codecs.av import X264, X265, SvtAv1
from nacre.tools.evaluate.codecs.base import Codec
from nacre.tools.evaluate.codecs.compressai import CompressAi
from nacre.tools.evaluate.codecs.external import Bpg, Vtm, Vvenc
from nacre.tools.evaluate.codecs.nacre import Nacre
from nacre.tools.evaluate.codecs.pillow import Avif, Heic, Jpeg, Jpeg2000, JpegXl, Webp

CODECS: dict[str, type[Codec]] = {
    codec.key: codec
    for codec in (
        Nacre, Jpeg, Webp, Jpeg2000, Avif, JpegXl, Heic, X264, X265, SvtAv1, Vvenc, Vtm, Bpg, CompressAi
    )
}  # fmt: skip


def create(name: str) -> Codec:
    """Make a codec: "avif", "avif@tune=ssim,speed=4", "nacre:my.safetensors", "compressai:mbt2018-mean".

    The part after the colon is the option "model". Raises UsageError for a wrong name or option and
    CodecMissing where the codec is not installed.
    """
    key, options = parse(name)
    if key not in CODECS:
        raise UsageError(f"codec {key!r}: one of {', '.join(CODECS)} wanted")
    return CODECS[key](name, options)


def parse(name: str) -> tuple[str, dict[str, str]]:
    """Return the key before colon and @, and the options. Raises UsageError."""
    head, _, tail = name.partition("@")
    key, colon, model = head.partition(":")
    options = {"model": model} if colon else {}
    for part in filter(None, tail.split(",")):
        option, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f"{name}: {part!r} is not OPTION=VALUE")
        options[option] = value
    return key, options


def split_names(text: str, known: Container[str] = CODECS) -> tuple[str, ...]:
    """Split names at commas. A part with a = that names no codec is an option of the previous codec."""
    found: list[str] = []
    for part in filter(None, text.split(",")):
        is_codec = re.split("[@:-]", part)[0] in known
        if found and not is_codec and "=" in part and "@" in found[-1]:
            found[-1] += "," + part
        else:
            found.append(part)
    return tuple(dict.fromkeys(found))
