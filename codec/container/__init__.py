"""The bytes of a nacre file: payloads.py has the parts, stream.py the whole."""

from nacre.codec.container.payloads import (
    MAX_QUALITY,
    MODEL_ID_BYTES,
    VERSION,
    Alpha,
    Cells,
    Coding,
    End,
    Head,
    Latent,
    Limits,
    Meta,
    MetaKind,
    Mode,
    pack_modes,
)
from nacre.codec.container.stream import Stream, read_chunk_sizes, read_head

__all__ = [
    "MAX_QUALITY", "MODEL_ID_BYTES", "VERSION", "Alpha", "Cells", "Coding", "End", "Head", "Latent",
    "Limits", "Meta", "MetaKind", "Mode", "Stream", "pack_modes", "read_chunk_sizes", "read_head",
]  # fmt: skip
