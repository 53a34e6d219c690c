"""Frames are read back as they were written, given the frame before."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nacre.codec.clips.frames import FrameCoder
from nacre.codec.run import Run
from nacre.codec.tiles import NotNumbers
from nacre.entropy.errors import CorruptStream, UsageError
from nacre.models.zoo import load_model
from tests.clip_models import moving

HEIGHT, WIDTH = 90, 101


@pytest.fixture(scope="module")
def coder(clip_model):
    return FrameCoder(Run(clip_model, torch.device("cpu")), HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def frames():
    return moving(4, HEIGHT, WIDTH)


def coded(coder, frames, quality=60, effort=0):
    found = [coder.encode_intra(frames[0], quality, effort)]
    for frame in frames[1:]:
        found.append(coder.encode_inter(frame, found[-1].reference, quality, effort))
    return found


@torch.no_grad()
@pytest.mark.parametrize("effort", [0, 1])
def test_a_decoder_gets_what_the_encoder_refers_to(coder, frames, effort):
    reference = None
    for written in coded(coder, frames, effort=effort):
        if reference is None:
            read = coder.decode_intra(written.data, 60)
        else:
            read = coder.decode_inter(written.data, reference, 60)
        assert read.checksum == written.checksum
        for part in ("picture", "y_hat", "symbols"):
            assert torch.equal(getattr(read.reference, part), getattr(written.reference, part))
        reference = read.reference


@torch.no_grad()
def test_a_frame_like_the_one_before_costs_little(coder, frames):
    first = coder.encode_intra(frames[0], 60)
    again = coder.encode_inter(frames[0], first.reference, 60)
    assert len(again.data) < 0.7 * len(first.data)


@torch.no_grad()
@pytest.mark.parametrize("quality", [20, 60, 90])
def test_a_search_sees_the_blended_frame(coder, frames, quality, monkeypatch):
    first = coder.encode_intra(frames[0], quality)
    field = coder.motion(frames[1], first.reference, quality)
    prediction = coder.predict(first.reference, field)

    def cost(effort):
        coded = coder.encode_moved(frames[1], prediction, quality, effort)
        return coder.cost(coded, frames[1], quality)

    plain, searched = cost(0), cost(1)
    monkeypatch.setattr(coder, "_blending", lambda *_: None)
    blind = cost(1)
    assert searched < min(plain, blind)


@torch.no_grad()
def test_the_parse_does_not_depend_on_settings(coder, frames):
    """A decoder with other floats: symbols are equal, pixels within some levels."""
    written, reference = coded(coder, frames), None
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        torch.backends.mkldnn.enabled = False
        for frame in written:
            if reference is None:
                read = coder.decode_intra(frame.data, 60)
            else:
                read = coder.decode_inter(frame.data, reference, 60)
            assert read.checksum == frame.checksum
            away = read.reference.picture.int() - frame.reference.picture.int()
            assert away.abs().max() <= 2
            reference = read.reference
    finally:
        torch.set_num_threads(threads)
        torch.backends.mkldnn.enabled = True


@torch.no_grad()
def test_damaged_frames_are_refused_or_have_another_checksum(coder, frames):
    first, second = coded(coder, frames[:2])
    rng, unseen = np.random.default_rng(0), 0
    for _ in range(30):
        data = bytearray(second.data)
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        try:
            read = coder.decode_inter(bytes(data), first.reference, 60)
        except (CorruptStream, NotNumbers):
            continue
        unseen += read.checksum == second.checksum
    assert unseen <= 3  # motion that no symbol of y depends on


def test_a_model_of_pictures_is_refused(tiny):
    with pytest.raises(UsageError, match="codes pictures, not clips"):
        FrameCoder(Run(load_model(tiny), torch.device("cpu")), 16, 16)
