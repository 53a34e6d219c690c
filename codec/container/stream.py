"""Reads and writes the chunks of a nacre file, without any network.

A file is the signature and then chunks: HEAD, any `meta`, ALPH where the picture has transparency, LATN for
the layers of every tile, CELL for the cells of a tile that are coded in another way, TEND.
The first letter of an unknown type tells whether a reader may skip it (lower case) or must refuse
the file (upper case). chunks.py has the framing, payloads.py what stands in the chunks.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from nacre.codec.chunks import (
    SIGNATURE,
    VARINT_MAX_BYTES,
    Bytes,
    Chunk,
    chunk_to_bytes,
    read_chunks,
    read_varint,
)
from nacre.codec.container.payloads import (
    Alpha,
    Cells,
    Coding,
    End,
    Head,
    Latent,
    Limits,
    Meta,
    Mode,
)
from nacre.entropy.errors import CorruptStream, LimitError, TruncatedStream, UnsupportedStream


@dataclass(frozen=True)
class Stream:
    """A file, taken apart."""

    head: Head
    metadata: tuple[Meta, ...] = ()
    latents: tuple[Latent, ...] = ()
    end: End | None = field(default_factory=lambda: End(0))  # None: the file was cut
    alpha: Alpha | None = None
    cells: tuple[Cells, ...] = ()

    def to_bytes(self) -> bytes:
        parts: list[Head | Meta | Alpha | Latent | Cells | End] = [self.head, *self.metadata]
        parts += [self.alpha] if self.alpha is not None else []
        coded: list[Latent | Cells] = [*self.latents, *self.cells]
        coded.sort(key=_place)
        parts += coded
        if self.end is not None:
            parts.append(self.end)
        return SIGNATURE + b"".join(chunk_to_bytes(p.TYPE, p.to_bytes()) for p in parts)

    @classmethod
    def from_bytes(
        cls,
        data: Bytes,
        limits: Limits = Limits(),
        *,
        may_be_cut: bool = False,
        tiles: Container[int] | None = None,
        only_first: bool = False,
    ) -> Stream:
        """Raises TruncatedStream, CorruptStream, UnsupportedStream or LimitError.

        With `may_be_cut`, a file needs only the first layer of every tile; `end` is None if it was cut. With
        `tiles`, latents of other tiles are not read, checked or returned; with `only_first`, neither are parts
        behind the first one of a tile.
        """
        with _cuts_told_from_damage(data):
            reader = _Reader(data, limits, tiles, only_first)
            try:
                reader.read()
            except TruncatedStream:
                if _has_end(data) or not (may_be_cut and reader.has_first_layers()):
                    raise
        return cls(
            reader.head, tuple(reader.metadata), tuple(reader.latents), reader.end, reader.alpha,
            tuple(reader.cells),
        )  # fmt: skip


def _place(chunk: Latent | Cells) -> tuple[int, int, int]:
    """The sort key of chunks: by first layer, then by tile; cells follow the parts with layer 0."""
    if isinstance(chunk, Cells):
        return 0, 1, chunk.tile
    return chunk.first, 0, chunk.tile


def _has_end(data: Bytes) -> bool:
    """Whether the last bytes are an end chunk's: a file that was cut has none."""
    at = len(data) - len(chunk_to_bytes(End.TYPE, bytes(End.LAYOUT.size)))
    return at > 0 and bytes(data[at : at + len(End.TYPE)]) == End.TYPE


@contextmanager
def _cuts_told_from_damage(data: Bytes) -> Iterator[None]:
    """Raise TruncatedStream as CorruptStream where the file has its end chunk."""
    try:
        yield
    except TruncatedStream as error:
        if _has_end(data):
            raise CorruptStream("a length is damaged: the end chunk is there") from error
        raise


