"""Pictures of all kinds to grey or RGB of 8 or 16 bits, and back; what would be lost is said, never hidden."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from nacre.codec import deep
from nacre.codec.container import MetaKind
from nacre.entropy.errors import ImageError

if TYPE_CHECKING:
    import torch

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

GREY_MODES = {"1", "L"}
COLOUR_MODES = {"RGB", "RGBX", "YCbCr", "HSV", "P"}
ALPHA_MODES = {"RGBA", "RGBa", "LA", "La", "PA"}
ORIENTATION = 0x0112  # EXIF tag
EXIF_PREFIX = b"Exif\0\0"  # as JPEG has it; kept out of our files


class ImageWarning(UserWarning):
    """Something of the picture is not kept."""


@dataclass(frozen=True)
class Picture:
    """What is coded: samples and what travels with them."""

    pixels: Pixels  # (H, W, 1) or (H, W, 3)
    metadata: dict[MetaKind, bytes] = field(default_factory=dict)
    orientation: int = 1
    alpha: NDArray[np.uint8] | None = None  # (H, W), 0 transparent, 255 opaque

    @property
    def channels(self) -> int:
        return int(self.pixels.shape[2]) + (self.alpha is not None)


def to_picture(image: Image.Image | NDArray[Any] | torch.Tensor) -> Picture:
    """Take a PIL image, a uint8 array (H, W) or (H, W, 1 to 4), or a tensor (1 to 4, H, W).

    Arrays are uint8 or uint16, tensors uint8 or float in [0, 1], which is rounded to 8 bits. The second or
    fourth channel is transparency, of 8 bits always; where all is opaque it is dropped. Raises ImageError
    for everything else.
    """
    if isinstance(image, Image.Image):
        return _from_pil(image)
    if isinstance(image, np.ndarray):
        return _apart(_checked(image if image.ndim == 3 else image[..., None]))
    if type(image).__module__.split(".")[0] == "torch":
        return _apart(_checked(_tensor_to_array(image)))
    raise ImageError(
        f"a {type(image).__name__} is not a picture: PIL image, uint8 array or tensor wanted"
    )


def _tensor_to_array(tensor: torch.Tensor) -> NDArray[Any]:
    import torch

    if tensor.ndim != 3:
        raise ImageError(f"a tensor of shape {tuple(tensor.shape)}: (3, H, W) or (1, H, W) wanted")
    if tensor.is_floating_point():
        if not bool(((tensor >= 0) & (tensor <= 1)).all()):
            raise ImageError("a float tensor must lie in [0, 1]")
        tensor = (tensor.detach().float() * 255).round().to(torch.uint8)
    array: NDArray[Any] = tensor.permute(1, 2, 0).cpu().numpy()
    return array


def _checked(array: NDArray[Any]) -> Pixels:
    if array.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"samples of type {array.dtype}: uint8 or uint16 wanted")
    if array.ndim != 3 or not 1 <= array.shape[2] <= 4:
        raise ImageError(f"an array of shape {array.shape}: (H, W) or (H, W, 1 to 4) wanted")
    if not array.size:
        raise ImageError("the picture has no pixels")
    return array


def _apart(
    array: Pixels, info: dict[MetaKind, bytes] | None = None, orientation: int = 1
) -> Picture:
    """Colours and transparency of (H, W, 1 to 4)."""
    colours = array.shape[2] if array.shape[2] % 2 else array.shape[2] - 1
    plane = _to_8_bits(array[..., -1]) if colours < array.shape[2] else None
    if plane is not None and plane.min() == 255:
        plane = None
    return Picture(array[..., :colours], info or {}, orientation, plane)


def _from_pil(image: Image.Image) -> Picture:
    try:
        wide = _deep(image)
        frames = getattr(image, "n_frames", 1)
        image.load()
        if frames > 1:
            warnings.warn(f"the first of {frames} frames is kept", ImageWarning, stacklevel=4)
        orientation, raw_exif = exif(image)
        icc, xmp = image.info.get("icc_profile") or b"", _xmp(image)
        pixels, keeps_profile = (wide, True) if wide is not None else _samples(image)
    except ImageError:
        raise
    except Exception as error:  # readers of Pillow raise whatever their parsing hits
        raise ImageError(f"the picture cannot be read: {error}") from error
    blocks = {
        MetaKind.ICC: icc if keeps_profile else b"",
        MetaKind.EXIF: raw_exif.removeprefix(EXIF_PREFIX),
        MetaKind.XMP: xmp,
    }
    return _apart(_checked(pixels), {k: data for k, data in blocks.items() if data}, orientation)


def exif(image: Image.Image) -> tuple[int, bytes]:
    """Orientation, and the block as it came; a block that cannot be parsed is kept and says nothing."""
    raw = image.info.get("exif") or b""
    try:
        tags = image.getexif()
        orientation, raw = tags.get(ORIENTATION, 1), raw or (tags.tobytes() if tags else b"")
    except Exception:  # of any kind, as above
        orientation = 1
    return orientation if orientation in range(1, 9) else 1, raw


def _xmp(image: Image.Image) -> bytes:
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    return xmp.encode() if isinstance(xmp, str) else xmp


def _samples(image: Image.Image) -> tuple[NDArray[Any], bool]:
    """Samples (H, W, C), and whether the picture's ICC profile still describes them."""
    mode = image.mode
    if mode.startswith("I;16") or mode == "I":
        return _from_16_bit(image), True
    if mode in ALPHA_MODES or "transparency" in image.info:
        layer = image.convert("RGBA")
        return np.asarray(layer.convert("LA") if mode in ("LA", "La", "L", "1") else layer), True
    if mode in GREY_MODES:
        return np.asarray(image.convert("L"))[..., None], True
    if mode in COLOUR_MODES:
        return np.asarray(image.convert("RGB")), True
    if mode in ("CMYK", "LAB"):
        return _to_srgb(image), False
    raise ImageError(f"pictures of mode {mode} are not supported")


