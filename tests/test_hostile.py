"""Files that were damaged, cut, put together wrongly or made to harm: refused, or told, always."""

from __future__ import annotations

import io
import random
import struct
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nacre import codec
from nacre.codec import chunks
from nacre.codec.chunks import SIGNATURE, chunk_to_bytes, read_chunks, write_varint
from nacre.codec.container import (
    Cells,
    End,
    Head,
    Latent,
    Limits,
    Meta,
    MetaKind,
    Stream,
    pack_modes,
)
from nacre.codec.pictures.colour import ImageWarning, to_pil
from nacre.entropy.errors import (
    CorruptStream,
    LimitError,
    NacreError,
    StreamError,
    TruncatedStream,
    UnsupportedStream,
)
from nacre.tools import fuzz

VECTORS = Path(__file__).parent / "vectors"
FILES = sorted(VECTORS.glob("*.ncr"))
SMALL = sorted(FILES, key=lambda path: path.stat().st_size)[:3]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Pictures of a hundred pixels a side are slower with more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def seeds(tiny):
    return [fuzz.Seed.of(path.read_bytes(), tiny) for path in FILES]


def refused(data: bytes, tiny) -> None:
    with pytest.raises(NacreError):
        codec.decode(data, model=tiny)


@pytest.mark.parametrize("path", SMALL, ids=lambda p: p.stem)
def test_every_single_bit_flip_is_refused(path, tiny):
    data = path.read_bytes()
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        refused(bytes(damaged), tiny)


