"""The bytes of a file: reading undoes writing, anything else is refused with the right error."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nacre.codec import chunks, container
from nacre.codec.container import (
    MODEL_ID_BYTES,
    Alpha,
    Cells,
    Coding,
    End,
    Head,
    Latent,
    Limits,
    Meta,
    MetaKind,
    Stream,
    pack_modes,
)
from nacre.entropy.errors import (
    CorruptStream,
    LimitError,
    NacreError,
    StreamError,
    TruncatedStream,
    UnsupportedStream,
)

FORMAT = (Path(__file__).parents[2] / "FORMAT.md").read_text()
SIZES = (st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 100))
REST = dict(
    channels=st.integers(1, 4), bit_depth=st.sampled_from([8, 16]),
    tile_log2=st.integers(9, 15), orientation=st.integers(1, 8),
)  # fmt: skip
HEADS = st.builds(Head, *SIZES, st.binary(min_size=8, max_size=8), **REST) | st.builds(
    Head, *SIZES, st.just(b""), **REST, coding=st.just(Coding.CELLS)
)
METAS = st.lists(st.sampled_from(list(MetaKind)), unique=True).flatmap(
    lambda kinds: st.tuples(*[st.builds(Meta, st.just(k), st.binary(max_size=200)) for k in kinds])
)


@st.composite
def streams(draw):
    head = draw(HEADS)
    latents = []
    for tile in range(head.tile_count):
        ends = [*sorted(draw(st.sets(st.integers(0, 2)))), 3]  # where the parts of this tile end
        for first, last in zip([0, *(end + 1 for end in ends)], ends, strict=False):
            latents.append(Latent(tile, first, last, draw(st.binary(max_size=40))))
    latents = tuple(sorted(latents, key=lambda part: (part.first, part.tile)))
    with_cells = sorted(draw(st.sets(st.integers(0, head.tile_count - 1), max_size=3)))
    if head.coding == Coding.CELLS:
        latents, with_cells = (), range(head.tile_count)
    forms = st.integers(int(head.coding == Coding.CELLS), 2)  # maps are looked at without a latent
    cells = tuple(draw(CELLS(tile, forms)) for tile in with_cells)
    alpha = Alpha(draw(st.binary(max_size=40))) if head.has_alpha else None
    return Stream(head, draw(METAS), latents, End(draw(st.integers(0, 2**32 - 1))), alpha, cells)


def CELLS(tile: int, forms):
    parts = st.binary(max_size=40)
    return forms.flatmap(
        lambda form: st.builds(
            Cells, st.just(tile), st.integers(4, 10), st.just(form), st.just(b"") if form else parts,
            parts, parts,
        )
    )  # fmt: skip


SMALL = Stream(
    Head(70, 33, 42, bytes(range(1, 9)), orientation=6, tile_log2=6),
    (Meta(MetaKind.ICC, b"profile"),),
    (Latent(0, 0, 3, b"first"), Latent(1, 0, 3, b"second")),
    End(0xDEADBEEF),
    cells=(Cells(1, 5, 0, b"map", b"exact", b"rest"),),
)
PINNED = (
    "894e43520d0a1a0a484541441502604600000021000000732a060102030405060708f15572a76d6574610801"
    "70726f66696c65727ecded4c41544e0700066669727374d8f71a774c41544e0801067365636f6e648e2beed8"
    "43454c4c100105036d61700565786163747265737451d322d554454e4404efbeaddec097a9e6"
)
PINNED_CELLS = (
    "894e43520d0a1a0a484541440d0213460000002100000073640a006b5aef43454c4c080015056578"
    "616374dbcb208e54454e440401000000a64f0b65"
)


def chunk(kind: bytes, payload: bytes) -> bytes:
    body = kind + chunks.write_varint(len(payload)) + payload
    return body + struct.pack("<I", zlib.crc32(body))


def file_of(*parts: bytes) -> bytes:
    return chunks.SIGNATURE + b"".join(parts)


def parts(stream: Stream = SMALL) -> list[bytes]:
    return [
        chunk(p.TYPE, p.to_bytes())
        for p in (stream.head, *stream.metadata, *stream.latents, *stream.cells, stream.end)
    ]


@given(streams())
def test_reading_undoes_writing(stream):
    assert Stream.from_bytes(stream.to_bytes()) == stream


@given(st.integers(0, 2**32 - 1))
def test_a_varint_comes_back(value):
    data = chunks.write_varint(value)
    assert chunks.read_varint(memoryview(data), 0, "it") == (value, len(data))


@pytest.mark.parametrize(
    "data", [b"\x80\x00", b"\xff\xff\xff\xff\x7f", b"\x80" * 6, b"\xff\xff\xff\xff\xff\x01"]
)
def test_a_varint_has_one_spelling(data):
    with pytest.raises(CorruptStream):
        chunks.read_varint(memoryview(data), 0, "it")


def test_bytes_of_version_2_are_pinned():
    assert SMALL.to_bytes().hex() == PINNED


def test_bytes_of_cells_alone_are_pinned():
    head = Head(70, 33, 100, b"", coding=Coding.CELLS)
    alone = Stream(head, (), (), End(1), None, (Cells(0, 5, 1, b"", b"exact", b""),))
    assert alone.to_bytes().hex() == PINNED_CELLS


def test_a_picture_of_one_latn_chunk_carries_64_bytes_that_are_not_coded():
    data = bytes(16_500)
    stream = Stream(Head(768, 512, 60, bytes(8)), (), (Latent(0, 0, 3, data),), End(1))
    assert len(stream.to_bytes()) - len(data) == 64


@pytest.mark.parametrize("size", range(len(SMALL.to_bytes())))
def test_a_cut_file_is_truncated(size):
    with pytest.raises(TruncatedStream):
        Stream.from_bytes(SMALL.to_bytes()[:size])


def test_every_flipped_bit_is_noticed():
    data = SMALL.to_bytes()
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(StreamError):
            Stream.from_bytes(bytes(damaged))


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_refused_with_an_error_of_ours(data, signed):
    with pytest.raises(NacreError):
        Stream.from_bytes(chunks.SIGNATURE + data if signed else data)


HEAD, META, FIRST, SECOND, CELL, END = parts()
ALONE = chunk(b"HEAD", Head(70, 33, 42, b"", tile_log2=6, coding=Coding.CELLS).to_bytes())
WHOLE = chunk(b"CELL", Cells(1, 5, 1, b"", b"exact", b"").to_bytes())
MAPPED = chunk(b"CELL", Cells(0, 5, 0, pack_modes(b"\1\0\1\1"), b"exact", b"").to_bytes())
DAMAGED = chunk(b"NEWS", b"")[:-1] + b"\0"
EARLY, LATE = (chunk(b"LATN", Latent(0, *layers, b"x").to_bytes()) for layers in ((0, 1), (2, 3)))


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"", TruncatedStream, "empty"),
        (b"GIF89a..........", StreamError, "not a nacre file"),
        (chunks.SIGNATURE.replace(b"\r\n", b"\n") + HEAD, CorruptStream, "text mode"),
        (file_of(FIRST, HEAD, SECOND, END), CorruptStream, "first chunk is LATN"),
        (file_of(HEAD, HEAD, FIRST, SECOND, END), CorruptStream, "HEAD chunk where none may stand"),
        (file_of(HEAD, FIRST, META, SECOND, END), CorruptStream, "meta chunk where none may stand"),
        (file_of(HEAD, META, META, FIRST, SECOND, END), CorruptStream, "ICC metadata stands twice"),
        (file_of(HEAD, FIRST, END), CorruptStream, "not every tile has all"),
        (file_of(HEAD, EARLY, SECOND, END), CorruptStream, "not every tile has all"),
        (file_of(HEAD, EARLY, LATE, SECOND, END), CorruptStream, "out of place"),
        (file_of(HEAD, LATE, SECOND, END), CorruptStream, "layer 2 of tile 0 is out of place"),
        (file_of(HEAD, EARLY, SECOND, LATE, LATE, END), CorruptStream, "out of place"),
        (file_of(HEAD, chunk(b"LATN", b"\0"), END), CorruptStream, "LATN: the data end"),
        (file_of(HEAD, chunk(b"LATN", b"\2\6"), END), CorruptStream, "tile 2 is out of place"),
        (file_of(HEAD, FIRST, FIRST, END), CorruptStream, "out of place"),
        (file_of(HEAD, SECOND, FIRST, END), CorruptStream, "out of place"),
        (file_of(HEAD, FIRST, SECOND, SECOND, END), CorruptStream, "out of place"),
        (file_of(HEAD, FIRST, SECOND), TruncatedStream, "without its end chunk"),
        (file_of(HEAD, FIRST, SECOND, END, END), CorruptStream, "follows the end"),
        (file_of(HEAD, FIRST, SECOND, END) + b"x", CorruptStream, "follows the end"),
        (file_of(HEAD, chunk(b"NEWS", b""), FIRST, SECOND, END), UnsupportedStream, "NEWS"),
        (file_of(HEAD[:4] + b"\x7f" + HEAD[5:], FIRST, SECOND, END), CorruptStream, "end chunk is"),
        (
            file_of(HEAD, FIRST[:4] + b"\x7f" + FIRST[5:], SECOND, END),
            CorruptStream,
            "end chunk is",
        ),
        (file_of(HEAD, DAMAGED, FIRST, SECOND, END), CorruptStream, "NEWS: the checksum"),
        (file_of(HEAD, chunk(b"N\xffWS", b""), FIRST, SECOND, END), CorruptStream, "four letters"),
        (
            file_of(HEAD, chunk(b"meta", b"\x09abc"), FIRST, SECOND, END),
            CorruptStream,
            "unknown kind",
        ),
        (file_of(HEAD, chunk(b"LATN", b""), SECOND, END), CorruptStream, "LATN: the data end"),
        (file_of(HEAD, FIRST, SECOND, chunk(b"TEND", b"abc")), CorruptStream, "TEND: 3 bytes"),
        (
            file_of(HEAD, CELL, FIRST, SECOND, END),
            CorruptStream,
            "cells of tile 1 are out of place",
        ),
        (file_of(HEAD, FIRST, SECOND, CELL, CELL, END), CorruptStream, "cells of tile 1"),
        (file_of(HEAD, EARLY, SECOND, LATE, CELL, END), CorruptStream, "cells of tile 1"),
        (file_of(HEAD, FIRST, CELL, SECOND, END), CorruptStream, "cells of tile 1"),
        (file_of(ALONE, WHOLE, END), CorruptStream, "not every tile"),
        (file_of(ALONE, FIRST, CELL, END), CorruptStream, "layer 0 of tile 0 is out of place"),
        (file_of(ALONE, MAPPED, CELL, END), CorruptStream, "cell of tile 0 comes from a latent"),
    ],
)
def test_a_file_put_together_wrongly_is_refused(data, error, message):
    with pytest.raises(error, match=message):
        Stream.from_bytes(data)


def test_a_file_that_may_be_cut_is_read_as_far_as_it_goes():
    data = file_of(HEAD, META, EARLY, SECOND, LATE, END)
    sizes = [len(file_of(HEAD, META, EARLY, SECOND)), len(data) - len(END), len(data)]
    for size in range(len(data)):
        if size < sizes[0]:
            with pytest.raises(TruncatedStream):
                Stream.from_bytes(data[:size], may_be_cut=True)
            continue
        found = Stream.from_bytes(data[:size], may_be_cut=True)
        assert found.end is None and found.head == SMALL.head and found.metadata == SMALL.metadata
        whole = size >= sizes[1]
        assert [(p.first, p.tile) for p in found.latents] == [(0, 0), (0, 1)] + [(2, 0)] * whole
    assert Stream.from_bytes(data, may_be_cut=True).end == SMALL.end


def test_of_other_tiles_nothing_is_looked_at():
    damaged = bytearray(file_of(HEAD, FIRST, SECOND, END))
    damaged[-len(END) - len(SECOND) + 9] ^= 1  # in the code of tile 1
    found = Stream.from_bytes(bytes(damaged), tiles={0})
    assert [part.tile for part in found.latents] == [0]
    with pytest.raises(CorruptStream):
        Stream.from_bytes(bytes(damaged), tiles={1})


def test_a_file_is_read_where_it_is_looked_at(tmp_path):
    big = Stream(SMALL.head, (), (SMALL.latents[0], Latent(1, 0, 3, bytes(100_000))), End(1))
    (tmp_path / "a").write_bytes(big.to_bytes())
    with (tmp_path / "a").open("rb") as file:
        data = chunks.FileBytes(file)
        assert len(data) == len(big.to_bytes())
        assert Stream.from_bytes(data, tiles={0}).latents == big.latents[:1]
        assert data.bytes_read < 1000
        assert Stream.from_bytes(data) == big


def test_a_file_that_shrinks_while_it_is_read_is_truncated(tmp_path):
    (tmp_path / "a").write_bytes(SMALL.to_bytes())
    with (tmp_path / "a").open("rb") as file:
        data = chunks.FileBytes(file)
        (tmp_path / "a").write_bytes(SMALL.to_bytes()[:50])
        with pytest.raises(TruncatedStream):
            Stream.from_bytes(data)


def test_an_unknown_chunk_in_lower_case_is_skipped():
    data = file_of(HEAD, META, chunk(b"news", b"of no use"), FIRST, SECOND, CELL, END)
    assert Stream.from_bytes(data) == SMALL


def test_a_huge_length_is_refused_before_anything_is_allocated():
    data = file_of(HEAD) + b"LATN" + chunks.write_varint(2**32 - 1) + b"abc"
    with pytest.raises(TruncatedStream, match="4294967299 bytes needed, 3 left"):
        Stream.from_bytes(data)


SEEN = chunk(b"HEAD", Head(70, 33, 42, bytes(8), channels=4, tile_log2=6).to_bytes())
PLANE = chunk(b"ALPH", b"\1plane")


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (file_of(HEAD, PLANE, FIRST, SECOND, END), CorruptStream, "ALPH chunk where none"),
        (file_of(SEEN, PLANE, PLANE, FIRST, SECOND, END), CorruptStream, "ALPH chunk where none"),
        (file_of(SEEN, FIRST, PLANE, SECOND, END), CorruptStream, "no ALPH"),
        (file_of(SEEN, PLANE, META, FIRST, SECOND, END), CorruptStream, "meta chunk where none"),
    ],
)
def test_transparency_in_the_wrong_place_is_refused(data, error, message):
    with pytest.raises(error, match=message):
        Stream.from_bytes(data)


def head_bytes(**fields) -> bytes:
    names = ["version", "coding", "width", "height", "samples", "quality", "tile"]
    values = dict(zip(names, [2, 0x10, 70, 33, 0x73, 42, 6], strict=True))
    model = fields.pop("model", bytes(8))
    return Head.LAYOUT.pack(*(values | fields).values()) + model


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"version": 3}, UnsupportedStream, "version 3 is newer"),
        ({"version": 1}, UnsupportedStream, "version 1 is that of nacre 0.1"),
        ({"version": 0}, UnsupportedStream, "version 0 is unknown"),
        ({"coding": 0x11}, UnsupportedStream, "clip"),
        ({"coding": 0x12}, UnsupportedStream, "coding 2"),
        ({"coding": 0x14}, UnsupportedStream, "coding 4"),
        ({"coding": 0x13}, CorruptStream, "model id is 0000000000000000, not 0 bytes"),
        ({"model": b""}, CorruptStream, "model id is none, not 8 bytes"),
        ({"coding": 0x00}, CorruptStream, "orientation is 0"),
        ({"coding": 0x90}, CorruptStream, "orientation is 9"),
        ({"width": 0}, CorruptStream, "width is 0"),
        ({"height": 0}, CorruptStream, "height is 0"),
        ({"quality": 0}, CorruptStream, "quality is 0"),
        ({"quality": 101}, CorruptStream, "quality is 101"),
        ({"tile": 5}, CorruptStream, "tile is 5"),
        ({"tile": 0x10}, CorruptStream, "tile is 0"),
        ({"tile": 0x16}, UnsupportedStream, "flags 0x1"),
        ({"samples": 0x75}, UnsupportedStream, "5 channels of 8 bits"),
        ({"samples": 0x74}, CorruptStream, "no ALPH chunk"),
        ({"samples": 0xE3}, UnsupportedStream, "3 channels of 15 bits"),
        ({"width": 65535, "height": 65535}, LimitError, "over the limit"),
        ({"width": 65536, "height": 65537}, LimitError, "over the limit"),
        ({"width": 2**31 - 1, "height": 2**31 - 1}, LimitError, "over the limit"),
        ({"width": 2**32 - 1}, CorruptStream, "width is 4294967295"),
    ],
)
def test_a_head_out_of_range_is_refused(fields, error, message):
    data = file_of(chunk(b"HEAD", head_bytes(**fields)), FIRST, SECOND, END)
    with pytest.raises(error, match=message):
        Stream.from_bytes(data)


def test_metadata_has_a_limit():
    with pytest.raises(LimitError, match="metadata"):
        Stream.from_bytes(SMALL.to_bytes(), Limits(metadata_bytes=6))


def test_the_head_alone_needs_no_more_than_its_bytes():
    assert container.read_head(file_of(HEAD)) == SMALL.head
    with pytest.raises(TruncatedStream):
        container.read_head(file_of(HEAD)[:-1])
    with pytest.raises(CorruptStream, match="the end chunk is there"):
        container.read_head(file_of(HEAD[:4] + b"\x7f" + HEAD[5:], END))


def test_format_md_says_the_same():
    """Sizes, names and offsets of FORMAT.md are those of the code."""
    rows = re.findall(r"^\| (\d+) \| (\d+) \| `([a-z_0-9]+)`", FORMAT, re.M)
    assert [name for _, _, name in rows] == [
        "version", "coding", "width", "height", "samples", "quality", "tile_log2", "model"
    ]  # fmt: skip
    at = 0
    for offset, size, _ in rows:
        assert int(offset) == at
        at += int(size)
    assert at == Head.LAYOUT.size + MODEL_ID_BYTES
    assert chunks.SIGNATURE.hex(" ").upper() in FORMAT
    for kind in (Head.TYPE, Meta.TYPE, Alpha.TYPE, Latent.TYPE, Cells.TYPE, End.TYPE):
        assert f"`{kind.decode()}`" in FORMAT
    for meta in MetaKind:
        assert f"{meta.value} {meta.name}" in FORMAT
