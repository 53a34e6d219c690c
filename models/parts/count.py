"""Counts the multiply-accumulates of a network by running its operations on shapes alone."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from nacre.entropy.walk import drive, walk
from nacre.models.parts.unfilled import unfilled

if TYPE_CHECKING:
    from nacre.models.family import Network

SIDE = 256  # pixels; a multiple of every stride


def multiplications(network: Network) -> dict[str, float]:
    """Multiply-accumulates for one pixel, in thousands: of "encode", of "decode", and of a "forward" pass.

    Counts convolutions, matrix products and attention for a picture of SIDE x SIDE pixels. A turn counts all
    positions at which its network runs.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with unfilled():
        shapes = _without_numbers(network)
        x, t = torch.empty(1, 3, SIDE, SIDE), torch.empty(1)
        counted = []
        with torch.no_grad():
            with FlopCounterMode(display=False) as counter:
                planes = shapes.complete(shapes.analyse(shapes.prepare(x), t), t)
            counted.append(counter.get_total_flops())
            prior = shapes.prior({name: plane.shape for name, plane in planes.items()}, t)
            with FlopCounterMode(display=False) as counter:
                known = drive(walk(prior, x.device), lambda step: torch.zeros_like(step.mean))
            counted.append(counter.get_total_flops())
            with FlopCounterMode(display=False) as counter:
                shapes.synthesise(prior.shown(known), t)
            counted.append(counter.get_total_flops())
    analysis, context, synthesis = (flops / 2 / SIDE**2 / 1000 for flops in counted)
    return {
        "encode": analysis + context,
        "decode": context + synthesis,
        "forward": analysis + context + synthesis,
    }


def _without_numbers(network: Network) -> Network:
    """A copy whose parameters and buffers have shapes but no values."""
    memo: dict[int, Any] = {}
    for part in network.networks():
        for p in part.parameters():
            memo[id(p)] = nn.Parameter(torch.empty_like(p, device="meta"), False)
        memo |= {id(b): torch.empty_like(b, device="meta") for b in part.buffers()}
    return copy.deepcopy(network, memo)