def test_random_bit_flips_in_many_files_are_refused(tiny, photo):
    """2,000 flips over 20 files of all sizes and qualities."""
    rng = random.Random(0)
    for _ in range(20):
        image = photo.crop((0, 0, rng.randint(1, 112), rng.randint(1, 96)))
        data = codec.encode(image, quality=rng.randint(1, 100), model=tiny)
        for _ in range(100):
            damaged = bytearray(data)
            bit = rng.randrange(8 * len(data))
            damaged[bit // 8] ^= 1 << bit % 8
            refused(bytes(damaged), tiny)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_length_of_a_cut_file_is_told(path, tiny):
    """Networks run once for each number of whole chunks: lengths in one chunk read as equal streams."""
    data, before = path.read_bytes(), None
    for size in range(0, len(data), 1 if len(data) < 600 else 7):
        with pytest.raises(TruncatedStream):
            codec.decode(data[:size], model=tiny, strict=True)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                opened = codec.Opened(data[:size], model=tiny)
                stream = Stream.from_bytes(data[:size], may_be_cut=True)
                if stream != before:
                    to_pil(opened.picture())
                    before = stream
            except TruncatedStream:
                continue
        assert [w.category for w in said if w.category is not ImageWarning] == [
            codec.CutFileWarning
        ]


def test_ten_thousand_mutated_files_are_refused_or_told(seeds, tiny):
    found = fuzz.run(seeds, tiny, 10_000, random.Random(20))
    assert sum(found.values()) == 10_000
    for outcome in (
        "CorruptStream",
        "TruncatedStream",
        "UnsupportedStream",
        "LimitError",
        "decoded",
    ):
        assert found[outcome] > 50, found  # mutations reach everything


def test_the_fuzzer_finds_what_it_looks_for(seeds, tiny, monkeypatch):
    monkeypatch.setattr("nacre.codec.checksums.compare", lambda *_: None)
    with pytest.raises(AssertionError, match="other pixels, and no warning"):
        fuzz.run([fuzz.Seed(s.data, s.pixels) for s in seeds], tiny, 3000, random.Random(1))


@pytest.mark.parametrize("name", ["container", "head", "tables", "decoder"])
def test_what_atheris_calls_takes_any_bytes(name, seeds, tiny):
    target, rng = fuzz.targets(seeds, tiny)[name], random.Random(3)
    for size in (0, 1, 2, 3, 7, 21, 64, 400):
        for _ in range(20):
            target(rng.randbytes(size))


# Named faults. Checksums of chunks are right unless they are the fault.

WHOLE = (VECTORS / "tiles-and-layers-q80.ncr").read_bytes()
STREAM = Stream.from_bytes(WHOLE)
PARTS = [(c.kind, c.checked()) for c in read_chunks(WHOLE)]
HEAD, CODE, TEND = PARTS[0], PARTS[1:-1], PARTS[-1]
OTHER = Stream.from_bytes((VECTORS / "colour-q60.ncr").read_bytes())


def made(*parts, signature=SIGNATURE) -> bytes:
    return signature + b"".join(
        part if isinstance(part, bytes) else chunk_to_bytes(*part) for part in parts
    )


def head(**fields) -> tuple[bytes, bytes]:
    names = ["version", "coding", "width", "height", "samples", "quality", "tile"]
    values = dict(zip(names, Head.LAYOUT.unpack_from(HEAD[1]), strict=True))
    model = fields.pop("model", HEAD[1][Head.LAYOUT.size :])
    return b"HEAD", Head.LAYOUT.pack(*(values | fields).values()) + model


def with_code(change, which=0) -> bytes:
    """The code of one part changed."""
    parts = list(CODE)
    kind, payload = parts[which]
    parts[which] = (kind, payload[:2] + change(payload[2:]))
    return made(HEAD, *parts, TEND)


def exchanged() -> bytes:
    """The codes of two tiles, each in the other's place."""
    (kind, a), (_, b) = CODE[:2]
    return made(HEAD, (kind, a[:2] + b[2:]), (kind, b[:2] + a[2:]), *CODE[2:], TEND)


def with_crc(crc: bytes) -> bytes:
    first = chunk_to_bytes(*CODE[0])
    return made(HEAD, first[:-4] + crc, *CODE[1:], TEND)


def length(value: bytes) -> bytes:
    """A LATN chunk that says it is of another length."""
    return made(HEAD, b"LATN" + value + CODE[0][1] + bytes(4))


def layers(number: int) -> tuple[bytes, bytes]:
    """A LATN chunk of the first tile that names a pair of layers by its number."""
    return b"LATN", b"\0" + write_varint(number)


def swapped_words(code: bytes) -> bytes:
    return (
        np.frombuffer(code[: len(code) // 4 * 4], "<u4").byteswap().tobytes()
        + code[len(code) // 4 * 4 :]
    )


def exact(width: int, height: int, format: str = "WEBP") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(
        out, format, **{"lossless": True} if format == "WEBP" else {}
    )
    return b"\2" + out.getvalue()


def cell(**fields) -> tuple[bytes, bytes]:
    """Cells of the first tile, which has 2x2 of them."""
    made_up = {"tile": 0, "side_log2": 5, "form": 1, "map": b"", "exact": exact(64, 64)}
    return b"CELL", Cells(
        **(made_up | {"transformed": b"x" * (fields.get("form") == 2)} | fields)
    ).to_bytes()


def with_cells(*found) -> bytes:
    """Behind the first layers."""
    first = [part for part in CODE if not Latent.from_bytes(part[1]).first]
    return made(HEAD, *first, *found, *CODE[len(first) :], TEND)


META = (b"meta", Meta(MetaKind.EXIF, b"x").to_bytes())
FAULTS = {
    "empty-file": (b"", TruncatedStream),
    "one-byte-file": (b"\x89", TruncatedStream),
    "signature-only": (SIGNATURE, TruncatedStream),
    "signature-one-bit-off": (b"\x88" + WHOLE[1:], StreamError),
    "signature-lowercased": (WHOLE.replace(b"NCR", b"ncr", 1), StreamError),
    "line-ends-translated": (WHOLE.replace(b"\n", b"\r\n"), StreamError),
    "byte-order-mark-first": (b"\xef\xbb\xbf" + WHOLE, StreamError),
    "leading-garbage": (bytes(16) + WHOLE, StreamError),
    "trailing-garbage": (WHOLE + b"garbage", CorruptStream),
    "two-files-in-one": (WHOLE + WHOLE, CorruptStream),
    "zero-filled-tail": (WHOLE[:-40] + bytes(40), StreamError),
    "blocks-swapped": (WHOLE[:100] + WHOLE[200:300] + WHOLE[100:200] + WHOLE[300:], StreamError),
    "version-0": (made(head(version=0), *CODE, TEND), UnsupportedStream),
    "version-1": (made(head(version=1), *CODE, TEND), UnsupportedStream),
    "version-255": (made(head(version=255), *CODE, TEND), UnsupportedStream),
    "coding-unknown": (made(head(coding=0x1F), *CODE, TEND), UnsupportedStream),
    "critical-chunk-unknown": (made(HEAD, (b"XXXX", b""), *CODE, TEND), UnsupportedStream),
    "bit-depth-15": (made(head(samples=0xE3), *CODE, TEND), UnsupportedStream),
    "bit-depth-1": (made(head(samples=0x03), *CODE, TEND), UnsupportedStream),
    "other-bit-depth": (made(head(samples=0xF3), *CODE, TEND), CorruptStream),
    "channels-0": (made(head(samples=0x70), *CODE, TEND), UnsupportedStream),
    "channels-15": (made(head(samples=0x7F), *CODE, TEND), UnsupportedStream),
    "length-too-small": (length(write_varint(len(CODE[0][1]) - 1)), StreamError),
    "length-too-big": (length(write_varint(len(CODE[0][1]) + 1)), StreamError),
    "length-2^31-1": (length(write_varint(2**31 - 1)), TruncatedStream),
    "length-2^32-1": (length(write_varint(2**32 - 1)), TruncatedStream),
    "length-2^63": (length(b"\xff" * 9 + b"\x01"), CorruptStream),
    "length-of-11-bytes": (length(b"\xff" * 11), CorruptStream),
    "length-overlong": (length(b"\x80\x00"), CorruptStream),
    "head-empty": (made((b"HEAD", b""), *CODE, TEND), CorruptStream),
    "head-too-long": (made((b"HEAD", HEAD[1] + b"\0"), *CODE, TEND), CorruptStream),
    "head-twice": (made(HEAD, HEAD, *CODE, TEND), CorruptStream),
    "head-not-first": (made(CODE[0], HEAD, *CODE[1:], TEND), CorruptStream),
    "end-missing-after-strict": (made(HEAD, *CODE[:1]), TruncatedStream),
    "end-in-the-middle": (made(HEAD, *CODE[:3], TEND, *CODE[3:]), CorruptStream),
    "two-ends": (made(HEAD, *CODE, TEND, TEND), CorruptStream),
    "tile-missing": (made(HEAD, *CODE[1:], TEND), CorruptStream),
    "tile-twice": (made(HEAD, CODE[0], *CODE, TEND), CorruptStream),
    "tiles-out-of-order": (made(HEAD, CODE[1], CODE[0], *CODE[2:], TEND), CorruptStream),
    "tile-2^32-1": (made(HEAD, (b"LATN", write_varint(2**32 - 1) + b"\6"), TEND), CorruptStream),
    "last-layer-missing": (made(HEAD, *CODE[:-1], TEND), CorruptStream),
    "layers-2^32-1": (made(HEAD, layers(2**32 - 1), *CODE[1:], TEND), CorruptStream),
    "layers-0-to-4": (made(HEAD, layers(10), *CODE[1:], TEND), CorruptStream),
    "layers-0-to-92681": (made(HEAD, layers(92681 * 92682 // 2), *CODE[1:], TEND), CorruptStream),
    "latn-of-one-number": (made(HEAD, (b"LATN", b"\0"), *CODE[1:], TEND), CorruptStream),
    "latn-empty": (made(HEAD, (b"LATN", b""), *CODE[1:], TEND), CorruptStream),
    "metadata-after-code": (made(HEAD, *CODE, META, TEND), CorruptStream),
    "metadata-twice": (made(HEAD, META, META, *CODE, TEND), CorruptStream),
    "metadata-of-no-kind": (made(HEAD, (b"meta", b"\xffabc"), *CODE, TEND), CorruptStream),
    "metadata-empty": (made(HEAD, (b"meta", b""), *CODE, TEND), CorruptStream),
    "crc-zero": (with_crc(bytes(4)), CorruptStream),
    "crc-big-endian": (with_crc(chunk_to_bytes(*CODE[0])[-4:][::-1]), CorruptStream),
    "symbols-checksum-wrong": (made(HEAD, *CODE, (b"TEND", bytes(4))), CorruptStream),
    "end-too-short": (made(HEAD, *CODE, (b"TEND", bytes(3))), CorruptStream),
    "width-0": (made(head(width=0), *CODE, TEND), CorruptStream),
    "height-0": (made(head(height=0), *CODE, TEND), CorruptStream),
    "65535x65535": (made(head(width=65535, height=65535), *CODE, TEND), LimitError),
    "65536x65537": (made(head(width=65536, height=65537), *CODE, TEND), LimitError),
    "2^31-1-squared": (made(head(width=2**31 - 1, height=2**31 - 1), *CODE, TEND), LimitError),
    "16384x16384-in-a-few-bytes": (made(head(width=16384, height=16384), *CODE, TEND), StreamError),
    "other-width": (made(head(width=99), *CODE, TEND), CorruptStream),
    "other-tiles": (made(head(tile=7), *CODE, TEND), CorruptStream),
    "tile-of-32-pixels": (made(head(tile=5), *CODE, TEND), CorruptStream),
    "flags": (made(head(tile=6 | 0x10), *CODE, TEND), UnsupportedStream),
    "all-flags": (made(head(tile=6 | 0xF0), *CODE, TEND), UnsupportedStream),
    "quality-0": (made(head(quality=0), *CODE, TEND), CorruptStream),
    "quality-101": (made(head(quality=101), *CODE, TEND), CorruptStream),
    "other-quality": (made(head(quality=81), *CODE, TEND), CorruptStream),
    "transparency-without-a-plane": (made(head(samples=0x74), *CODE, TEND), CorruptStream),
    "plane-without-transparency": (made(HEAD, (b"ALPH", b"\1"), *CODE, TEND), CorruptStream),
    "plane-that-is-no-png": (made(head(samples=0x74), (b"ALPH", b"\1x"), *CODE, TEND), CorruptStream),
    "grey-in-place-of-colour": (made(head(samples=0x71), *CODE, TEND), CorruptStream),
    "orientation-0": (made(head(coding=0x00), *CODE, TEND), CorruptStream),
    "orientation-9": (made(head(coding=0x90), *CODE, TEND), CorruptStream),
    "other-orientation": (made(head(coding=0x30), *CODE, TEND), CorruptStream),
    "model-unknown": (made(head(model=bytes(8)), *CODE, TEND), UnsupportedStream),
    "code-empty": (with_code(lambda code: b""), CorruptStream),
    "code-a-word-short": (with_code(lambda code: code[:-4]), CorruptStream),
    "code-a-word-long": (with_code(lambda code: code + b"\1\2\3\4"), CorruptStream),
    "code-of-zeros": (with_code(lambda code: bytes(len(code))), CorruptStream),
    "code-of-ones": (with_code(lambda code: b"\xff" * len(code)), CorruptStream),
    "code-ends-with-zero": (with_code(lambda code: code + b"\0"), CorruptStream),
    "code-byte-swapped": (with_code(swapped_words), CorruptStream),
    "code-backwards": (with_code(lambda code: code[::-1]), CorruptStream),
    "code-of-another-picture": (with_code(lambda code: OTHER.latents[0].data), CorruptStream),
    "code-of-a-later-layer": (with_code(lambda code: code[::-1], which=-1), CorruptStream),
    "tiles-exchanged": (exchanged(), CorruptStream),
    "no-latent-but-layers": (made(head(coding=0x13, model=b""), *CODE, TEND), CorruptStream),
    "no-latent-but-a-model": (made(head(coding=0x13), *CODE, TEND), CorruptStream),
    "a-latent-but-no-model": (made(head(model=b""), *CODE, TEND), CorruptStream),
    "coding-of-clips": (made(head(coding=0x11), *CODE, TEND), UnsupportedStream),
    "cells-before-layers": (made(HEAD, cell(), *CODE, TEND), CorruptStream),
    "cells-behind-all-layers": (made(HEAD, *CODE, cell(), TEND), CorruptStream),
    "cells-twice": (with_cells(cell(), cell()), CorruptStream),
    "cells-that-nobody-wrote": (with_cells(cell()), CorruptStream),
    "cells-of-no-tile": (with_cells(cell(tile=99)), CorruptStream),
    "cells-empty": (with_cells((b"CELL", b"")), StreamError),
    "cells-without-a-map": (with_cells((b"CELL", b"\0\5")), StreamError),
    "cells-of-no-form": (with_cells(cell(form=3)), CorruptStream),
    "cells-of-2-pixels": (with_cells(cell(side_log2=1)), CorruptStream),
    "cells-map-too-short": (with_cells(cell(form=0, map=pack_modes(bytes(3)))), CorruptStream),
    "cells-map-too-long": (with_cells(cell(form=0, map=pack_modes(bytes(5)))), CorruptStream),
    "cells-map-that-explodes": (with_cells(cell(form=0, map=pack_modes(bytes(10**8)))), CorruptStream),
    "cells-map-of-noise": (with_cells(cell(form=0, map=b"noise")), CorruptStream),
    "cells-map-of-no-mode": (with_cells(cell(form=0, map=pack_modes(b"\7" * 4))), CorruptStream),
    "cells-map-of-nothing": (with_cells(cell(form=0, map=pack_modes(bytes(4)))), CorruptStream),
    "cells-exact-missing": (with_cells(cell(exact=b"")), CorruptStream),
    "cells-exact-of-no-coder": (with_cells(cell(exact=b"\x09abc")), CorruptStream),
    "cells-exact-of-16-bits": (with_cells(cell(exact=b"\x03\0\0\0\0")), CorruptStream),
    "cells-exact-of-another-size": (with_cells(cell(exact=exact(63, 64))), CorruptStream),
    "cells-exact-of-a-bomb": (with_cells(cell(exact=exact(4096, 4096))), CorruptStream),
    "cells-exact-cut": (with_cells(cell(exact=exact(64, 64)[:-9])), CorruptStream),
    "cells-exact-that-is-a-png": (with_cells(cell(exact=exact(64, 64, "PNG"))), CorruptStream),
    "cells-exact-longer-than-the-chunk": (with_cells((b"CELL", b"\0\x15\xff\1x")), StreamError),
    "cells-transformed-that-is-no-jpeg": (with_cells(cell(form=2, exact=b"")), CorruptStream),
    "cells-transformed-unasked": (with_cells(cell(transformed=b"x")), CorruptStream),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_named_fault_is_refused_quickly(name, tiny):
    data, error = FAULTS[name]
    start = time.perf_counter()
    with pytest.raises(error):
        codec.decode(data, model=tiny, strict=True)
    with pytest.raises(NacreError):
        codec.decode(data, model=tiny)
    assert time.perf_counter() - start < 2


def test_there_are_more_than_forty_named_faults():
    assert len(FAULTS) > 40


@pytest.mark.parametrize("name", FAULTS)
def test_info_on_a_named_fault_is_an_answer_or_an_error_of_ours(name):
    try:
        codec.info(FAULTS[name][0])
    except NacreError:
        return


def test_what_may_be_skipped_changes_nothing(tiny):
    whole = codec.decode(WHOLE, model=tiny).tobytes()
    many = [(b"many", b"")] * 1000
    for data in (made(HEAD, *many, *CODE, TEND), made(HEAD, META, *CODE, TEND)):
        assert codec.decode(data, model=tiny).tobytes() == whole


def test_empty_chunks_take_seconds_a_million_at_most(tiny):
    millions = 0.2
    data = made(HEAD, chunk_to_bytes(b"many", b"") * int(millions * 1e6), *CODE, TEND)
    start = time.process_time()
    codec.decode(data, model=tiny)
    assert time.process_time() - start < 30 * millions


@pytest.mark.parametrize("side", [1, 2, 16, 17])
def test_a_small_file_of_a_huge_picture_of_small_tiles_is_refused(side, tiny):
    """Sizes without the tiles that they need."""
    data = made(head(width=4096 * side, height=2**28 // (4096 * side), tile=6), *CODE, TEND)
    with pytest.raises((CorruptStream, LimitError)):
        codec.decode(data, model=tiny)


def test_metadata_over_the_limit_is_refused(tiny):
    big = (b"meta", Meta(MetaKind.XMP, bytes(2000)).to_bytes())
    with pytest.raises(LimitError, match="metadata"):
        codec.decode(made(HEAD, big, *CODE, TEND), model=tiny, limits=Limits(metadata_bytes=1000))


def test_symbols_as_large_as_they_may_be_decode_to_a_picture(tiny_model, tiny):
    """Latents at the limit of what is coded: samples stay finite and in range."""
    from nacre.codec import checksums, tiles
    from nacre.codec.run import Run
    from nacre.entropy.tables import MAX_SYMBOL

    run = Run(tiny_model, torch.device("cpu"))
    y = torch.full((1, tiny_model.network.config.latent, 2, 2), float(MAX_SYMBOL))
    y[:, 1::2] *= -1
    with torch.inference_mode():
        encoded = tiles.encode_tile(run, tiles.complete(run, {"y": y}, run.level(90)), 90)
    start = Head(32, 32, 90, tiny_model.id)
    latents = tuple(Latent(0, p.first, p.last, p.data) for p in encoded.parts)
    end = End(checksums.file_checksum(start, None, [encoded.decoded.checksum]))
    image = codec.decode(Stream(start, (), latents, end).to_bytes(), model=tiny)
    assert image.size == (32, 32)


def test_a_file_made_from_the_written_rules_alone_is_read(tiny):
    """Framing as FORMAT.md says it, with nothing of ours but the payloads."""
    data = b"\x89NCR\r\n\x1a\n"
    for kind, payload in PARTS:
        size, value = b"", len(payload)
        while value > 127:
            size, value = size + bytes([value & 127 | 128]), value >> 7
        body = kind + size + bytes([value]) + payload
        data += body + struct.pack("<I", zlib.crc32(body))
    assert data == WHOLE and data[:8] == chunks.SIGNATURE
