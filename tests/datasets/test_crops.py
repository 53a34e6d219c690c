"""Crops are pieces of the pictures, and their order depends on the seed alone."""

from __future__ import annotations

import numpy as np
import torch

from nacre.datasets.crops import Crops
from nacre.datasets.memory import store_of

NONE = store_of([])
RNG = np.random.default_rng(0)
PICTURES = [RNG.integers(0, 256, shape, np.uint8) for shape in ((70, 90, 3), (64, 200, 3))]


def crops(**options) -> Crops:
    return Crops(store_of(PICTURES), NONE, **options)


def test_a_crop_is_a_piece_of_a_picture_flipped_or_turned():
    some = crops()
    draw = some.draw(20, 64)
    x = (some.cut(draw, 64) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    for i, piece in enumerate(x):
        up, left, turned = draw.flips[i].tolist()
        piece = piece.transpose(1, 0, 2) if turned else piece
        piece = piece[:: -1 if up else 1, :: -1 if left else 1]
        picture = PICTURES[int(draw.picture[i])]
        windows = np.lib.stride_tricks.sliding_window_view(picture, (64, 64, 3))[:, :, 0]
        assert (windows == piece).all((2, 3, 4)).any()


def test_equal_seeds_draw_the_same():
    a, b, c = crops(seed=1), crops(seed=1), crops(seed=2)
    first = a.cut(a.draw(8, 64), 64)
    assert torch.equal(first, b.cut(b.draw(8, 64), 64))
    assert not torch.equal(first, c.cut(c.draw(8, 64), 64))


def test_a_slice_of_a_draw_is_a_slice_of_the_batch():
    some = crops()
    draw = some.draw(8, 64)
    whole = some.cut(draw, 64)
    halves = [some.cut(draw.part(slice(k, k + 4)), 64) for k in (0, 4)]
    assert torch.equal(torch.cat(halves), whole)


def test_shrunk_crops_have_the_size_asked_for():
    big = Crops(store_of([np.zeros((300, 300, 3), np.uint8)]), NONE, shrink_share=1.0)
    draw = big.draw(3, 64)
    assert draw.side > 64
    assert big.cut(draw, 64).shape == (3, 3, 64, 64)


def test_the_synthetic_share_is_kept():
    black, white = (np.full((64, side, 3), v, np.uint8) for side, v in ((640, 0), (64, 255)))
    some = Crops(store_of([black]), store_of([white]), synthetic_share=0.25)
    assert abs(some.cut(some.draw(2000, 64), 64).mean() - 0.25) < 0.04
