"""Maps regions of the picture as it is shown to regions of the pixels as a nacre file stores them."""

from __future__ import annotations

from nacre.codec.chunks import Bytes, read_chunks
from nacre.codec.container import Head, Limits, Meta, MetaKind, read_head
from nacre.codec.pictures import turned
from nacre.codec.pictures.metadata import shown_orientation
from nacre.codec.pictures.turned import Box
from nacre.codec.region import Region
from nacre.entropy.errors import ImageError, TruncatedStream


def shown_region(data: Bytes, box: Box, *, limits: Limits = Limits()) -> Region:
    """The region that `decode` and `Opened` take for a part of the picture as it is shown.

    `data` is a nacre file, of which HEAD and the metadata are read; `box` is (x, y, width, height) in pixels
    with the orientation applied. The region is in pixels without the orientation.

    Raises ImageError for a box that is not inside the picture, StreamError and LimitError.
    """
    head = read_head(data, limits)
    orientation = shown_orientation(read_metadata(data, limits), head.orientation)
    width, height = turned.shown_size(head.width, head.height, orientation)
    x, y, w, h = box
    if min(x, y) < 0 or min(w, h) < 1 or x + w > width or y + h > height:
        raise ImageError(f"{x},{y},{w},{h} is not inside {width}x{height}")
    return Region(*turned.stored_box(box, head.width, head.height, orientation))


def read_metadata(data: Bytes, limits: Limits = Limits()) -> dict[MetaKind, bytes]:
    """The blocks of metadata of a nacre file; nothing behind them is read.

    A cut file gives the blocks that it has; blocks over `limits.metadata_bytes` are skipped. Raises
    StreamError.
    """
    blocks: dict[MetaKind, bytes] = {}
    try:
        for chunk in read_chunks(data):
            if chunk.kind == Meta.TYPE and chunk.size <= limits.metadata_bytes:
                block = Meta.from_bytes(chunk.checked())
                blocks[block.kind] = block.data
            elif chunk.kind.isupper() and chunk.kind != Head.TYPE:
                break
    except TruncatedStream:
        pass  # the reader of the pixels raises it
    return blocks
