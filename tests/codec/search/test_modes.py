"""Cells are coded in the way that costs least, and what is no photograph is no trouble."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from nacre import codec
from nacre.codec import cells
from nacre.codec.container import Coding, Mode, Stream, read_head
from nacre.codec.encoder import Encoder
from nacre.codec.search import modes
from nacre.datasets import odd
from nacre.entropy.errors import CorruptStream


def webp_bytes(pixels) -> int:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", lossless=True)
    return len(out.getvalue())


def psnr(a, b) -> float:
    mse = np.square(np.asarray(a, float) - np.asarray(b, float)).mean()
    return 99.0 if mse == 0 else float(10 * np.log10(255**2 / mse))


def page(width=96, height=64) -> np.ndarray:
    image = Image.new("RGB", (width, height), "white")
    for y in range(2, height, 11):
        text = "@#%& WMX 0123 abc"
        ImageDraw.Draw(image).text((3, y), text, (200, 0, 0), ImageFont.load_default(9))
    return np.asarray(image)


def modes_of(data: bytes) -> np.ndarray:
    """(rows, columns) of a file of one tile."""
    stream = Stream.from_bytes(data)
    rows, columns = (-(-side // 32) for side in (stream.head.height, stream.head.width))
    if not stream.cells:
        return np.zeros((rows, columns), np.uint8)
    return cells.read_modes(stream.cells[0], rows, columns)


@pytest.fixture(scope="module")
def with_page(photo):
    """A photograph of 112x96 with a page of 64x64 in its corner."""
    pixels = np.array(photo)
    pixels[:64, :64] = page(64, 64)
    return pixels


def test_a_photograph_is_coded_as_if_there_were_no_other_way(photo):
    for quality, effort in ((1, 0), (50, 1), (90, 0)):
        encoder = Encoder(photo)
        adaptive = encoder.encode(quality, effort)
        encoder.is_adaptive = False
        assert encoder.encode(quality, effort) == adaptive


@pytest.mark.parametrize("kind", ["error_diffusion", "one_pixel_pattern", "matrix_code", "fax"])
@pytest.mark.parametrize("quality", [30, 100])
def test_what_has_few_colours_takes_no_more_than_without_loss(kind, quality):
    pixels = odd.KINDS[kind](np.random.default_rng(4), 96)
    data = codec.encode(pixels, quality=quality)
    assert len(data) <= webp_bytes(pixels) + 64
    assert psnr(codec.decode(data), pixels) > 35


def test_a_page_in_a_photograph_leaves_the_photograph_as_it_is(photo, with_page):
    data = codec.encode(with_page, quality=50, effort=0)
    found = modes_of(data)
    assert (found[:2, :2] == Mode.EXACT).all() and (found[2:] == Mode.LATENT).all()
    shown = np.asarray(codec.decode(data))
    assert psnr(shown[:64, :64], with_page[:64, :64]) > 40
    plain = Encoder(photo).encode(50, 0)
    without = psnr(np.asarray(codec.decode(plain))[64:], np.asarray(photo)[64:])
    assert psnr(shown[64:], with_page[64:]) > without - 0.5
    assert len(data) < len(plain) + webp_bytes(with_page[:64, :64]) + 100


def test_the_way_that_is_taken_costs_no_more_than_the_latent_alone(with_page):
    for pixels in (with_page, odd.specks(np.random.default_rng(1), 64)):
        encoder, costs = Encoder(pixels), []
        for encoder.is_adaptive in (True, False):
            data = encoder.encode(60, 0)
            error = np.square(np.asarray(codec.decode(data), float) - pixels).sum() / 3
            costs.append(
                8 * len(data) + error * float(encoder._run.network.lmbda(torch.tensor([59 / 99])))
            )
        assert costs[0] < costs[1]


def test_colours_finer_than_the_latent_come_from_cells_at_high_quality_alone(photo):
    """The noise is too weak for the survey of the pixels; the errors of the decoded latent tell."""
    drawn = np.random.default_rng(3).normal(0, 10, (*np.asarray(photo).shape[:2], 3))
    pixels = np.clip(np.asarray(photo) + drawn, 0, 255).astype(np.uint8)
    assert not modes.Survey(pixels).is_rough.any()
    encoder, found = Encoder(pixels), {}
    for quality in (20, 95):
        for encoder.is_adaptive in (True, False):
            data = encoder.encode(quality, 1)
            lmbda = float(encoder._run.network.lmbda(torch.tensor([(quality - 1) / 99])))
            error = np.square(np.asarray(codec.decode(data), float) - pixels).sum() / 3
            found[quality, encoder.is_adaptive] = 8 * len(data) + error * lmbda, data
    assert found[20, True][1] == found[20, False][1]
    assert found[95, True][0] < 0.98 * found[95, False][0]
    assert (modes_of(found[95, True][1]) == Mode.DCT).any()


@pytest.mark.parametrize("kind", ["zone_plate", "noise", "gradients"])
def test_quality_is_monotone(kind):
    pixels, before = odd.KINDS[kind](np.random.default_rng(2), 64), 0.0
    for quality in range(5, 101, 19):
        now = psnr(codec.decode(codec.encode(pixels, quality=quality, effort=0)), pixels)
        assert now > before - 0.1
        before = now


@pytest.mark.parametrize("colour", [(255, 0, 0), (255, 255, 255), (3, 200, 90)])
@pytest.mark.parametrize("quality", [10, 60, 100])
def test_a_flat_colour_comes_back_as_it_was(colour, quality):
    pixels = np.full((160, 160, 3), colour, np.uint8)
    shown = np.asarray(codec.decode(codec.encode(pixels, quality=quality))).astype(int)
    assert abs(shown - pixels).max() <= 1


def test_noise_is_coded_by_the_transform():
    noise = np.random.default_rng(7).integers(0, 256, (64, 96, 3), np.uint8)
    data = codec.encode(noise, quality=40)
    assert (modes_of(data) == Mode.DCT).all() and read_head(data).coding == Coding.CELLS


def test_grey_pictures_have_other_ways_too():
    rings = odd.zone_plate(np.random.default_rng(3), 128)[..., 0]
    pixels = np.concatenate([np.hstack([page(64, 64)[..., 0]] * 2), rings])
    data = codec.encode(pixels, quality=60)
    assert not (modes_of(data) == Mode.LATENT).any()
    assert psnr(codec.decode(data), pixels) > 35


def test_sixteen_bits_are_without_loss_or_from_the_latent(photo):
    pixels = np.asarray(photo).astype(np.uint16) * 257
    pixels[:64, :64] = page(64, 64).astype(np.uint16) * 250
    data = codec.encode(pixels, quality=50)
    found = modes_of(data)
    assert set(found.ravel()) == {Mode.LATENT, Mode.EXACT}
    shown = codec.Opened(data).picture().pixels
    assert np.array_equal(shown[:32, :32], pixels[:32, :32])


def test_a_region_of_cells_is_that_part_of_the_picture(with_page):
    data = codec.encode(with_page, quality=40)
    whole = np.asarray(codec.decode(data)).astype(int)
    part = codec.decode(data, region=codec.Region(30, 20, 70, 60))
    assert abs(np.asarray(part).astype(int) - whole[20:80, 30:100]).max() <= 1


def test_a_file_that_is_cut_before_its_cells_shows_what_lies_under_them(with_page):
    data = codec.encode(with_page, quality=40)
    sizes = dict(codec.info(data).chunks)
    end = len(data) - sizes["TEND"] - sizes["CELL"]
    with pytest.warns(codec.CutFileWarning):
        assert codec.decode(data[:end]).size == (112, 96)


def test_numbers_that_are_none_make_the_encoder_code_otherwise(photo, monkeypatch):
    encoder = Encoder(photo)
    monkeypatch.setattr(
        encoder._analysis,
        "bands",
        lambda t, rows: iter([{"y": torch.full((1, 320, 6, 7), torch.nan)}]),
    )
    for effort in (0, 1):
        data = encoder.encode(60, effort)
        assert not (modes_of(data) == Mode.LATENT).any()
        assert psnr(codec.decode(data), photo) > 30


def test_numbers_that_are_none_are_damage_to_the_decoder(photo, tiny_model, tiny, monkeypatch):
    data = codec.encode(photo, quality=10, model=tiny)
    monkeypatch.setattr(
        type(tiny_model.network.synthesis),
        "forward",
        lambda *_: torch.full((1, 3, 96, 112), torch.inf),
    )
    with pytest.raises(CorruptStream, match="no numbers"):
        codec.decode(data, model=tiny)


def test_networks_stay_bounded(tiny_model):
    """Whatever comes in, what a block adds is bounded: no growth from block to block."""
    from nacre.models.parts.blocks import Block

    torch.manual_seed(0)
    block = Block(16)
    for part in block.parameters():
        torch.nn.init.normal_(part)
    for part in (block.leave, block.mix, block.enter):
        torch.nn.init.zeros_(part.weight)
        torch.nn.init.zeros_(part.bias)
    x = torch.randn(1, 16, 8, 8)
    largest = (
        block.narrow.weight.abs().sum((1, 2, 3)) * block.limit + block.narrow.bias.abs()
    ).max()
    for size in (1.0, 1e6, 1e18):
        assert (block(size * x) - size * x).abs().max() <= largest * (1 + 1e-5) + size * 1e-6


def test_estimates_are_near_what_coders_take():
    survey = modes.Survey(page(192, 128))
    real = 8 * len(cells.all_exact(0, survey.pixels, False).exact)
    assert 0.2 * real < survey.exact_bits.sum() < 5 * real
