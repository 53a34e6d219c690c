"""How far a chain of layers looks: the halo of a transform, from its kernels and windows.

A layer is described by a function `needs(low, high)`: the span of inputs on which the outputs low..high - 1
depend, also as (low, high) with high excluded. Position 0 is a place where windows of all layers start.

>>> halo([kernel(3), kernel(3)], align=1)
2
>>> halo([windows(8)], align=8)  # the first position of a window needs the last one
7
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Needs = Callable[[int, int], tuple[int, int]]


def kernel(size: int, stride: int = 1) -> Needs:
    """A convolution with an odd kernel and half of it as padding."""
    return lambda low, high: (low * stride - size // 2, (high - 1) * stride + size // 2 + 1)


def transposed(size: int, factor: int) -> Needs:
    """A transposed convolution with the kernel and stride of `kernel(size, factor)`."""
    return lambda low, high: (
        -((size - 1 - size // 2 - low) // factor),
        (high - 1 + size // 2) // factor + 1,
    )


def shuffled(factor: int) -> Needs:
    """Channels become blocks of `factor` positions a side."""
    return lambda low, high: (low // factor, -(-high // factor))


def windows(side: int, shift: int = 0) -> Needs:
    """Attention within windows that start at `shift` plus multiples of `side`."""
    return lambda low, high: (
        (low - shift) // side * side + shift,
        -((shift - high) // side) * side + shift,
    )


def halo(layers: Sequence[Needs], align: int, stride_in: int = 1, stride_out: int = 1) -> int:
    """Positions that a chain of layers, first to last, looks beyond a position, on either side.

    Positions count in the larger of the two strides. `align` is the period of the windows, in positions.
    """
    stride = max(stride_in, stride_out)
    farthest = 0
    for position in range(align):
        low, high = (p * stride // stride_out for p in (position, position + 1))
        for needs in reversed(layers):
            low, high = needs(low, high)
        first, end = low * stride_in // stride, -(-high * stride_in // stride)
        farthest = max(farthest, position - first, end - position - 1)
    return farthest
