"""Describes a file from its chunks alone: nothing is decoded and no model is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from nacre.codec.container import Limits, MetaKind, Mode, Stream, read_chunk_sizes
from nacre.models import zoo


@dataclass(frozen=True)
class Info:
    """Description of a nacre file."""

    format_version: int
    width: int  # pixels, before the orientation is applied
    height: int  # pixels
    channels: int  # 1 grey, 3 colour; one more with transparency
    bit_depth: int  # bits a sample
    orientation: int  # 1..8 as in EXIF
    quality: int  # 1..100
    model: str  # its name; its id if it is not installed here; empty if the file needs none
    model_id: str  # hexadecimal
    tile: int  # side of an entropy tile in pixels
    tiles: int
    file_bytes: int
    coded_bytes: int  # entropy-coded part and cells
    cells: dict[str, int]  # count of stored cells by mode, EXACT or DCT
    metadata_bytes: dict[str, int]  # by kind
    chunks: list[tuple[str, int]]  # type and bytes with framing, in order

    @property
    def bpp(self) -> float:
        """Bits a pixel; every byte of the file counts."""
        return 8 * self.file_bytes / (self.width * self.height)


def info(data: bytes, *, limits: Limits = Limits()) -> Info:
    """Describe a file; every checksum of its chunks is verified. Raises StreamError or LimitError."""
    stream = Stream.from_bytes(data, limits)
    head = stream.head
    installed = zoo.installed(len(head.model))
    return Info(
        format_version=head.version,
        width=head.width,
        height=head.height,
        channels=head.channels,
        bit_depth=head.bit_depth,
        orientation=head.orientation,
        quality=head.quality,
        model=installed.get(head.model, head.model.hex()) if head.model else "",
        model_id=head.model.hex(),
        tile=head.tile,
        tiles=head.tile_count,
        file_bytes=len(data),
        coded_bytes=sum(len(latent.data) for latent in stream.latents)
        + sum(len(found.to_bytes()) for found in stream.cells),
        cells=_stored(stream),
        metadata_bytes={MetaKind(m.kind).name: len(m.data) for m in stream.metadata},
        chunks=read_chunk_sizes(data),
    )


def _stored(stream: Stream) -> dict[str, int]:
    """The count of cells of each mode but LATENT."""
    modes = b""
    for found in stream.cells:
        rows, columns = found.grid(*stream.head.tile_size(found.tile))
        modes += found.modes(rows * columns)
    return {mode.name: modes.count(mode) for mode in (Mode.EXACT, Mode.DCT) if mode in modes}
