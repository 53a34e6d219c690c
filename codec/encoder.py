"""Pictures to nacre files: `codec.encode`, and `Encoder` for a picture that is coded more than once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from nacre.codec import alpha, memory, refine, setup, strips, tiles
from nacre.codec.colour import to_picture
from nacre.codec.container import MAX_QUALITY, Alpha, End, Head, Latent, Limits, Meta, Stream
from nacre.codec.image import Opened
from nacre.codec.refine import EFFORTS, Part, Search
from nacre.entropy.errors import UsageError
from nacre.models import zoo
from nacre.models.config import STRIDE

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_QUALITY = 60
DEFAULT_EFFORT = 1
HIGHEST_EFFORT = max(EFFORTS)


def encode(
    image: Image.Image | NDArray[Any] | Tensor,
    *,
    quality: int = DEFAULT_QUALITY,
    effort: int | None = None,
    time_budget: float | None = None,
    roi: NDArray[Any] | None = None,
    goes_on: Callable[[float], bool] | None = None,
    model: str | Path = zoo.DEFAULT,
    device: str = "cpu",
    precision: str = "float32",
    strip: bool = False,
    limits: Limits = Limits(),
) -> bytes:
    """Code a picture: a PIL image, an array (H, W) or (H, W, 1 to 4) of uint8 or uint16, or a tensor
    (1 to 4, H, W).

    Two channels are grey and transparency, four are colour and transparency, which is kept without loss.

    `quality` is 1..100, 100 the best that the model can do. `effort` is 0..9: how long to search for
    symbols that cost less; `time_budget` ends the search after so many seconds, and takes the highest
    effort unless one is given. `roi` (H, W) says how much errors weigh at each pixel, 1 as usual.
    `goes_on` is told the share of the search that is done, and ends it when it returns False; the file
    is as good as was found until then.
    `model` is an embedded model's name or the path of a weights file. `precision` is "float32" or
    "bfloat16", of the networks; the file decodes alike. `strip` drops ICC, EXIF and XMP, which are kept
    otherwise. Float tensors are in [0, 1]. An array may be a memory map: rows are read as they are coded.

    Raises UsageError, ImageError, WeightsError or LimitError.
    """
    search = Search(time_budget, goes_on)
    if effort is None:
        effort = DEFAULT_EFFORT if time_budget is None else HIGHEST_EFFORT
    encoder = Encoder(
        image, roi=roi, model=model, device=device, precision=precision, strip=strip, limits=limits
    )
    return encoder.encode(quality, effort, Part(search))


class Encoder:
    """A picture that is ready to be coded at any quality. Takes what `encode` takes."""

    def __init__(
        self,
        image: Image.Image | NDArray[Any] | Tensor,
        *,
        roi: NDArray[Any] | None = None,
        model: str | Path = zoo.DEFAULT,
        device: str = "cpu",
        precision: str = "float32",
        strip: bool = False,
        limits: Limits = Limits(),
    ) -> None:
        self._picture = picture = to_picture(image)
        self._runner = setup.runner(zoo.load_model(model), device, precision)
        self.height, self.width = picture.pixels.shape[:2]
        self._options: dict[str, Any] = {
            "model": model,
            "device": device, "precision": precision, "limits": limits,
        }  # fmt: skip
        blocks = () if strip else picture.metadata.items()
        self._metadata = tuple(Meta(kind, block) for kind, block in blocks)
        self._plane = None if picture.alpha is None else Alpha(alpha.to_bytes(picture.alpha))
        self._limits = limits
        self._check_limits(0)
        self._roi = None if roi is None else _checked(roi, (self.height, self.width))
        self._analysis = strips.Analysis(self._runner, picture.pixels)

    @property
    def pixels(self) -> strips.Pixels:
        """(H, W, 1 or 3) without transparency."""
        return self._picture.pixels

    @property
    def fixed_bytes(self) -> int:
        """Of a file that no quality changes: metadata and transparency."""
        plane = 0 if self._plane is None else len(self._plane.to_bytes())
        return plane + sum(len(block.data) for block in self._metadata)

    def decode(self, data: bytes) -> strips.Pixels:
        """What a file of this picture shows, (H, W, 1 or 3)."""
        return Opened(data, **self._options).picture().pixels

    def encode(
        self, quality: int, effort: int = 0, part: Part | None = None, trade: float = 1.0
    ) -> bytes:
        """A file. `trade` is how much errors weigh against bits, 1 as the model was trained for."""
        check(quality, effort)
        self._check_limits(effort)
        if self._roi is not None and not effort:
            raise UsageError("a region of interest needs an effort of 1 or more")
        head, whole = self._head(quality), part or Part(Search())
        latents: list[Latent] = []
        checksums: list[int] = []
        with torch.inference_mode(False), torch.no_grad(), setup.memory_errors_named():
            t = setup.level(quality, self._runner.device)
            areas = list(tiles.areas(self.width, self.height, head.tile))
            side, bands = head.tile // STRIDE, self._analysis.bands(t, head.tile // STRIDE)
            for y in (y for band in bands for y in band.split(side, 3)):
                number = len(checksums)
                if effort == 0 or whole.search.is_over:
                    tile = tiles.encode_tile(self._runner, y, quality)
                else:
                    own = whole.part(number / len(areas), (number + 1) / len(areas))
                    tile = refine.refine_tile(
                        self._target(areas[number], t, trade), y, quality, EFFORTS[effort], own
                    )
                latents += [Latent(p.first, p.last, number, p.data) for p in tile.parts]
                checksums.append(tile.decoded.checksum)
                if len(areas) > 1:
                    del y, tile
                    memory.give_back_freed()
        latents.sort(key=lambda latent: (latent.first, latent.tile))
        end = End(setup.file_checksum(head, self._plane, checksums))
        return Stream(head, self._metadata, tuple(latents), end, self._plane).to_bytes()

    def _check_limits(self, effort: int) -> None:
        config = self._runner.model.config
        height, width = (-(-side // STRIDE) for side in (self.height, self.width))
        window = refine.window_size(height, width, config) if effort else 0
        setup.check_limits(self._head(1), config, self._limits, window)

    def _head(self, quality: int) -> Head:
        return Head(
            self.width,
            self.height,
            quality,
            self._runner.model.id,
            channels=self._picture.channels,
            bit_depth=8 * self._picture.pixels.itemsize,
            orientation=self._picture.orientation,
        )

    def _target(self, area: tiles.Area, t: Tensor, trade: float) -> refine.Target:
        """What a tile is to show."""
        rows = slice(area.top * STRIDE, area.bottom * STRIDE)  # or to the picture's edge
        columns = slice(area.left * STRIDE, area.right * STRIDE)
        pixels = self._picture.pixels[rows, columns]
        weight = None
        if self._roi is not None:
            weight = torch.from_numpy(self._roi[rows, columns].copy())
            weight = weight.to(self._runner.device)[None, None]
        return refine.Target(
            self._runner,
            255 * strips.samples(pixels, self._runner.device),
            t,
            self._runner.model.config.lmbda(float(t)) * trade / pixels.shape[2],
            strips.PEAKS[8 * pixels.itemsize] // 255,
            weight,
        )


def check(quality: int, effort: int) -> None:
    """Raises UsageError for what is not on its scale."""
    if isinstance(quality, bool) or not isinstance(quality, int) or not 1 <= quality <= MAX_QUALITY:
        raise UsageError(f"quality {quality!r}: a whole number from 1 to {MAX_QUALITY} wanted")
    if isinstance(effort, bool) or not isinstance(effort, int) or not 0 <= effort <= HIGHEST_EFFORT:
        raise UsageError(f"effort {effort!r}: a whole number from 0 to {HIGHEST_EFFORT} wanted")


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
