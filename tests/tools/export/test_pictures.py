"""The pictures of an export come from all over a store, cut to what the networks take."""

from __future__ import annotations

import numpy as np

from nacre.datasets.memory import store_of
from nacre.tools.export.pictures import spread


def test_pictures_come_from_all_over_and_in_whole_units():
    shapes = [(64, 64), (130, 70), (500, 400), (64, 127), (192, 64), (64, 64)]
    store = store_of([np.full((*s, 3), 40 * i, np.uint8) for i, s in enumerate(shapes)])
    found = spread(store, 3, 64)
    assert [tuple(x.shape) for x in found] == [(1, 3, 64, 64), (1, 3, 384, 384), (1, 3, 192, 64)]
    assert [round(float(x.mean()) * 255) for x in found] == [0, 80, 160]
    assert len(spread(store, 100, 64)) == 6
