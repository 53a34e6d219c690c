"""Pictures to nacre files: `codec.encode`, and `Encoder` for a picture that is coded more than once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from typing_extensions import Unpack

from nacre.codec import alpha, checksums, fill, memory, strips, threads, tiles
from nacre.codec.areas import Area, positions
from nacre.codec.areas import tiles as tiles_of
from nacre.codec.bodies import stored
from nacre.codec.container import (
    MAX_QUALITY,
    Alpha,
    Cells,
    Coding,
    End,
    Head,
    Latent,
    Limits,
    Meta,
    Stream,
)
from nacre.codec.decoder import Opened
from nacre.codec.limits import check_limits
from nacre.codec.lossless import MOST_CARE
from nacre.codec.pictures.colour import Picture, PictureLike, to_picture
from nacre.codec.run import Run, RunOptions, memory_errors_named
from nacre.codec.search import modes
from nacre.codec.search.progress import Budget, Progress
from nacre.codec.search.refine import EFFORTS, refine_tile
from nacre.codec.search.target import Target, searched_positions
from nacre.entropy.errors import UsageError
from nacre.entropy.walk import Planes

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_QUALITY = 60
DEFAULT_EFFORT = 1
HIGHEST_EFFORT = max(EFFORTS)
CAREFUL_EFFORT = 2  # from here lossless cells get more care, from twice as much the most
LOSSLESS = "lossless"  # as a quality
LOSSLESS_TILE_LOG2 = 12
LIGHT_TILE_BYTES = 50.0  # a pixel: networks that take more code one tile at a time


def encode(
    image: PictureLike,
    *,
    quality: int | str = DEFAULT_QUALITY,
    effort: int | None = None,
    time_budget: float | None = None,
    roi: NDArray[Any] | None = None,
    goes_on: Callable[[float], bool] | None = None,
    strip: bool = False,
    exact: bool = False,
    lossless: bool = False,
    **options: Unpack[RunOptions],
) -> bytes:
    """Code a picture: a `Picture`, a PIL image, an array (H, W) or (H, W, 1 to 4) of uint8 or uint16, or a
    tensor (1 to 4, H, W).

    Two channels are grey and transparency, four are colour and transparency, which is kept without loss.

    `quality` is 1..100, 100 the best that the model can do. `effort` is 0..9: how long to search for
    symbols of a lower Lagrangian cost (a model that is trained for other than squared errors is not searched);
    `time_budget` ends the search after so many seconds, and takes the highest effort unless one is given.
    `roi` (H, W) says how much errors weigh at each pixel, 1 as usual.
    `goes_on` gets the progress of the search in 0..1, and ends the search by returning False; the file
    is the best one found until then.
    `strip` drops ICC, EXIF and XMP, which are kept otherwise. `lossless` (or `quality="lossless"`) keeps every
    sample as it is. Colours under full transparency are not kept, unless `exact` says so or the file is
    lossless.
    Float tensors are in [0, 1]. An array may be a memory map: rows are read as they are coded.

    Options, which every function of the codec takes: `model` is an installed model's name or the path of a
    weights file; `device` is torch's; `precision` is "float32" or "bfloat16", of the networks, without effect
    on the parse of a file; `limits` bound pixels and memory.

    Raises UsageError, ImageError, WeightsError or LimitError.
    """
    if quality == LOSSLESS:
        quality, lossless = MAX_QUALITY, True
    if lossless:
        check(quality, effort or 0)
        limits = options.get("limits", Limits())
        return encode_lossless(image, effort=effort or 0, strip=strip, limits=limits)
    budget = Budget(time_budget, goes_on)
    if effort is None:
        effort = DEFAULT_EFFORT if time_budget is None else HIGHEST_EFFORT
    encoder = Encoder(image, roi=roi, strip=strip, exact=exact, **options)
    return encoder.encode(check(quality, effort), effort, Progress(budget))


class Encoder:
    """A picture that can be coded at any quality. Takes the arguments of `encode`."""

    def __init__(
        self,
        image: PictureLike,
        *,
        roi: NDArray[Any] | None = None,
        strip: bool = False,
        exact: bool = False,
        **options: Unpack[RunOptions],
    ) -> None:
        self._picture = picture = _visible(to_picture(image), exact)
        self._run, self._options = Run.to_encode(options), options
        self._stride = self._run.network.reach.stride
        self.height, self.width = picture.pixels.shape[:2]
        self._metadata = _metadata(picture, strip)
        self._plane = None if picture.alpha is None else Alpha(alpha.to_bytes(picture.alpha))
        self.is_adaptive = True  # whether cells may have other modes than LATENT
        self._surveys: dict[int, modes.Survey] = {}
        self._check_limits(0)
        self._has_roi = roi is not None
        self._roi = None if roi is None else _checked(roi, (self.height, self.width))
        if picture.alpha is not None and not exact:
            seen = (picture.alpha > 0).astype(np.float32)
            self._roi = seen if self._roi is None else seen * self._roi
        self._analysis = strips.BlockAnalysis(self._run, picture.pixels)

    @property
    def is_one_rate(self) -> bool:
        """Whether all qualities give the same file."""
        return self._run.network.is_one_rate

    @property
    def pixels(self) -> strips.Pixels:
        """(H, W, 1 or 3) without transparency."""
        return self._picture.pixels

    @property
    def fixed_bytes(self) -> int:
        """Bytes of a file that do not depend on quality: metadata and transparency."""
        plane = 0 if self._plane is None else len(self._plane.to_bytes())
        return plane + sum(len(block.data) for block in self._metadata)

    def useful_effort(self, effort: int) -> int:
        """`effort`, or 0 for a model that no search serves."""
        return effort if self._run.model.is_searched else 0

    def decode(self, data: bytes) -> strips.Pixels:
        """(H, W, 1 or 3) the samples in a file of this picture."""
        return Opened(data, **self._options).picture().pixels

    def encode(
        self, quality: int, effort: int = 0, progress: Progress | None = None, trade: float = 1.0
    ) -> bytes:
        """The file. `trade` scales the weight of errors against bits; 1 is the weight of the training."""
        check(quality, effort)
        effort = self.useful_effort(effort)
        self._check_limits(effort)
        if self._has_roi and not effort:
            needs = "an effort of 1 or more"
            if not self._run.model.is_searched:
                needs = f"a model that is trained for squared errors: {self._run.model.name} is not"
            raise UsageError(f"a region of interest needs {needs}")
        head, whole = self._head(quality), progress or Progress(Budget())
        coded: list[CodedTile] = []
        with torch.inference_mode(False), torch.no_grad(), memory_errors_named():
            t = self._run.level(quality)
            areas = list(tiles_of(self.width, self.height, head.tile, self._stride))
            side = head.tile // self._stride
            for band in self._analysis.bands(t, side):
                tasks: list[tuple[_Task, Planes]] = []
                for left in range(0, strips.size_of(band)[1], side):
                    number = len(coded) + len(tasks)
                    own = whole.section(number / len(areas), (number + 1) / len(areas))
                    is_alone = len(areas) == 1
                    task = _Task(number, areas[number], t, quality, effort, own, trade, is_alone)
                    columns = slice(left, left + side)
                    tasks.append((task, strips.window(band, slice(None), columns)))
                coded.extend(self._row(tasks))
                del band, tasks
        return self._file(head, coded)

    def _row(self, tasks: list[tuple[_Task, Planes]]) -> Iterator[CodedTile]:
        """Code a row of tiles, side by side if the effort is 0 and a tile takes little memory."""
        if self._is_light and tasks[0][0].effort == 0:
            yield from threads.side_by_side(self._coded, tasks)
            memory.give_back_freed()
            return
        for task, analysed in tasks:
            yield self._coded(task, analysed)
            if not task.is_alone:
                memory.give_back_freed()

    @property
    def _is_light(self) -> bool:
        is_small = self._run.network.reach.tile_bytes <= LIGHT_TILE_BYTES
        return is_small and self._run.device.type == "cpu"

    def _file(self, head: Head, coded: list[CodedTile]) -> bytes:
        """The file of all tiles; without a latent where no tile has one."""
        if all(found.tile is None for found in coded):
            head = replace(head, coding=Coding.CELLS, model=b"")
        return _assembled(head, self._metadata, self._plane, coded)

    def _coded(self, task: _Task, analysed: Planes) -> CodedTile:
        """Code a tile, each cell in its cheapest mode; `analysed` has the planes (1, C, h, w) from pixels."""
        is_search = task.effort > 0 and not task.progress.budget.is_over
        if not is_search and not self.is_adaptive:
            try:
                whole = tiles.complete(self._run, analysed, task.t)
                return CodedTile(tiles.encode_tile(self._run, whole, task.quality), None)
            except tiles.NotNumbers:
                pass  # coded without a latent below
        target = self._target(task.area, task.t, task.trade)
        chooser = modes.Chooser(
            target,
            self._survey(task),
            task.number,
            task.quality,
            lambda pixels: self._analysis.with_pixels(task.t, task.area, pixels),
            task.is_alone,
            min(task.effort // CAREFUL_EFFORT, MOST_CARE),
        )
        suspects = chooser.suspects() if self.is_adaptive else chooser.nothing()
        way: modes.Way | None = None
        planes: Planes | None = None
        try:
            planes = tiles.complete(self._run, analysed, task.t)
            if not suspects.any():
                tile = tiles.encode_tile(self._run, planes, task.quality)
                if not is_search:
                    return CodedTile(tile, None)
                way = chooser.plain(planes, tile)
                suspects = chooser.badly_shown(way)
        except tiles.NotNumbers:
            planes, suspects = None, ~chooser.nothing()
        if way is None or (suspects.any() and self.is_adaptive):
            way = chooser.best(planes, suspects)
        if way.tile is None or way.planes is None or not is_search:
            return CodedTile(way.tile, way.cells)
        effort, cost = EFFORTS[task.effort], way.cost_of_latent
        tile = refine_tile(
            way.target, way.planes, task.quality, effort, task.progress, way.tile, cost
        )
        return CodedTile(tile, way.cells)

    def _survey(self, task: _Task) -> modes.Survey:
        """The survey of a tile; kept for pictures of one tile, which may be coded more than once."""
        if task.number in self._surveys:
            return self._surveys[task.number]
        survey = modes.Survey(self._pixels_of(task.area))
        if task.is_alone:
            self._surveys[task.number] = survey
        return survey

    def _pixels_of(self, area: Area) -> strips.Pixels:
        return self.pixels[area.pixels(self._stride)]

    def _check_limits(self, effort: int) -> None:
        network = self._run.network
        height, width = (positions(side, self._stride) for side in (self.height, self.width))
        searched = searched_positions(height, width, network) if effort else 0
        count = threads.MOST_SIDE_BY_SIDE if self._is_light and not effort else 1
        check_limits(self._head(1), network.reach, self._run.limits, searched, count)

    def _head(self, quality: int) -> Head:
        return _head(self._picture, quality, self._run.model.id)

    def _target(self, area: Area, t: Tensor, trade: float) -> Target:
        """The source samples of a tile, with the price and the weights of their errors."""
        pixels = self._pixels_of(area)
        weight = None
        if self._roi is not None:
            weight = torch.from_numpy(self._roi[area.pixels(self._stride)].copy())
            weight = weight.to(self._run.device)[None, None]
        return Target(
            self._run,
            255 * strips.samples(pixels, self._run.device),
            t,
            float(self._run.network.lmbda(t)) * trade / pixels.shape[2],
            strips.PEAKS[8 * pixels.itemsize] // 255,
            weight,
        )


@dataclass(frozen=True)
class _Task:
    """A tile to code, and how."""

    number: int
    area: Area
    t: Tensor  # (1,) the quality as the networks know it
    quality: int
    effort: int
    progress: Progress
    trade: float
    is_alone: bool


@dataclass(frozen=True)
class CodedTile:
    """A coded tile, with a latent, with cells, or with both."""

    tile: tiles.EncodedTile | None
    cells: Cells | None

    @property
    def checksum(self) -> int:
        of_symbols = self.tile.decoded.checksum if self.tile else 0
        return checksums.tile_checksum(of_symbols, self.cells)


def encode_lossless(
    image: PictureLike,
    *,
    effort: int = 0,
    strip: bool = False,
    limits: Limits = Limits(),
) -> bytes:
    """Code a picture without loss, samples under full transparency included; no network is used.

    The arguments are those of `encode`; an effort of 4 or more saves one to three per cent and takes many
    times as long.
    """
    picture = to_picture(image)
    head = replace(_head(picture, MAX_QUALITY, b"", Coding.CELLS), tile_log2=LOSSLESS_TILE_LOG2)
    check_limits(head, None, limits)
    plane = None if picture.alpha is None else Alpha(alpha.to_bytes(picture.alpha))
    care = MOST_CARE if effort >= CAREFUL_EFFORT * MOST_CARE else 1
    with memory_errors_named():
        coded = [CodedTile(None, found) for found in stored.write(picture.pixels, head.tile, care)]
    return _assembled(head, _metadata(picture, strip), plane, coded)


def _assembled(
    head: Head, metadata: tuple[Meta, ...], plane: Alpha | None, coded: list[CodedTile]
) -> bytes:
    latents = tuple(
        Latent(number, part.first, part.last, part.data)
        for number, found in enumerate(coded)
        for part in (found.tile.parts if found.tile and head.coding == Coding.LATENT else ())
    )
    own = tuple(found.cells for found in coded if found.cells is not None)
    end = End(checksums.file_checksum(head, plane, [found.checksum for found in coded]))
    return Stream(head, metadata, latents, end, plane, own).to_bytes()


def _head(picture: Picture, quality: int, model: bytes, coding: Coding = Coding.LATENT) -> Head:
    height, width = picture.pixels.shape[:2]
    return Head(
        width, height, quality, model, picture.channels, 8 * picture.pixels.itemsize,
        orientation=picture.orientation, coding=coding,
    )  # fmt: skip


def _metadata(picture: Picture, strip: bool) -> tuple[Meta, ...]:
    return () if strip else tuple(Meta(kind, block) for kind, block in picture.metadata.items())


def _visible(picture: Picture, exact: bool) -> Picture:
    """The picture with smooth colours under full transparency, which cost little and disturb nothing."""
    if exact or picture.alpha is None:
        return picture
    return replace(picture, pixels=fill.fill(picture.pixels, picture.alpha == 0))


def check(quality: int | str, effort: int) -> int:
    """The quality; raises UsageError for a quality or an effort that is not on its scale."""
    for name, value, low, high in (
        ("quality", quality, 1, MAX_QUALITY), ("effort", effort, 0, HIGHEST_EFFORT),
    ):  # fmt: skip
        is_whole = isinstance(value, Integral) and not isinstance(value, bool)
        if not is_whole or not low <= int(value) <= high:
            or_lossless = f' or "{LOSSLESS}"' if name == "quality" else ""
            raise UsageError(
                f"{name} {value!r}: a whole number from {low} to {high}{or_lossless} wanted"
            )
    return int(quality)


def _checked(roi: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    weights = np.asarray(roi)
    if weights.dtype != bool and not np.issubdtype(weights.dtype, np.floating):
        raise UsageError(f"roi of type {weights.dtype}: weights as floats wanted, 1 as usual")
    if weights.shape != shape:
        raise UsageError(f"roi of shape {weights.shape}: {shape} wanted, as the picture")
    weights = weights.astype(np.float32)
    if not np.isfinite(weights).all() or weights.min() < 0 or weights.max() == 0:
        raise UsageError("roi: weights from 0 up wanted, not all of them 0")
    return weights
