"""Rotary positions turn pairs like complex numbers, and make products depend on distances alone."""

from __future__ import annotations

import cmath

import pytest
import torch

from nacre.models.parts.rotary import RotaryPositions


def positions(channels: int = 8) -> RotaryPositions:
    rotary = RotaryPositions(channels).double()
    rotary.requires_grad_(False).log_base.copy_(torch.tensor([2.0, 3.0]))
    return rotary


def test_a_pair_is_a_complex_number_that_turns():
    v = torch.randn(8, 3, 5, dtype=torch.double)
    turned = positions()(v)
    for row in range(3):
        for column in range(5):
            # two pairs follow the row, two the column; the second of two is slower by a half power
            angles = (row, row * cmath.exp(-1), column, column * cmath.exp(-1.5))
            for pair, angle in enumerate(angles):
                want = complex(v[pair, row, column], v[pair + 4, row, column])
                want *= cmath.exp(1j * angle)
                found = complex(turned[pair, row, column], turned[pair + 4, row, column])
                assert abs(found - want) < 1e-6


def test_products_depend_on_the_distance_alone():
    query, key = torch.randn(2, 8, 1, 1, dtype=torch.double)
    rotary = positions()
    queries, keys = (rotary(v.expand(8, 6, 7)) for v in (query, key))

    def product(at: tuple[int, int], to: tuple[int, int]) -> float:
        return float(queries[:, at[0], at[1]] @ keys[:, to[0], to[1]])

    assert product((0, 1), (2, 3)) == pytest.approx(product((3, 4), (5, 6)))
    assert product((0, 1), (2, 3)) != pytest.approx(product((0, 1), (3, 2)), abs=1e-3)


def test_channels_turn_by_fours():
    with pytest.raises(ValueError, match="by fours"):
        RotaryPositions(6)
