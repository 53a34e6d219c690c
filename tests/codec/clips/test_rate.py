"""Rate control: a clip takes the bits that it was asked to take, whatever its frames are worth."""

from __future__ import annotations

import io
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from nacre import codec
from nacre.codec.clips.coding import FrameKind, FramePayload
from nacre.codec.clips.network_coder import NetworkGopCoder
from nacre.codec.clips.rate import GroupBudgets, RateModel
from nacre.codec.run import Run
from nacre.entropy.errors import UsageError

SHAPE = (16, 16, 3)
FACTS = codec.VideoFacts(16, 16, Fraction(1, 25), Fraction(25))


class ModelledCoder(NetworkGopCoder):
    """Frames take bits by a law of their own: another slope than is assumed, and noise."""

    def __init__(self, model, seed: int, noise: float = 0.2) -> None:
        super().__init__(Run(model, torch.device("cpu")), 16, 16)
        self._rng = np.random.default_rng(seed)
        self._noise, self._hard = noise, {}

    def _encoded(self, pixels, reference, quality, rate):
        kind = FrameKind.INTRA if reference is None else FrameKind.INTER
        hard = self._hard.setdefault((pixels.tobytes(), kind), self._rng.normal(0, self._noise))
        level = 6.0 if kind == FrameKind.INTRA else 4.2
        size = int(math.exp(level + hard + 0.055 * quality))
        rate.learn(kind, quality, 8 * size)
        return FramePayload(kind, quality, 0, bytes(size)), "a reference"


def clip_of(coder, bitrate: float, count: int = 70, gop: int = 16):
    file, rng = io.BytesIO(), np.random.default_rng(0)
    with codec.VideoWriter(file, FACTS, coder=coder, gop=gop, bitrate=bitrate) as clip:
        for _ in range(count):
            clip.write(rng.integers(0, 99, SHAPE).astype(np.uint8))
    return clip, file.getvalue()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("count", "gop"), [(70, 16), (12, 32), (1, 32), (33, 1)])
def test_a_clip_takes_the_bits_asked_for(clip_model, seed, count, gop):
    noise = 0.2 if count > 1 else 0.0
    clip, _ = clip_of(ModelledCoder(clip_model, seed, noise), 800_000, count, gop)
    found = 8 * clip.frame_bytes / clip.seconds
    assert clip.seconds == pytest.approx(count / 25)
    assert found == pytest.approx(800_000, rel=0.05 if count > 1 else 0.15)


def test_what_cannot_be_had_ends_at_the_last_quality(clip_model):
    for bitrate, end in ((1.0, 1), (1e12, 100)):
        _, data = clip_of(ModelledCoder(clip_model, 0), bitrate, 20)
        file = codec.VideoReader(data, coder=ModelledCoder(clip_model, 0)).file
        assert {f.payload.quality for k in range(2) for f in file.gop(k).frames} == {end}


def test_neighbouring_frames_are_of_similar_quality(clip_model):
    _, data = clip_of(ModelledCoder(clip_model, 1), 800_000)
    file = codec.VideoReader(data, coder=ModelledCoder(clip_model, 1)).file
    for k in range(2):
        qualities = [f.payload.quality for f in file.gop(k).frames]
        assert max(abs(a - b) for a, b in itertools.pairwise(qualities)) <= 3


def test_a_group_gets_what_the_groups_before_have_left():
    budgets = GroupBudgets(1000.0)
    assert budgets.of(2.0) == 2000
    budgets.add(2.0, 1500)
    assert budgets.of(1.0) == 1500
    budgets.add(1.0, 99_999)
    assert budgets.of(1.0) == 250  # never starved


def test_the_quality_of_a_budget_takes_the_budget():
    model = RateModel()
    model.learn(FrameKind.INTRA, 50, 9000.0)
    model.learn(FrameKind.INTER, 50, 2000.0)
    for budget in (5_000.0, 40_000.0):
        quality = model.quality(budget, 1, 9)
        low, high = (
            model.bits(FrameKind.INTRA, q) + 9 * model.bits(FrameKind.INTER, q)
            for q in (quality - 1, quality + 1)
        )
        assert low < budget < high


@pytest.mark.parametrize("bitrate", [0, -1, math.inf])
def test_impossible_rates_are_refused(clip_model, bitrate):
    with pytest.raises(UsageError, match="bits per second"):
        clip_of(ModelledCoder(clip_model, 0), bitrate)
