"""The whole way: pictures to files and back, in parts and in layers, and files that are refused."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nacre import codec
from nacre.codec import encoder, strips, tiles
from nacre.codec.container import End, Latent, Limits, Stream
from nacre.codec.run import Run
from nacre.entropy import coder
from nacre.entropy.errors import (
    CorruptStream,
    LimitError,
    NacreError,
    TruncatedStream,
    UnsupportedStream,
    UsageError,
    WeightsError,
)
from nacre.entropy.stack import PlainStack
from nacre.tools.evaluate import metrics

VECTORS = Path(__file__).parents[1] / "vectors"
FACTS = json.loads((VECTORS / "facts.json").read_text())


def psnr_db(a, b) -> float:
    return metrics.psnr_db(np.asarray(a), np.asarray(b))


def test_a_photograph_comes_back(photo):
    sizes, quality = [], []
    for q in (10, 40, 70, 100):
        data = codec.encode(photo, quality=q)
        back = codec.decode(data)
        assert (back.mode, back.size) == ("RGB", photo.size)
        sizes.append(len(data))
        quality.append(psnr_db(photo, back))
    assert sizes == sorted(sizes)
    assert quality == sorted(quality)
    mean = np.broadcast_to(np.asarray(photo).mean((0, 1)), (photo.height, photo.width, 3))
    assert quality[0] > psnr_db(photo, mean)
    assert sizes[-1] < len(codec.encode(photo, lossless=True))


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 70), (70, 1), (15, 17), (16, 16), (63, 65), (64, 64), (130, 33)]
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_any_size_comes_back(tiny, photo, size, mode):
    image = photo.resize(size).convert(mode)
    back = codec.decode(codec.encode(image, quality=80, model=tiny), model=tiny)
    assert (back.mode, back.size) == (mode, size)
    assert psnr_db(image, back) > 15


def test_noise_with_large_symbols_comes_back(tiny):
    image = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (70, 90, 3))
    data = codec.encode(image, quality=100, model=tiny)
    assert codec.decode(data, model=tiny).size == (90, 70)


@pytest.fixture
def in_pieces(monkeypatch):
    """Tiles of 64 pixels, layers apart however small, blocks of a few positions."""
    head = encoder.Head
    monkeypatch.setattr(encoder, "Head", lambda *a, **k: head(*a, **k, tile_log2=6))
    monkeypatch.setattr(tiles, "SMALLEST_PART_BYTES", 0)
    monkeypatch.setattr(strips, "BLOCK_PIXELS", 10 * 8 * 256)
    monkeypatch.setattr(strips, "BLOCK_COLUMNS", 4 * 16)


@pytest.fixture
def pieces(tiny, photo, in_pieces) -> bytes:
    """A picture of 112x200 in 8 tiles of 4 layers."""
    image = Image.fromarray(np.concatenate([np.asarray(photo)] * 3)[:200])
    return codec.encode(image, quality=70, model=tiny)


def whole_chunks(data):
    """Where each chunk ends, and what it is."""
    ends, at = [], 8
    for kind, size in codec.info(data).chunks:
        at += size
        ends.append((kind, at))
    return ends


def test_layers_of_tiles_stand_by_layer(pieces):
    order = [(p.first, p.last, p.tile) for p in Stream.from_bytes(pieces).latents]
    assert order == [(layer, layer, tile) for layer in range(4) for tile in range(8)]


def test_small_layers_are_coded_together(tiny, photo):
    (part,) = Stream.from_bytes(codec.encode(photo, quality=50, model=tiny)).latents
    assert (part.first, part.last) == (0, 3)


@pytest.mark.parametrize(
    ("sizes", "spans"),
    [
        ([100, 100, 100, 100], [(0, 3)]),
        ([4000, 4000, 4000, 4000], [(0, 0), (1, 1), (2, 2), (3, 3)]),
        ([4000, 4000, 2000, 2000], [(0, 0), (1, 1), (2, 3)]),
        ([2000, 2000, 2000, 2000], [(0, 1), (2, 3)]),
        ([9000, 1000, 1000, 1000], [(0, 3)]),
        ([1000, 1000, 1500, 9000], [(0, 2), (3, 3)]),
        ([1000, 1000, 1000, 9000], [(0, 3)]),
    ],
)
def test_no_part_is_smaller_than_it_pays(sizes, spans):
    assert tiles._part_spans(sizes) == spans


def test_a_cut_file_decodes_coarser_with_a_warning(pieces, tiny):
    whole = codec.decode(pieces, model=tiny)
    ends = whole_chunks(pieces)
    first = [end for kind, end in ends if kind == "LATN"][7]
    quality = []
    for _, end in ends:
        for size in (end - 1, end, end + 3):
            cut = pieces[:size]
            if size < first:
                with pytest.raises(TruncatedStream):
                    codec.decode(cut, model=tiny)
            elif size < len(pieces):
                with pytest.warns(codec.CutFileWarning, match="coarser"):
                    decoded = codec.decode(cut, model=tiny)
                assert decoded.size == whole.size
                quality.append(psnr_db(decoded, whole))
                with pytest.raises(TruncatedStream):
                    codec.decode(cut, model=tiny, strict=True)
    assert quality[0] > 10 and quality[-1] > 60
    assert np.mean(quality[:20]) < np.mean(quality[20:40]) < np.mean(quality[40:])


def test_a_preview_is_the_first_layer_and_the_cells(pieces, tiny):
    ends = whole_chunks(pieces)
    firsts = [end for kind, end in ends if kind == "LATN"][:8]
    first = max(firsts + [end for kind, end in ends if kind == "CELL"])
    with pytest.warns(codec.CutFileWarning):
        cut = codec.decode(pieces[:first], model=tiny)
    assert codec.decode(pieces, model=tiny, preview=True).tobytes() == cut.tobytes()


@pytest.mark.parametrize(
    "region",
    [(0, 0, 112, 200), (0, 0, 1, 1), (111, 199, 1, 1), (30, 40, 50, 60), (0, 130, 112, 3), (64, 64, 48, 64)],
)  # fmt: skip
def test_a_region_is_that_part_of_the_picture(pieces, tiny, region):
    whole = np.asarray(codec.decode(pieces, model=tiny)).astype(int)
    x, y, width, height = region
    part = codec.decode(pieces, model=tiny, region=codec.Region(*region))
    assert part.size == (width, height)
    want = whole[y : y + height, x : x + width]
    assert np.abs(np.asarray(part).astype(int) - want).max() <= 1


def test_a_region_needs_no_other_tiles(tiny, photo, in_pieces):
    image = Image.fromarray(np.concatenate([np.asarray(photo)] * 4)[:384])
    data = bytearray(codec.encode(image, quality=70, model=tiny))
    whole = codec.decode(bytes(data), model=tiny)
    ends = whole_chunks(data)
    for i, (kind, end) in enumerate(ends):  # damage the last row of tiles
        if kind == "LATN" and (i - 1) % 12 >= 10:
            data[end - 6] ^= 255
    with pytest.raises(CorruptStream):
        codec.decode(bytes(data), model=tiny)
    part = codec.decode(bytes(data), model=tiny, region=codec.Region(0, 0, 112, 100))
    assert psnr_db(part, whole.crop((0, 0, 112, 100))) > 50
    with pytest.raises(CorruptStream):
        codec.decode(bytes(data), model=tiny, region=codec.Region(0, 0, 112, 380))


@pytest.mark.parametrize(
    "region", [(-1, 0, 5, 5), (0, 0, 0, 5), (0, 0, 113, 5), (100, 0, 13, 5), (0, 199, 5, 2)]
)
def test_a_region_outside_is_refused(pieces, tiny, region):
    with pytest.raises(UsageError, match="not inside 112x200"):
        codec.decode(pieces, model=tiny, region=codec.Region(*region))


def test_rows_come_one_after_the_other(pieces, tiny):
    opened = codec.Opened(pieces, model=tiny)
    tops, parts = zip(*opened.rows(), strict=True)
    assert opened.size == (200, 112) and len(parts) > 2
    assert list(tops) == [sum(len(p) for p in parts[:i]) for i in range(len(parts))]
    assert np.concatenate(parts).tobytes() == codec.decode(pieces, model=tiny).tobytes()


def test_a_memory_map_is_coded_like_an_array(tiny, photo, tmp_path):
    np.save(tmp_path / "a.npy", np.asarray(photo))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert codec.encode(mapped, model=tiny) == codec.encode(photo, model=tiny)


def test_a_tile_without_all_of_its_layers_is_refused(pieces, tiny):
    stream = Stream.from_bytes(pieces)
    less = dataclasses.replace(stream, latents=tuple(p for p in stream.latents if p.first < 3))
    with pytest.raises(CorruptStream, match="has 3 layers, not 4"):
        codec.decode(less.to_bytes(), model=tiny)
    more = dataclasses.replace(
        stream, latents=(*stream.latents, *(Latent(i, 4, 4, b"") for i in range(8)))
    )
    with pytest.raises(CorruptStream, match="layers, not 4"):
        codec.decode(more.to_bytes(), model=tiny)


def test_a_latent_of_enormous_values_is_clamped_and_still_a_file(tiny_model):
    run = Run(tiny_model, torch.device("cpu"))
    y = torch.full((1, tiny_model.network.config.latent, 3, 5), 1e9)
    y[:, ::2] *= -1
    with torch.inference_mode():
        planes = tiles.complete(run, {"y": y}, run.level(50))
        encoded = tiles.encode_tile(run, planes, 50)
        decoded = tiles.decode_tile(run, encoded.parts, 3, 5, 50)
        assert decoded.checksum == encoded.decoded.checksum


def test_tiles_parse_alone_and_join(pieces, tiny, photo):
    image = np.concatenate([np.asarray(photo)] * 3)[:200]
    assert codec.info(pieces).tiles == 8
    assert psnr_db(codec.decode(pieces, model=tiny), image) > 28


@pytest.mark.parametrize("name", FACTS)
def test_frozen_files_are_read_and_written_the_same(tiny, name):
    """Another parse would break the checksum inside; pixels may differ by one level between machines."""
    data = (VECTORS / f"{name}.ncr").read_bytes()
    # Not a CRC: it would be the same for all files of these sizes, whose chunks end with theirs.
    assert hashlib.sha256(data).hexdigest() == FACTS[name]["sha256"]
    assert Stream.from_bytes(data).end.checksum == FACTS[name]["symbols"]
    want = np.asarray(Image.open(VECTORS / f"{name}.png"))
    level = 1 if want.dtype == np.uint8 else 257
    found = np.asarray(codec.decode(data, model=tiny)).astype(int)
    assert np.abs(found - want.astype(int)).max() <= level


@pytest.mark.parametrize("name", FACTS)
def test_frozen_files_are_read_by_the_plain_coder(tiny, name, monkeypatch):
    monkeypatch.setattr(coder.SymbolDecoder.__init__, "__defaults__", (PlainStack,))
    codec.decode((VECTORS / f"{name}.ncr").read_bytes(), model=tiny)


def test_metadata_is_kept_or_stripped(tiny, photo):
    photo = photo.copy()
    photo.info["icc_profile"] = b"a profile"
    assert (
        codec.decode(codec.encode(photo, model=tiny), model=tiny).info["icc_profile"]
        == b"a profile"
    )
    assert (
        "icc_profile"
        not in codec.decode(codec.encode(photo, model=tiny, strip=True), model=tiny).info
    )


@pytest.fixture(scope="module")
def small(tiny, photo) -> bytes:
    return codec.encode(photo.crop((0, 0, 20, 20)), quality=30, model=tiny)


def test_every_flipped_bit_of_a_file_is_noticed(small, tiny):
    for bit in range(8 * len(small)):
        damaged = bytearray(small)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(NacreError):
            codec.decode(bytes(damaged), model=tiny)


def test_damage_with_right_chunk_checksums_is_noticed(small, tiny):
    stream = Stream.from_bytes(small)
    coded = stream.latents[0].data
    for byte in range(len(coded)):
        damaged = bytearray(coded)
        damaged[byte] ^= 0x10
        with pytest.raises(CorruptStream):
            codec.decode(
                Stream(stream.head, (), (Latent(0, 0, 3, bytes(damaged)),), stream.end).to_bytes(),
                model=tiny,
            )


def test_another_checksum_is_noticed(small, tiny):
    stream = Stream.from_bytes(small)
    other = Stream(stream.head, (), stream.latents, End(stream.end.checksum ^ 1))
    with pytest.raises(CorruptStream, match="checksum does not match"):
        codec.decode(other.to_bytes(), model=tiny)


def test_a_file_of_another_model_is_refused_by_name(small):
    with pytest.raises(
        UnsupportedStream,
        match=f"written with model {codec.info(small).model_id}; installed are nacre",
    ):
        codec.decode(small)


@pytest.mark.parametrize("quality", [0, 101, -1, 50.0, True, "50"])
def test_a_quality_out_of_range_is_refused(photo, quality):
    with pytest.raises(UsageError, match="quality"):
        codec.encode(photo, quality=quality)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"model": "no-such-model"}, WeightsError),
        ({"model": "no-such-file.safetensors"}, WeightsError),
        ({"device": "no-such-device"}, UsageError),
        ({"precision": "float8"}, UsageError),
        ({"limits": Limits(pixels=10)}, LimitError),
        ({"limits": Limits(memory_bytes=10)}, LimitError),
    ],
)
def test_wrong_options_are_refused(photo, options, error):
    with pytest.raises(error):
        codec.encode(photo, **options)


@pytest.mark.parametrize(("width", "height"), [(85_000_000, 1), (1_000_000, 80), (1, 85_000_000)])
def test_a_bomb_of_any_shape_is_refused_before_decoding(small, tiny, width, height, monkeypatch):
    """Small files that need more than the memory limit: the strips and tiles are counted as they are."""
    head = Stream.from_bytes(small).head
    bomb = dataclasses.replace(head, width=width, height=height, tile_log2=15)
    latents = tuple(Latent(i, 0, 3, b"") for i in range(bomb.tile_count))
    monkeypatch.setattr(tiles, "decode_tile", None)
    limits = Limits(memory_bytes=1 << 29)
    data = Stream(bomb, (), latents, End(0)).to_bytes()
    with pytest.raises(LimitError, match="MiB"):
        codec.decode(data, model=tiny, limits=limits)


def test_what_cannot_be_allocated_is_a_limit_error(small, tiny, monkeypatch):
    def fail(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(strips, "synthesise", fail)
    with pytest.raises(LimitError, match="out of memory"):
        codec.decode(small, model=tiny)


def test_encoding_works_without_assertions(tiny, photo, tmp_path):
    photo.save(tmp_path / "a.png")
    command = [
        sys.executable,
        "-O",
        "-m",
        "nacre",
        "encode",
        str(tmp_path / "a.png"),
        "--model",
        str(tiny),
    ]
    subprocess.run(command, check=True)


def test_limits_are_checked_before_decoding(small, tiny):
    for limits in (Limits(pixels=10), Limits(memory_bytes=10)):
        with pytest.raises(LimitError):
            codec.decode(small, model=tiny, limits=limits)
