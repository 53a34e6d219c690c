"""The latent of a file without its picture: whole, cropped, and equal to what the synthesis sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from nacre import codec
from nacre.codec import tiles
from nacre.codec.container import End, Stream
from nacre.codec.encoder import Encoder
from nacre.codec.run import Run
from nacre.entropy.errors import CorruptStream, TruncatedStream, UnsupportedStream, UsageError


@pytest.fixture(scope="module")
def wide() -> np.ndarray:
    """2 x 2 entropy tiles, the last ones of one position."""
    x = np.arange(1040)
    return np.stack([(x[:1036, None] // 3 + x * k // 7) % 256 for k in (1, 2, 3)], 2).astype(
        np.uint8
    )


@pytest.fixture(scope="module")
def data(wide) -> bytes:
    from tests.conftest import TINY

    encoder = Encoder(wide, model=TINY)
    encoder.is_adaptive = False
    return encoder.encode(50)


def test_planes_are_of_the_whole_picture_each_at_its_stride(data, tiny):
    planes = codec.latents(data, planes=(), model=tiny)
    assert {name: tuple(plane.shape) for name, plane in planes.items()} == {
        "z": (8, 17, 17), "y": (32, 65, 65),
    }  # fmt: skip
    only = codec.latents(data, model=tiny)
    assert list(only) == ["y"]
    torch.testing.assert_close(only["y"], planes["y"], rtol=0, atol=0)
    assert not planes["y"].is_inference() and planes["y"].dtype == torch.float32


def test_the_latent_is_what_the_decoder_gives_to_the_synthesis(data, tiny, monkeypatch):
    shown = []
    real = tiles.decode_tile

    def noted(*arguments):
        found = real(*arguments)
        shown.append(found.shown["y"].clone())
        return found

    monkeypatch.setattr(tiles, "decode_tile", noted)
    codec.decode(data, model=tiny)
    y = codec.latents(data, model=tiny)["y"]
    rows = [torch.cat(shown[2 * k : 2 * k + 2], 3) for k in range(2)]
    torch.testing.assert_close(y, torch.cat(rows, 2)[0], rtol=0, atol=0)


def test_symbols_are_those_that_were_coded(wide, tiny, monkeypatch):
    """z has no means, so its symbols are the plane; those of y are summed up in the checksum of the file."""
    encoder = Encoder(wide, model=tiny)
    encoder.is_adaptive = False
    coded, real = [], tiles.symbol_checksum

    def noted(symbols, schedule):
        coded.append({name: plane.clone() for name, plane in symbols.items()})
        return real(symbols, schedule)

    monkeypatch.setattr(tiles, "symbol_checksum", noted)
    data = encoder.encode(50)
    monkeypatch.undo()
    symbols = codec.latents(data, planes=(), only_symbols=True, model=tiny)
    assert symbols["y"].dtype == torch.int32
    for name in ("z", "y"):
        rows = [torch.cat([tile[name] for tile in coded[2 * k : 2 * k + 2]], 3) for k in range(2)]
        assert torch.equal(symbols[name], torch.cat(rows, 2)[0])
    torch.testing.assert_close(
        codec.latents(data, planes=["z"], model=tiny)["z"], symbols["z"].float()
    )


def test_damage_is_found_with_symbols_alone(data, tiny):
    for only_symbols in (True, False):
        for at in range(60, len(data), len(data) // 7):
            broken = bytearray(data)
            broken[at] ^= 1
            with pytest.raises(CorruptStream):
                codec.latents(bytes(broken), only_symbols=only_symbols, model=tiny)
        with pytest.raises(TruncatedStream):
            codec.latents(data[:-30], only_symbols=only_symbols, model=tiny)


def test_the_checksum_of_all_symbols_is_compared(data, tiny):
    stream = Stream.from_bytes(data)
    other = replace(stream, end=End(stream.end.checksum ^ 1)).to_bytes()
    for only_symbols in (True, False):
        with pytest.raises(CorruptStream, match="the checksum does not match"):
            codec.latents(other, only_symbols=only_symbols, model=tiny)


def test_files_without_a_latent_and_planes_without_a_name(data, tiny, noise):
    with pytest.raises(UnsupportedStream, match="has no latent"):
        codec.latents(codec.encode(noise, lossless=True))
    with pytest.raises(UsageError, match="no plane 'x'; the model has z, y"):
        codec.latents(data, planes=["x"], model=tiny)


def test_steps_undo_what_the_quality_does_to_the_latent(tiny):
    network = Run.to_encode({"model": tiny}).network
    t = torch.tensor([0.1, 0.9])
    steps = network.step_sizes(t)
    assert {name: tuple(found.shape) for name, found in steps.items()} == {
        "z": (2, 8),
        "y": (2, 32),
    }
    with torch.inference_mode():
        features = network.prepare(torch.rand(1, 3, 64, 64, generator=torch.manual_seed(1)))
        low, high = (network.analyse(features, q[None])["y"].abs().mean() for q in t)
        assert high > 4 * low
        scaled = [(network.analyse(features, q[None])["y"] * s[None, :, None, None]).abs().mean()
                  for q, s in zip(t, steps["y"], strict=True)]  # fmt: skip
    assert 0.5 < scaled[0] / scaled[1] < 2
