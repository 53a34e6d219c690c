"""Training steps that keep a fast GPU busy: gradients replayed as one CUDA graph, and compiled blocks.

A step launches thousands of kernels. Launched one by one, they keep the GPU waiting for the CPU; a graph
launches them at once. The compiler joins the elementwise kernels of a block, which are bound by memory.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nacre.models.parts.blocks import Block

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


def compile_blocks(model: nn.Module) -> None:
    """Compile the blocks of the transforms in place; blocks of equal shape share the compiled code."""
    for module in model.modules():
        if isinstance(module, Block):
            module.compile(dynamic=False)
