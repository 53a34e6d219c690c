"""Coding LATENT: entropy tiles of a still latent, with or without cells of other modes over its pixels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from nacre.codec import cells, checksums, memory, strips, tiles
from nacre.codec.areas import positions
from nacre.codec.bodies.stored import stored_rows
from nacre.codec.container import Head, Stream
from nacre.codec.limits import check_limits
from nacre.codec.region import Region
from nacre.codec.run import Run
from nacre.codec.strips import Pixels
from nacre.entropy.errors import CorruptStream, UsageError
from nacre.entropy.schedule import Schedule, layer_count
from nacre.entropy.walk import Planes


class LatentBody:
    """Decodes the tiles that a region and its halo need."""

    def __init__(self, head: Head, region: Region, options: Mapping[str, Any]) -> None:
        self._head, self._region = head, region
        self._run = Run.to_decode(head.model, options)
        self._reach = reach = self._run.network.reach
        check_limits(head, reach, self._run.limits)
        if head.tile % reach.stride:
            raise CorruptStream(
                f"tiles of {head.tile} pixels do not fit a stride of {reach.stride}"
            )
        self._window = region.area(head, reach.stride, reach.halo, reach.align)
        self.tiles = region.tiles(head, reach.stride, reach.halo, reach.align)

    @property
    def schedule(self) -> Schedule:
        return self._run.network.schedule

    def require_all_layers(self, stream: Stream) -> None:
        layers = layer_count(self._run.network.schedule)
        for tile, parts in _parts(stream).items():
            if parts[-1].last != layers - 1:
                raise CorruptStream(f"tile {tile} has {parts[-1].last + 1} layers, not {layers}")

    def rows(self, stream: Stream, expected: int | None) -> Iterator[Pixels]:
        region, window, head, stride = self._region, self._window, self._head, self._reach.stride
        left = region.x - window.left * stride
        at = window.top * stride - region.y  # of the block's first row, in the region
        blocks = strips.synthesise(
            self._run,
            self._bands(stream, expected),
            (window.height, window.width),
            self._run.level(head.quality),
            head.colours,
            head.bit_depth,
        )
        overlay = cells.Overlay(stream)
        for pixels in blocks:
            first, last = max(0, -at), min(len(pixels), region.height - at)
            if first < last:
                own = pixels[first:last, left : left + region.width]
                overlay.put(own, region.y + at + first, region.x)
                yield own
            at += len(pixels)

    def parse(self, stream: Stream, expected: int | None) -> None:
        for _ in self._bands(stream, expected):
            pass
        for _ in stored_rows(stream, self._region):
            pass

    def planes(
        self, stream: Stream, expected: int | None, names: Sequence[str], only_symbols: bool
    ) -> Planes:
        """Planes (1, C, h, w) of the whole picture, each at its own stride: mean plus symbol, or symbols.

        Raises UsageError for planes that the model does not have, or whose stride does not divide a tile.
        """
        head, every = self._head, self._run.network.planes
        for name in names:
            if name not in every:
                raise UsageError(f"no plane {name!r}; the model has {', '.join(every)}")
            if head.tile % every[name].stride:
                raise UsageError(f"plane {name!r}: tiles of {head.tile} pixels cut its positions")
        whole = {
            name: torch.empty(
                1, every[name].channels,
                positions(head.height, every[name].stride), positions(head.width, every[name].stride),
                device=self._run.device,
            )
            for name in names
        }  # fmt: skip
        parts, found = _parts(stream), dict[int, int]()
        for tile, area in self.tiles.items():
            decoded = tiles.decode_planes(
                self._run, parts[tile], area.height, area.width, head.quality, only_symbols
            )
            found[tile] = decoded.checksum
            for name in names:
                part, stride = decoded.planes[name], every[name].stride
                top, left = (
                    first * self._reach.stride // stride for first in (area.top, area.left)
                )
                whole[name][..., top : top + part.shape[2], left : left + part.shape[3]] = part
        checksums.compare(stream, found, expected)
        return whole

    def _bands(self, stream: Stream, expected: int | None) -> Iterator[Planes]:
        """Rows of decoded tiles, downwards, cropped to the window."""
        parts = _parts(stream)
        found: dict[int, int] = {}
        for _, row in itertools.groupby(self.tiles.items(), key=lambda item: item[1].top):
            band: strips.Band | None = None
            for tile, area in row:
                decoded = tiles.decode_tile(
                    self._run, parts[tile], area.height, area.width, self._head.quality
                )
                found[tile] = decoded.checksum
                rows, columns = area.inside(self._window)
                if band is None:
                    band = strips.Band.empty(rows.stop - rows.start, self._window.width)
                at = area.left + columns.start - self._window.left
                band.put(at, strips.window(decoded.shown, rows, columns))
                del decoded
            if len(found) == len(self.tiles):
                checksums.compare(stream, found, expected)
            assert band is not None
            if band.height < self._window.height:
                memory.give_back_freed()
            yield band.planes
            del band  # before the next one is made


def _parts(stream: Stream) -> dict[int, list[tiles.TilePart]]:
    """The coded layers of each tile, in order."""
    parts: dict[int, list[tiles.TilePart]] = {}
    for latent in stream.latents:
        part = tiles.TilePart(latent.first, latent.last, latent.data)
        parts.setdefault(latent.tile, []).append(part)
    return parts


BODY = LatentBody
