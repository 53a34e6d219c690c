"""The table of codecs of clips, and a codec from its name."""

from __future__ import annotations

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.clips.av import AomClip, SvtAv1Clip, Vp9Clip, X264Clip, X265Clip
from nacre.tools.evaluate.clips.codec import ClipCodec, Conditions
from nacre.tools.evaluate.clips.nacre import NacreClip
from nacre.tools.evaluate.codecs.registry import parse

CLIP_CODECS: dict[str, type[ClipCodec]] = {
    codec.key: codec for codec in (NacreClip, X264Clip, X265Clip, SvtAv1Clip, AomClip, Vp9Clip)
}
DEFAULT = (
    "nacre,nacre-intra,x264-medium-lowdelay,x264-medium,x265-medium-lowdelay,x265-medium,"
    "svtav1-8-lowdelay,svtav1-8,aom-6,vp9-4"
)


def create(name: str, conditions: Conditions) -> ClipCodec:
    """Make a codec: "x264", "x265-medium-lowdelay@tune=none", "svtav1-8", "nacre-intra:my.safetensors".

    Raises UsageError for a wrong name or option and CodecMissing where the codec is not installed.
    """
    head, options = parse(name)
    key, *parts = head.split("-")
    if key not in CLIP_CODECS:
        raise UsageError(f"codec of clips {key!r}: one of {', '.join(CLIP_CODECS)} wanted")
    return CLIP_CODECS[key](name, options, parts, conditions)
