"""Qualities and pictures count alike in what is minimised."""

from __future__ import annotations

import torch

from nacre.tools.train.loss import relative_loss


def test_a_per_cent_counts_alike_in_busy_and_smooth_crops():
    cost = torch.tensor([20.0, 2.0, 0.01], requires_grad=True)
    relative_loss(cost).sum().backward()
    busy, smooth, empty = (cost.grad * cost).tolist()  # what a per cent of each is worth
    assert 0.9 * busy < smooth < busy
    assert empty < 0.1 * smooth
