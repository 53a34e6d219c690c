"""Motion: vectors are found, coded and read back; the predicted picture is exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nacre.codec.motion import BLOCK, MotionEffort, MotionField, MotionMode, compensate, search
from nacre.codec.motion.code import read_field, write_field
from nacre.codec.motion.compensation import BEFORE, FILTERS, TAPS
from nacre.codec.motion.field import MAX_VECTOR, PART, Hints
from nacre.entropy.coder import SymbolDecoder, SymbolEncoder
from nacre.entropy.errors import CorruptStream
from nacre.entropy.tables import Tables, integer_frequencies
from nacre.models.parts.condition import MAX_OVERLAP
from nacre.models.parts.motion_tables import MODE_ROWS, MODES, VECTOR_ROWS, VECTORS


def smooth(height: int, width: int, seed: int = 0) -> torch.Tensor:
    """uint8 (3, H, W) with detail of some pixels."""
    noise = torch.rand(
        1, 3, height // 4 + 2, width // 4 + 2, generator=torch.Generator().manual_seed(seed)
    )
    wide = torch.nn.functional.interpolate(noise, (height, width), mode="bicubic")
    return (wide[0].clamp(0, 1) * 255).round().to(torch.uint8)


def random_field(rows: int, columns: int, seed: int, largest: int = 60) -> MotionField:
    rng = np.random.default_rng(seed)
    modes = rng.integers(0, len(MotionMode), (rows, columns)).astype(np.uint8)
    vectors = rng.integers(-largest, largest + 1, (2 * rows, 2 * columns, 2)).astype(np.int32)
    for row in range(rows):
        hints = Hints(vectors, row)
        for column in range(columns):
            place = vectors[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            if modes[row, column] == MotionMode.SKIP:
                place[:] = hints.of(column, hints.left(column))
            elif modes[row, column] == MotionMode.INTER:
                place[:] = place[0, 0].copy()
            elif modes[row, column] == MotionMode.INTRA:
                place[:] = 0
    return MotionField(modes, vectors)


def tables() -> dict[str, Tables]:
    def flat(rows: int, radius: int) -> Tables:
        each = integer_frequencies(np.ones(2 * radius + 2))
        return Tables(np.full(rows, radius), np.tile(each, rows))

    return {MODES: flat(MODE_ROWS, 3), VECTORS: flat(VECTOR_ROWS, 20)}


@given(
    st.integers(1, 4), st.integers(1, 5), st.integers(0, 1000), st.sampled_from([0, 3, 60, 4000])
)
@settings(max_examples=40, deadline=None)
def test_a_field_is_read_back(rows, columns, seed, largest):
    field = random_field(rows, columns, seed, largest)
    encoder = SymbolEncoder()
    write_field(field, encoder, tables())
    decoder = SymbolDecoder(encoder.finish())
    found = read_field(decoder, tables(), rows * BLOCK - 3, columns * BLOCK - 15)
    decoder.finish()
    assert np.array_equal(found.modes, field.modes)
    assert np.array_equal(found.vectors, field.vectors)


def test_damaged_code_is_a_field_or_refused():
    rng, outcomes = np.random.default_rng(0), set()
    for seed in range(40):
        encoder = SymbolEncoder()
        write_field(random_field(4, 5, seed), encoder, tables())
        data = bytearray(encoder.finish())
        data[rng.integers(len(data) // 2)] ^= 1 << rng.integers(8)
        try:
            field = read_field(SymbolDecoder(bytes(data)), tables(), 60, 70)
            assert np.abs(field.vectors).max() <= MAX_VECTOR
            outcomes.add("read")
        except CorruptStream:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def at_pixel(reference: np.ndarray, vector: np.ndarray, y: int, x: int) -> np.ndarray:
    """(C,) 4096 times what a vector points to from a pixel, in plain integers."""
    channels, height, width = reference.shape
    down, right = (int(v) for v in vector)
    total = np.zeros(channels, np.int64)
    for j in range(TAPS):
        row = min(max(y + (down >> 2) + j - BEFORE, 0), height - 1)
        for i in range(TAPS):
            column = min(max(x + (right >> 2) + i - BEFORE, 0), width - 1)
            weight = FILTERS[down & 3][j] * FILTERS[right & 3][i]
            total += weight * reference[:, row, column].astype(np.int64)
    return total


def fall(away: int, side: int, overlap: int) -> int:
    """The weight of a square of `side` pixels, `away` pixels behind its border."""
    inside = min(away, side - 1 - away)
    return max(0, min(2 * (inside + overlap) + 1, 4 * overlap)) if overlap else int(inside >= 0)


def slowly(reference: np.ndarray, field: MotionField, overlap: int = 0) -> np.ndarray:
    """The prediction pixel by pixel, in plain integers."""
    channels, height, width = reference.shape
    out = np.zeros_like(reference)
    for y in range(height):
        for x in range(width):
            if field.modes[y // BLOCK, x // BLOCK] == MotionMode.INTRA:
                out[:, y, x] = 128
                continue
            total, weights = np.zeros(channels, np.int64), 0
            for row in range(field.modes.shape[0] * 2):
                for column in range(field.modes.shape[1] * 2):
                    mode = field.modes[row // 2, column // 2]
                    is_first = row % 2 == column % 2 == 0
                    if mode == MotionMode.INTRA or (mode != MotionMode.SPLIT and not is_first):
                        continue
                    side = PART if mode == MotionMode.SPLIT else BLOCK
                    weight = fall(y - row * PART, side, overlap) * fall(
                        x - column * PART, side, overlap
                    )
                    if weight:
                        total += weight * at_pixel(reference, field.vectors[row, column], y, x)
                        weights += weight
            unit = 4096 * weights
            out[:, y, x] = ((2 * total + unit) // (2 * unit)).clip(0, 255)
    return out


@pytest.mark.parametrize("overlap", [0, 1, MAX_OVERLAP])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (20, 37), (1, 1)])
def test_the_prediction_is_that_of_plain_integers(height, width, overlap):
    rng = np.random.default_rng(1)
    reference = rng.integers(0, 256, (2, height, width), np.uint8)
    field = random_field(-(-height // BLOCK), -(-width // BLOCK), 3)
    found = compensate(torch.from_numpy(reference), field, overlap)
    assert np.array_equal(found.numpy(), slowly(reference, field, overlap))


@pytest.mark.parametrize("overlap", [0, MAX_OVERLAP])
def test_no_setting_changes_the_prediction(overlap):
    reference, field = smooth(64, 96), random_field(4, 6, 5)
    want = compensate(reference, field, overlap)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(compensate(reference, field, overlap), want)
    still = MotionField.still(64, 96)
    assert torch.equal(compensate(reference, still, overlap), reference)
    still.vectors[:] = (6, -9)  # one vector everywhere: there is nothing to blend
    assert torch.equal(compensate(reference, still, overlap), compensate(reference, still))


@pytest.mark.parametrize("moved", [(0, 0), (3, -5), (-20, 24)])
def test_a_frame_that_moved_is_found(moved):
    wide = smooth(160, 192)
    reference = wide[:, 32:128, 32:160]
    current = wide[:, 32 + moved[0] : 128 + moved[0], 32 + moved[1] : 160 + moved[1]]
    field = search(current[0], reference[0], 4.0)
    assert np.array_equal(field.vectors[4, 6], np.array(moved) * 4)
    inside = compensate(reference, field)[:, 32:64, 32:96]
    assert torch.equal(inside, current[:, 32:64, 32:96])
    assert (field.modes[2:4, 2:6] == MotionMode.SKIP).mean() > 0.5


def test_quarters_of_a_pixel_are_found():
    reference = smooth(96, 96)
    field = MotionField.still(96, 96)
    field.vectors[:] = (5, -3)
    current = compensate(reference, field)
    found = search(current[0], reference[0], 1.0)
    assert (found.vectors[2:-2, 2:-2] == (5, -3)).mean() > 0.9


def test_splits_follow_a_border_in_a_block():
    back, front = smooth(64, 64, 1), smooth(64, 64, 2)
    reference, current = back.clone(), back.clone()
    reference[:, :, :24], current[:, :, :24] = front[:, :, 8:32], front[:, :, 12:36]
    whole = search(current[0], reference[0], 2.0)
    split = search(current[0], reference[0], 2.0, MotionEffort(splits=True))
    error = [(compensate(reference, f).int() - current.int()).abs().sum() for f in (whole, split)]
    assert MotionMode.SPLIT in split.modes
    assert error[1] < 0.85 * error[0]


def test_what_was_never_seen_is_not_predicted():
    flat, noise = (
        torch.full((64, 64), 128, dtype=torch.uint8),
        torch.randint(0, 256, (64, 64), dtype=torch.uint8),
    )
    assert (search(flat, noise, 1.0).modes == MotionMode.INTRA).all()