def _deep(image: Image.Image) -> NDArray[np.uint16] | None:
    """16-bit colour, which Pillow would read as 8 bits; None for all other pictures. Before they are loaded."""
    if ";16" not in str(getattr(image, "tile", "")) or image.mode not in ("RGB", "RGBA"):
        return None
    file = image.fp  # type: ignore[attr-defined]
    file.seek(0)
    try:
        return deep.read(file.read())
    except ImageError:
        warnings.warn("16-bit samples are rounded to 8 bits", ImageWarning, stacklevel=5)
        return None
    finally:
        file.seek(0)


def _to_8_bits(samples: Pixels) -> NDArray[np.uint8]:
    if samples.dtype == np.uint8:
        return samples.astype(np.uint8)
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _from_16_bit(image: Image.Image) -> NDArray[Any]:
    wide = np.asarray(image).astype(np.int64)
    if wide.min() < 0 or wide.max() > 65535:
        raise ImageError("samples outside 0..65535 are not supported")
    return wide.astype(np.uint16)[..., None]


def _to_srgb(image: Image.Image) -> NDArray[Any]:
    """CMYK and Lab by the picture's profile when it has one, else by Pillow's plain formula."""
    warnings.warn(f"{image.mode} is converted to sRGB", ImageWarning, stacklevel=5)
    profile = image.info.get("icc_profile")
    if not profile:
        return np.asarray(image.convert("RGB"))
    import io

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
    except (OSError, ImageCms.PyCMSError):  # the profile is no profile
        return np.asarray(image.convert("RGB"))
    assert converted is not None
    return np.asarray(converted)


def metadata_info(blocks: dict[MetaKind, bytes], orientation: int) -> dict[str, bytes]:
    """Blocks of metadata as PIL keeps them in `info`; an orientation without EXIF gets a small one."""
    exif = EXIF_PREFIX + blocks[MetaKind.EXIF] if MetaKind.EXIF in blocks else b""
    if not exif and orientation != 1:
        small = Image.Exif()
        small[ORIENTATION] = orientation
        exif = small.tobytes()
    info = {
        "icc_profile": blocks.get(MetaKind.ICC, b""),
        "exif": exif,
        "xmp": blocks.get(MetaKind.XMP, b""),
    }
    return {key: value for key, value in info.items() if value}


def to_pil(picture: Picture) -> Image.Image:
    """A PIL image of mode L, LA, I;16, RGB or RGBA, metadata in its `info`; the pixels lie as in the source.

    16-bit colour, and 16-bit grey with transparency, are rounded to 8 bits with an ImageWarning.
    """
    pixels = picture.pixels
    if pixels.dtype == np.uint16 and picture.channels > 1:
        warnings.warn(
            "Pillow has no such 16-bit mode: rounded to 8 bits", ImageWarning, stacklevel=4
        )
        pixels = _to_8_bits(pixels)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(np.ascontiguousarray(picture.alpha)))
    image.info.update(metadata_info(picture.metadata, picture.orientation))
    return image
