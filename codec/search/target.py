"""The source samples of a tile, and the Lagrangian cost of a coded tile: bits + lambda * squared error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nacre.codec import strips
from nacre.codec.areas import Span, positions, spans
from nacre.codec.run import Run
from nacre.codec.tiles import DecodedTile, EncodedTile, finite
from nacre.entropy.walk import Planes
from nacre.models.family import Network, Reach

WINDOW_PIXELS = 768  # side of a window, without the halo
ANNEALING_HALO = 128  # pixels around an annealed window


@dataclass(frozen=True)
class Target:
    """The source samples of a tile, and the price of their errors."""

    run: Run
    x: Tensor  # (1, C, H, W) in 0..255; H and W at most the size of the latent in pixels
    t: Tensor  # (1,)
    price: float  # bits per squared level of one sample
    fineness: int = 1  # steps of the source samples in one level
    weight: Tensor | None = None  # (1, 1, H, W), of the error of each pixel
    # Maps x_hat (1, 3, h, w), top and left in pixels to the shown picture, with a gradient; None: identity.
    show: Callable[[Tensor, int, int], Tensor] | None = None

    @property
    def reach(self) -> Reach:
        return self.run.network.reach

    def error(self, x_hat: Tensor, top: int, left: int, is_shown: bool = False) -> Tensor:
        """Price in bits of the errors of x_hat (1, 3, h, w), unclamped, whose first pixel is (top, left).

        `is_shown` rounds x_hat to steps of the source samples first.
        """
        return self.error_map(x_hat, top, left, is_shown).sum()

    def error_map(self, x_hat: Tensor, top: int, left: int, is_shown: bool = False) -> Tensor:
        """(h, w) price in bits of the errors at each pixel, as for `error`; cropped to the picture."""
        bottom, right = top + x_hat.shape[2], left + x_hat.shape[3]
        x = self.x[..., top:bottom, left:right]
        x_hat = x_hat[..., : x.shape[2], : x.shape[3]]
        if self.show is not None:
            x_hat = self.show(x_hat, top, left)
        if x.shape[1] == 1:
            x_hat = x_hat.mean(1, keepdim=True)
        levels = x_hat.clamp(0, 1) * 255
        if is_shown:
            levels = (levels * self.fineness).round() / self.fineness
        squares = (levels - x).square().sum(1)
        if self.weight is not None:
            squares = squares * self.weight[:, 0, top:bottom, left:right]
        return squares[0] * self.price

    def cost(self, tile: EncodedTile) -> float:
        """The Lagrangian cost in bits of a tile that is decoded by itself."""
        return float(tile.bits + self.errors(tile.decoded).sum())

    def errors(self, decoded: DecodedTile) -> Tensor:
        """(H, W) price in bits of the errors at each pixel of a tile that is decoded by itself.

        Raises NotNumbers.
        """
        out = torch.zeros(self.x.shape[2:], dtype=torch.float32, device=self.x.device)
        stride, halo = self.reach.stride, self.reach.halo
        size = strips.size_of(decoded.shown)
        for row, column in windows(size, window_side(self.reach), halo):
            x_hat = self.synthesis(around(decoded.shown, row, column))
            x_hat = finite(x_hat[:, :, row.core_pixels(stride), column.core_pixels(stride)])
            top, left = row.start * stride, column.start * stride
            found = self.error_map(x_hat, top, left, is_shown=True)
            out[top : top + found.shape[0], left : left + found.shape[1]] = found
        return out

    def gradient(self, shown: Planes, moved: frozenset[str]) -> Planes:
        """Gradient of the price of the errors for the planes `moved`, in bits a quantisation step."""
        out = {name: torch.empty_like(shown[name]) for name in sorted(moved)}
        stride, halo = self.reach.stride, self.reach.halo
        for row, column in windows(strips.size_of(shown), window_side(self.reach), 2 * halo):
            with torch.enable_grad():
                held = around(shown, row, column)
                leaves = {name: held[name].detach().clone().requires_grad_() for name in out}
                x_hat = self.synthesis({**held, **leaves})
                top, bottom = _seen(row, halo, stride)
                left, right = _seen(column, halo, stride)
                x_hat = x_hat[:, :, top:bottom, left:right]
                error = self.error(x_hat, row.low * stride + top, column.low * stride + left)
                found = torch.autograd.grad(error, list(leaves.values()))
            for name, gradient in zip(leaves, found, strict=True):
                own = gradient[..., row.core, column.core]
                out[name][..., row.start : row.end, column.start : column.end] = own
        return out

    def synthesis(self, shown: Planes) -> Tensor:
        with self.run.computing():
            return self.run.network.synthesise(shown, self.t)


def window_side(reach: Reach) -> int:
    """Side of a window in positions, without the halo."""
    return max(1, WINDOW_PIXELS // reach.stride)


def annealing_halo(network: Network) -> int:
    """Positions of the halo of an annealed window: a multiple of one position of the coarsest plane."""
    stride = network.reach.stride
    step = max(1, network.coarsest_stride // stride)
    return positions(max(1, ANNEALING_HALO // stride), step) * step


def searched_positions(height: int, width: int, network: Network) -> int:
    """Positions of the largest window of a search, halo included, in a latent of height x width positions."""
    reach = network.reach
    side = window_side(reach) + 2 * max(2 * reach.halo, annealing_halo(network))
    return min(height, side) * min(width, side)


def windows(size: tuple[int, int], core: int, halo: int) -> Iterator[tuple[Span, Span]]:
    """Rows and columns of the windows that cover a latent of `size` positions."""
    for row in spans(size[0], core, halo):
        for column in spans(size[1], core, halo):
            yield row, column


def around(planes: Planes, row: Span, column: Span) -> Planes:
    """A window, halo included, of planes of one size."""
    return strips.window(planes, slice(row.low, row.high), slice(column.low, column.high))


def _seen(span: Span, halo: int, stride: int) -> tuple[int, int]:
    """First and last pixel, counted from the span's `low`, that a change within its core can reach."""
    first, last = max(span.low, span.start - halo), min(span.high, span.end + halo)
    return (first - span.low) * stride, (last - span.low) * stride
