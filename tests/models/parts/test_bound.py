"""The lower bound: its values, and where its gradient passes."""

from __future__ import annotations

import torch

from nacre.models.parts.bound import at_least


def test_values_below_the_bound_learn_to_rise_and_nothing_else():
    x = torch.tensor([-1.0, -1.0, 2.0, 2.0], requires_grad=True)
    bounded = at_least(x, 0.5)
    assert bounded.tolist() == [0.5, 0.5, 2.0, 2.0]
    bounded.backward(torch.tensor([-3.0, 3.0, -3.0, 3.0]))
    assert x.grad.tolist() == [-3.0, 0.0, -3.0, 3.0]
