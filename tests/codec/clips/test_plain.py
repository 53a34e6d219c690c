"""Frames without networks: what networks cannot draw is right all the same, and what stands still is free."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nacre.codec.clips import plain
from nacre.codec.clips.coding import FrameKind, FramePayload
from nacre.codec.clips.network_coder import NetworkGopCoder
from nacre.codec.run import Run
from nacre.entropy.errors import CorruptStream

HEIGHT, WIDTH = 70, 100


def drawing(seed: int = 0) -> np.ndarray:
    """Saturated blocks of some pixels."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 2, (HEIGHT // 7, WIDTH // 5, 3)) * 255
    return small.repeat(7, 0).repeat(5, 1).astype(np.uint8)


def changed(frame: np.ndarray, top: int, left: int) -> np.ndarray:
    found = frame.copy()
    found[top : top + 9, left : left + 7] ^= 255
    return found


@pytest.fixture(scope="module")
def coder(clip_model) -> NetworkGopCoder:
    return NetworkGopCoder(Run(clip_model, torch.device("cpu")), HEIGHT, WIDTH, quality=50)


def test_drawings_come_back_exactly(coder):
    frames = [drawing(), drawing(), changed(drawing(), 40, 70), drawing(9)]
    payloads = coder.encode_gop(frames)
    assert [p.kind for p in payloads[:3]] == [
        FrameKind.STORED,
        FrameKind.PATCHED,
        FrameKind.PATCHED,
    ]
    assert payloads[3].kind in (FrameKind.STORED, FrameKind.PATCHED)
    assert len(payloads[1].data) < 20 and len(payloads[2].data) < len(payloads[0].data) + 20
    for shown, frame in zip(coder.decode_gop(payloads), frames, strict=True):
        assert np.array_equal(shown, frame)


def test_networks_go_on_from_a_stored_frame(coder):
    payloads = coder.encode_gop([drawing(), drawing()])
    reference = coder._decoded(payloads[1], coder._decoded(payloads[0], None).reference).reference
    coded = coder._frames.encode_inter(drawing(3), reference, 50)
    read = coder._frames.decode_inter(coded.data, reference, 50)
    assert read.checksum == coded.checksum
    assert torch.equal(read.reference.symbols, coded.reference.symbols)


def test_noise_costs_less_than_its_samples_at_every_quality(clip_model):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    for quality, most in ((1, 70.0), (50, 16.0), (100, 2.0)):
        coder = NetworkGopCoder(
            Run(clip_model, torch.device("cpu")), HEIGHT, WIDTH, quality=quality
        )
        payloads = coder.encode_gop([noise])
        (shown,) = coder.decode_gop(payloads)
        assert len(payloads[0].data) < 1.05 * noise.size
        assert np.abs(shown.astype(int) - noise).mean() < most


def test_damaged_cells_are_refused_or_told(coder):
    payloads = coder.encode_gop([drawing(), changed(drawing(), 10, 20)])
    rng = np.random.default_rng(1)
    for _ in range(60):
        which = int(rng.integers(2))
        data = bytearray(payloads[which].data)
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        damaged = list(payloads)
        damaged[which] = replace(payloads[which], data=bytes(data))
        with pytest.raises(CorruptStream):
            list(coder.decode_gop(damaged))


def test_kinds_that_a_frame_cannot_be_are_refused(coder):
    stored, patched = coder.encode_gop([drawing(), changed(drawing(), 10, 20)])
    with pytest.raises(CorruptStream, match="begins with an inter frame"):
        list(coder.decode_gop([patched]))
    cells = patched.data[patched.data[0] + 1 :]
    for data, message in ((b"", "without cells"), (cells, "with cells of a prediction")):
        alone = FramePayload(FrameKind.STORED, stored.quality, 0, data)
        with pytest.raises(CorruptStream, match=message):
            list(coder.decode_gop([alone]))


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 99), st.floats(1e-4, 1.0))
@settings(max_examples=20, deadline=None)
def test_what_is_shown_is_what_was_coded(height, width, seed, price):
    rng = np.random.default_rng(seed)
    frame = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    predicted = frame.copy()
    predicted[height // 2 :] = 128
    for before in (None, predicted):
        found = plain.best(frame, before, price, 1e12)
        assert found is not None
        assert np.array_equal(plain.shown_of(found[0], before, height, width), found[1])
        assert plain.best(frame, before, price, 0.0) is None