class _Reader:
    """Reads chunk by chunk; keeps the chunks that it has read when the file ends early."""

    def __init__(
        self, data: Bytes, limits: Limits, tiles: Container[int] | None, only_first: bool
    ) -> None:
        self._chunks, self._limits = read_chunks(data), limits
        self._tiles, self._only_first = tiles, only_first
        self.head = _read_head(self._chunks, limits)
        self.metadata: list[Meta] = []
        self.latents: list[Latent] = []
        self.end: End | None = None
        self.alpha: Alpha | None = None
        self.cells: list[Cells] = []
        self._next: dict[int, int] = {}  # the next layer, by tile
        self._place = (0, 0, -1)  # of the last chunk
        self._cell_tiles = 0

    def read(self) -> None:
        for chunk in self._chunks:
            if chunk.kind == End.TYPE:
                end = End.from_bytes(chunk.checked())
                break
            self._take(chunk)
        else:
            raise TruncatedStream("the file ends without its end chunk")
        if chunk.at + chunk.size != len(chunk.source):
            raise CorruptStream("something follows the end chunk")
        if not self.has_first_layers() or len(set(self._next.values())) > 1:
            raise CorruptStream("not every tile has all of its layers")
        self.end = end

    def has_first_layers(self) -> bool:
        """Whether every tile has its first layer, or its cells in a file without a latent."""
        if self.head.coding == Coding.CELLS:
            return self._cell_tiles == self.head.tile_count
        return len(self._next) == self.head.tile_count

    def _take(self, chunk: Chunk) -> None:
        kind = chunk.kind
        has_begun = bool(self._next or self._cell_tiles)
        if kind in (Latent.TYPE, Cells.TYPE):
            if self.head.has_alpha and self.alpha is None:
                raise CorruptStream("the picture has transparency, but no ALPH chunk")
            if kind == Latent.TYPE:
                self._take_latent(chunk)
            else:
                self._take_cells(chunk)
        elif kind == Meta.TYPE and not has_begun and self.alpha is None:
            self.metadata.append(Meta.from_bytes(chunk.checked()))
            if sum(len(m.data) for m in self.metadata) > self._limits.metadata_bytes:
                raise LimitError(f"metadata of over {self._limits.metadata_bytes} bytes")
            if len({m.kind for m in self.metadata}) < len(self.metadata):
                raise CorruptStream(f"{self.metadata[-1].kind.name} metadata stands twice")
        elif kind == Alpha.TYPE and self.head.has_alpha and not (has_begun or self.alpha):
            self.alpha = Alpha.from_bytes(chunk.checked())
        elif kind in (Head.TYPE, Meta.TYPE, Alpha.TYPE):
            raise CorruptStream(f"a {kind.decode()} chunk where none may stand")
        elif kind[:1].islower():
            chunk.checked()
        else:
            chunk.checked()  # a damaged type is damage, not an unknown type
            raise UnsupportedStream(f"chunk {kind.decode()} is not known and may not be skipped")

    def _take_latent(self, chunk: Chunk) -> None:
        """Chunks stand by their first layer, then by tile; the layers of a tile follow without a gap."""
        start = Latent.from_bytes(chunk.first_bytes(Latent.START_BYTES))
        is_wanted = self._tiles is None or start.tile in self._tiles
        if is_wanted and not (self._only_first and start.first):
            self.latents.append(Latent.from_bytes(chunk.checked()))
        is_next = start.first == self._next.get(start.tile, 0)
        if self.head.coding != Coding.LATENT or not (is_next and self._follows(start)):
            raise CorruptStream(f"layer {start.first} of tile {start.tile} is out of place")
        self._next[start.tile] = start.last + 1

    def _take_cells(self, chunk: Chunk) -> None:
        tile, _ = read_varint(chunk.first_bytes(VARINT_MAX_BYTES), 0, "CELL")
        is_wanted = self._tiles is None or tile in self._tiles
        found = Cells.from_bytes(chunk.checked()) if is_wanted else Cells(tile, 0, 0, b"", b"", b"")
        is_known = self.head.coding == Coding.CELLS or tile in self._next
        if not (is_known and self._follows(found)):
            raise CorruptStream(f"the cells of tile {tile} are out of place")
        self._cell_tiles += 1
        if not is_wanted:
            return
        is_mapped = self.head.coding == Coding.CELLS and not found.form
        rows, columns = found.grid(*self.head.tile_size(tile))
        if is_mapped and Mode.LATENT in found.modes(rows * columns):
            raise CorruptStream(f"a cell of tile {tile} comes from a latent, and there is none")
        self.cells.append(found)

    def _follows(self, chunk: Latent | Cells) -> bool:
        """Whether the tile of a chunk exists and the chunk is in order after the previous one."""
        place = _place(chunk)
        follows = place > self._place and chunk.tile < self.head.tile_count
        self._place = place
        return follows


def read_head(data: Bytes, limits: Limits = Limits()) -> Head:
    """The head alone, from a file or from its first bytes."""
    with _cuts_told_from_damage(data):
        return _read_head(read_chunks(data), limits)


def read_chunk_sizes(data: Bytes) -> list[tuple[str, int]]:
    """Type and size in bytes, framing included, of every chunk; checks all CRCs and needs TEND."""
    sizes = [
        (chunk.kind.decode(), chunk.size)
        for chunk in read_chunks(data)
        if chunk.checked() is not None
    ]
    if not sizes or sizes[-1][0] != End.TYPE.decode():
        raise TruncatedStream("the file ends without its end chunk")
    return sizes


def _read_head(chunks: Iterator[Chunk], limits: Limits) -> Head:
    chunk = next(chunks, None)
    if chunk is None:
        raise TruncatedStream("the file ends after its signature")
    if chunk.kind != Head.TYPE:
        raise CorruptStream(f"the first chunk is {chunk.kind.decode()}, not {Head.TYPE.decode()}")
    head = Head.from_bytes(chunk.checked())
    if head.coding == Coding.CLIP:
        raise UnsupportedStream("coding 1: the file holds a clip, not a picture")
    limits.check_pixels(head.width, head.height)
    return head
