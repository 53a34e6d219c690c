"""The whole way: what comes back, what is kept, and that no setting of a machine changes the parse."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nacre import codec
from nacre.codec import image as codec_image
from nacre.codec import tiles
from nacre.codec.container import End, Latent, Limits, Stream
from nacre.entropy import coder
from nacre.entropy.errors import (
    CorruptStream,
    LimitError,
    NacreError,
    UnsupportedStream,
    UsageError,
    WeightsError,
)
from nacre.entropy.stack import PlainStack

VECTORS = Path(__file__).parents[1] / "vectors"
FACTS = json.loads((VECTORS / "facts.json").read_text())


def psnr_db(a, b) -> float:
    difference = np.asarray(a, float) - np.asarray(b, float)
    return float(10 * np.log10(255**2 / max(np.mean(difference**2), 1e-9)))


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
    assert quality[0] > 22 and quality[-1] > 38
    assert sizes[0] < 0.02 * 3 * photo.width * photo.height


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


def test_a_latent_of_enormous_values_is_clamped_and_still_a_file(tiny_model):
    runner = tiles.Runner(tiny_model, torch.device("cpu"))
    y = torch.full((1, tiny_model.config.latent, 3, 5), 1e9)
    y[:, ::2] *= -1
    with torch.inference_mode():
        data, checksum = tiles.encode_tile(runner, y, 50)
        assert tiles.decode_tile(runner, data, tiles.Area(0, 3, 0, 5), 50).checksum == checksum


def test_tiles_parse_alone_and_join(tiny, photo, monkeypatch):
    whole = codec.decode(codec.encode(photo, model=tiny), model=tiny)
    head = codec_image.Head
    monkeypatch.setattr(codec_image, "Head", lambda *a, **k: head(*a, **k, tile_log2=6))
    data = codec.encode(photo, model=tiny)
    assert codec.info(data).tiles == 4
    assert psnr_db(codec.decode(data, model=tiny), whole) > 30


@pytest.mark.parametrize("name", FACTS)
def test_frozen_files_are_read_and_written_the_same(tiny, name):
    """Another parse would break the checksum inside; pixels may differ by one level between machines."""
    data = (VECTORS / f"{name}.ncr").read_bytes()
    assert zlib.crc32(data) == FACTS[name]["crc32"]
    want = np.asarray(Image.open(VECTORS / f"{name}.png")).astype(int)
    assert np.abs(np.asarray(codec.decode(data, model=tiny)).astype(int) - want).max() <= 1


@pytest.mark.parametrize("name", FACTS)
def test_frozen_files_are_read_by_the_plain_coder(tiny, name, monkeypatch):
    monkeypatch.setattr(coder.Decoder.__init__, "__defaults__", (PlainStack,))
    codec.decode((VECTORS / f"{name}.ncr").read_bytes(), model=tiny)


SETTINGS = {
    "one thread": ({}, "torch.set_num_threads(1)"),
    "onednn off": ({}, "torch.backends.mkldnn.enabled = False"),
    "plain instructions": ({"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}, ""),
    "low matmul precision": ({}, "torch.set_float32_matmul_precision('medium')"),
}
ROUND_TRIP = """
import sys, torch
from PIL import Image
{setting}
from nacre import codec
photo, theirs, ours, decoded = sys.argv[1:]
codec.decode(open(theirs, "rb").read()).save(decoded)
open(ours, "wb").write(codec.encode(Image.open(photo), quality=50))
"""


@pytest.mark.parametrize("setting", SETTINGS)
def test_files_cross_between_settings_of_the_machine(setting, photo, tmp_path):
    """Decoding checks the symbols' checksum, so it fails unless the parse is the same."""
    environment, code = SETTINGS[setting]
    data = codec.encode(photo, quality=50)
    (tmp_path / "theirs.ncr").write_bytes(data)
    photo.save(tmp_path / "photo.png")
    files = [
        str(tmp_path / name) for name in ("photo.png", "theirs.ncr", "ours.ncr", "decoded.png")
    ]
    script = ROUND_TRIP.format(setting=code)
    subprocess.run(
        [sys.executable, "-c", script, *files], env={**os.environ, **environment}, check=True
    )
    here = np.asarray(codec.decode(data)).astype(int)
    there = np.asarray(Image.open(files[3])).astype(int)
    assert np.abs(here - there).max() <= 1
    assert psnr_db(codec.decode(Path(files[2]).read_bytes()), here) > 40


def test_bfloat16_writes_and_reads_files_of_everyone(photo):
    data = codec.encode(photo, quality=50, precision="bfloat16")
    assert psnr_db(photo, codec.decode(data)) > 25
    assert psnr_db(photo, codec.decode(data, precision="bfloat16")) > 25


def test_memory_format_and_batch_of_threads_do_not_change_the_file(tiny, photo):
    def encode(_):
        return codec.encode(photo, model=tiny)

    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(encode, range(8)))) == 1


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
                Stream(stream.head, (), (Latent(0, 0, bytes(damaged)),), stream.end).to_bytes(),
                model=tiny,
            )


def test_another_checksum_is_noticed(small, tiny):
    stream = Stream.from_bytes(small)
    other = Stream(stream.head, (), stream.latents, End(stream.end.checksum ^ 1))
    with pytest.raises(CorruptStream, match="checksum differs"):
        codec.decode(other.to_bytes(), model=tiny)


def test_a_file_of_another_model_is_refused_by_name(small):
    with pytest.raises(
        UnsupportedStream, match=f"written with model {codec.info(small).model_id}; here is nacre"
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
    latents = tuple(Latent(0, i, b"") for i in range(bomb.tile_count))
    monkeypatch.setattr(codec_image.tiles, "decode_tile", None)
    data = Stream(bomb, (), latents, End(0)).to_bytes()
    with pytest.raises(LimitError, match="MiB"):
        codec.decode(data, model=tiny)


def test_what_cannot_be_allocated_is_a_limit_error(small, tiny, monkeypatch):
    def fail(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(codec_image.strips, "synthesise", fail)
    with pytest.raises(LimitError, match="out of memory"):
        codec.decode(small, model=tiny)


def test_another_device_has_a_copy_of_its_own(tiny_model):
    codec_image._network_on(tiny_model.network, torch.device("meta"))
    assert {p.device.type for p in tiny_model.network.parameters()} == {"cpu"}


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
