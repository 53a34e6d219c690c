"""Pictures to nacre files and back: `codec.encode`, `codec.encode_to`, `codec.decode`, `codec.info`.

`codec.read_picture` and `codec.write_picture` are for files of other formats; `codec.shown_region` and
`codec.roi_weights` for regions of pictures that have an orientation; `codec.latents` is for latents alone.
`codec.VideoReader` and `codec.VideoWriter` are for clips.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nacre.codec.clips.facts import ClipFrame as ClipFrame
    from nacre.codec.clips.facts import ClipWarning as ClipWarning
    from nacre.codec.clips.facts import VideoFacts as VideoFacts
    from nacre.codec.clips.reader import VideoReader as VideoReader
    from nacre.codec.clips.writer import VideoWriter as VideoWriter
    from nacre.codec.decoder import CutFileWarning as CutFileWarning
    from nacre.codec.decoder import Opened as Opened
    from nacre.codec.decoder import decode as decode
    from nacre.codec.describe import Info as Info
    from nacre.codec.describe import info as info
    from nacre.codec.encoder import encode as encode
    from nacre.codec.pictures.colour import ImageWarning as ImageWarning
    from nacre.codec.pictures.colour import Picture as Picture
    from nacre.codec.pictures.reading import CutPictureError as CutPictureError
    from nacre.codec.pictures.reading import read_picture as read_picture
    from nacre.codec.pictures.regions import shown_region as shown_region
    from nacre.codec.pictures.roi import read_mask as read_mask
    from nacre.codec.pictures.roi import roi_weights as roi_weights
    from nacre.codec.pictures.writing import write_picture as write_picture
    from nacre.codec.planes import latents as latents
    from nacre.codec.region import Region as Region
    from nacre.codec.search.goals import GoalError as GoalError
    from nacre.codec.search.goals import encode_to as encode_to

_HOMES = {
    "encode": "nacre.codec.encoder",
    "encode_to": "nacre.codec.search.goals",
    "GoalError": "nacre.codec.search.goals",
    "decode": "nacre.codec.decoder",
    "CutFileWarning": "nacre.codec.decoder",
    "Opened": "nacre.codec.decoder",
    "Region": "nacre.codec.region",
    "info": "nacre.codec.describe",
    "Info": "nacre.codec.describe",
    "latents": "nacre.codec.planes",
    "ImageWarning": "nacre.codec.pictures.colour",
    "Picture": "nacre.codec.pictures.colour",
    "CutPictureError": "nacre.codec.pictures.reading",
    "read_picture": "nacre.codec.pictures.reading",
    "shown_region": "nacre.codec.pictures.regions",
    "read_mask": "nacre.codec.pictures.roi",
    "roi_weights": "nacre.codec.pictures.roi",
    "write_picture": "nacre.codec.pictures.writing",
    "ClipFrame": "nacre.codec.clips.facts",
    "ClipWarning": "nacre.codec.clips.facts",
    "VideoFacts": "nacre.codec.clips.facts",
    "VideoReader": "nacre.codec.clips.reader",
    "VideoWriter": "nacre.codec.clips.writer",
}
__all__ = [
    "ClipFrame", "ClipWarning", "CutFileWarning", "CutPictureError", "GoalError", "ImageWarning", "Info",
    "Opened", "Picture", "Region", "VideoFacts", "VideoReader", "VideoWriter", "decode", "encode", "encode_to",
    "info", "latents", "read_mask", "read_picture", "roi_weights", "shown_region", "write_picture",
]  # fmt: skip


def __getattr__(name: str) -> Any:  # lazy: `nacre info` runs without torch
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
