"""Replays the gradients of a training step as one CUDA graph.

A step launches thousands of kernels. Launched one by one, they keep a fast GPU waiting for the CPU; a graph
launches them at once.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

WARM_UP_STEPS = 3  # before the capture: libraries choose their kernels and allocate memory

Gradients = Callable[[Tensor, Tensor], Tensor]  # (x, t) to figures of the step; sets `grad`


class GraphedGradients:
    """Calls `gradients` by replay. The shapes of x and t, and the tensors in `grad`, stay those of the capture.

    `gradients` must not read a value of a tensor on the CPU, and must draw its noise from the default generator
    of the GPU, whose seed at the time of the call is used.
    """

    def __init__(
        self, gradients: Gradients, x: Tensor, t: Tensor, learned: list[nn.Parameter]
    ) -> None:
        self._x, self._t = x.clone(), t.clone()
        stream = torch.cuda.Stream(x.device)
        stream.wait_stream(torch.cuda.current_stream(x.device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_STEPS):
                gradients(self._x, self._t)
        torch.cuda.current_stream(x.device).wait_stream(stream)
        for parameter in learned:
            parameter.grad = None  # the capture allocates them anew, in the memory of the graph
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._figures = gradients(self._x, self._t)

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        self._x.copy_(x)
        self._t.copy_(t)
        self._graph.replay()
        return self._figures.clone()
