"""PIL images, arrays and tensors to grey or RGB samples of 8 or 16 bits, and back; losses raise a warning."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeGuard, Union

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nacre.codec.container import MetaKind
from nacre.codec.pictures import metadata, samples
from nacre.codec.pictures.metadata import EXIF_PREFIX as EXIF_PREFIX
from nacre.codec.pictures.metadata import ImageWarning as ImageWarning
from nacre.codec.pictures.metadata import exif as exif
from nacre.codec.pictures.metadata import metadata_info as metadata_info
from nacre.entropy.errors import ImageError, NacreError

if TYPE_CHECKING:
    import torch

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True)
class Picture:
    """A picture for coding: samples as they are stored, alpha, and metadata."""

    pixels: Pixels  # (H, W, 1) grey or (H, W, 3) RGB
    metadata: dict[MetaKind, bytes] = field(default_factory=dict)
    orientation: int = 1  # 1 to 8 as in EXIF; not applied to the samples
    alpha: Pixels | None = None  # (H, W), 0 transparent, 255 or 65535 opaque

    @property
    def channels(self) -> int:
        return int(self.pixels.shape[2]) + (self.alpha is not None)


PictureLike = Union[Picture, Image.Image, NDArray[Any], "torch.Tensor"]


def to_picture(image: PictureLike) -> Picture:
    """Take a Picture, a PIL image, an array (H, W) or (H, W, 1 to 4), or a tensor (1 to 4, H, W).

    Arrays are bool, uint8 or uint16 of either byte order, tensors bool, uint8, uint16, or float in [0, 1],
    which is rounded to 8 bits. The second or fourth channel is transparency; where all pixels are opaque it
    is dropped. Raises ImageError for everything else, masked arrays and matrices included.
    """
    if isinstance(image, Picture):
        return image
    if isinstance(image, Image.Image):
        return _from_pil(image)
    if isinstance(image, np.ndarray):
        return _apart(_checked(_plain(image)))
    if _is_tensor(image):
        return _apart(_checked(_tensor_to_array(image)))
    raise ImageError(
        f"a {type(image).__name__} is not a picture: a PIL image, an array or a tensor wanted"
    )


def _is_tensor(value: Any) -> TypeGuard[torch.Tensor]:
    """Whether it is a tensor, of a subclass too; where torch was never imported there is none."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _tensor_to_array(tensor: torch.Tensor) -> NDArray[Any]:
    import torch

    if tensor.layout != torch.strided or tensor.is_meta:
        kind = "the meta device" if tensor.is_meta else f"layout {tensor.layout}"
        raise ImageError(f"a tensor of {kind}: a dense one with numbers wanted")
    tensor = tensor.detach().as_subclass(torch.Tensor)
    if tensor.ndim != 3:
        raise ImageError(f"a tensor of shape {tuple(tensor.shape)}: (1 to 4, H, W) wanted")
    if tensor.is_floating_point():
        if not bool(((tensor >= 0) & (tensor <= 1)).all()):
            raise ImageError("a float tensor must lie in [0, 1]")
        tensor = (tensor.float() * 255).round().to(torch.uint8)
    if tensor.dtype not in (torch.bool, torch.uint8, getattr(torch, "uint16", torch.uint8)):
        raise ImageError(f"a tensor of {tensor.dtype}: bool, uint8, uint16 or float wanted")
    array: NDArray[Any] = tensor.cpu().numpy()
    return np.moveaxis(array, 0, 2)


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """As an ndarray (H, W, C): a subclass may redefine how it is indexed."""
    if isinstance(array, np.ma.MaskedArray):
        raise ImageError("a masked array is not a picture: its mask has no meaning in one")
    if isinstance(array, np.matrix):
        raise ImageError("a matrix is not a picture: an array wanted")
    plain = np.asarray(array)
    return plain[..., None] if plain.ndim == 2 else plain


def _checked(array: NDArray[Any]) -> Pixels:
    """(H, W, 1 to 4) of uint8 or uint16 in native byte order; raises ImageError for other arrays."""
    if array.ndim != 3 or not 1 <= array.shape[2] <= 4:
        raise ImageError(f"an array of shape {array.shape}: (H, W) or (H, W, 1 to 4) wanted")
    if not array.size:
        raise ImageError("the picture has no pixels")
    if array.dtype == bool:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind != "u" or array.itemsize > 2:
        raise ImageError(f"samples of type {array.dtype}: bool, uint8 or uint16 wanted")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _apart(
    array: Pixels,
    info: dict[MetaKind, bytes] | None = None,
    orientation: int = 1,  # 1 to 8 as in EXIF; not applied to the samples
) -> Picture:
    """Separate colours and alpha of (H, W, 1 to 4)."""
    colours = array.shape[2] if array.shape[2] % 2 else array.shape[2] - 1
    plane = array[..., -1] if colours < array.shape[2] else None
    if plane is not None and plane.min() == np.iinfo(plane.dtype).max:
        plane = None
    return Picture(array[..., :colours], info or {}, orientation, plane)


def _from_pil(image: Image.Image) -> Picture:
    try:
        image = samples.readable(image)
        numbers = metadata.named_colours(image)
        found = samples.loaded(image)
        colours = 1 if found.array.shape[2] < 3 else 3
        blocks, orientation = metadata.blocks(image, colours, numbers, found.is_srgb)
        array = found.array if numbers is None or numbers.is_full else _full(found.array)
    except NacreError:
        raise
    except Exception as error:  # readers of Pillow raise whatever their parsing hits
        raise ImageError(f"the picture cannot be read: {error}") from error
    return _apart(_checked(array), blocks, orientation)


def _full(array: NDArray[Any]) -> NDArray[Any]:
    """Colours of narrow range, 16 to 235 of 255, scaled to full range; alpha always has the full one."""
    warnings.warn("samples of narrow range are scaled to full range", ImageWarning, stacklevel=4)
    colours = array.shape[2] if array.shape[2] % 2 else array.shape[2] - 1
    white = np.iinfo(array.dtype).max
    unit = (white + 1) // 256
    spread = np.round((array[..., :colours].astype(float) - 16 * unit) * white / (219 * unit))
    full: NDArray[Any] = np.clip(spread, 0, white).astype(array.dtype)
    return np.dstack([full, array[..., colours:]])


def to_8_bits(samples: Pixels) -> NDArray[np.uint8]:
    if samples.dtype == np.uint8:
        return samples.astype(np.uint8, copy=False)
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def in_depth_of(samples: Pixels, dtype: np.dtype[Any]) -> Pixels:
    """Convert to uint8 or uint16; white stays white."""
    if dtype == np.uint8 or samples.dtype == np.uint16:
        return to_8_bits(samples) if dtype == np.uint8 else samples
    return samples.astype(np.uint16) * np.uint16(257)


def to_pil(picture: Picture) -> Image.Image:
    """A PIL image of mode L, LA, I;16, RGB or RGBA, metadata in its `info`, orientation not applied.

    16-bit colour, and 16-bit grey with transparency, are rounded to 8 bits with an ImageWarning.
    """
    pixels, colours = picture.pixels, picture.pixels.shape[2]
    if pixels.dtype == np.uint16 and picture.channels > 1:
        warnings.warn(
            "Pillow has no such 16-bit mode: rounded to 8 bits", ImageWarning, stacklevel=4
        )
        pixels = to_8_bits(pixels)
    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if colours == 1 else pixels))
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(np.ascontiguousarray(to_8_bits(picture.alpha))))
    image.info.update(metadata_info(picture.metadata, picture.orientation, colours))
    return image
