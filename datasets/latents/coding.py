"""Codes a picture into the bytes of one sample, in a worker process or in this one."""

from __future__ import annotations

import io
import warnings
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from nacre.codec.container import Limits
from nacre.codec.encoder import Encoder
from nacre.codec.pictures.colour import to_picture
from nacre.codec.pictures.reading import read_picture
from nacre.codec.pictures.turned import shown
from nacre.codec.planes import latents
from nacre.codec.run import Run
from nacre.datasets.latents.index import BadPicture, Preparation
from nacre.datasets.latents.sources import Item
from nacre.datasets.pictures import Pixels, rgb8_of
from nacre.entropy.errors import ImageError, LimitError, NacreError


@dataclass(frozen=True)
class Settings:
    """Everything beside the picture that determines the bytes of a sample."""

    model: str
    preparation: Preparation
    plane: str
    device: str = "cpu"
    precision: str = "float32"
    limits: Limits = Limits()

    @property
    def run_options(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "device": self.device,
            "precision": self.precision,
            "limits": self.limits,
        }


@dataclass(frozen=True)
class CodedSample:
    """A nacre file, and facts found when it was read back."""

    data: bytes
    crc32: int
    picture: tuple[int, int]  # width, height
    latent: tuple[int, int, int]
    largest: dict[str, int]  # largest magnitude of a symbol, by plane


def code(item: Item, settings: Settings) -> CodedSample | BadPicture:
    """Code one picture with one thread, so that the bytes do not depend on the number of processes."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _coded(item, settings)
    except NacreError as error:
        return BadPicture(item.key, str(error))
    except OSError as error:
        return BadPicture(item.key, error.strerror or str(error))
    except MemoryError:
        return BadPicture(item.key, "out of memory")
    except Exception as error:  # a reader of Pillow may raise anything
        return BadPicture(item.key, f"{type(error).__name__}: {error}")
    finally:
        torch.set_num_threads(before)


def _coded(item: Item, settings: Settings) -> CodedSample:
    how = settings.preparation
    pixels = prepared(item.loaded(), how.size, how.crop, settings.limits)
    encoder = Encoder(pixels, strip=True, **settings.run_options)
    encoder.is_adaptive = False  # adaptive cells are coded without the latent
    data = encoder.encode(how.quality, how.effort)
    symbols = latents(data, planes=(), only_symbols=True, **settings.run_options)
    largest = {name: int(plane.abs().max()) for name, plane in symbols.items()}
    channels, height, width = symbols[settings.plane].shape
    return CodedSample(
        data,
        zlib.crc32(data),
        (encoder.width, encoder.height),
        (channels, height, width),
        largest,
    )


def prepared(
    source: Any, size: int | None = None, crop: int | None = None, limits: Limits = Limits()
) -> Pixels:
    """(H, W, 3) uint8 from the bytes of a picture file, or from any input of `codec.encode`.

    The picture is turned by its orientation, its short side is scaled to `size` (bicubic, with antialiasing
    when it shrinks), and its middle `crop` x `crop` pixels are cut out. Raises ImageError or LimitError.
    """
    is_file = isinstance(source, (bytes, bytearray, memoryview))
    found = read_picture(io.BytesIO(source), limits=limits) if is_file else to_picture(source)
    limits.check_pixels(found.pixels.shape[1], found.pixels.shape[0])
    pixels: Pixels = shown(rgb8_of(found), found.orientation)
    if size is not None:
        pixels = _scaled(pixels, size, limits)
    if crop is not None:
        height, width = pixels.shape[:2]
        if min(height, width) < crop:
            raise ImageError(f"{width}x{height} pixels are less than the crop of {crop}")
        top, left = (height - crop) // 2, (width - crop) // 2
        pixels = pixels[top : top + crop, left : left + crop]
    return np.ascontiguousarray(pixels)


def _scaled(pixels: Pixels, size: int, limits: Limits) -> Pixels:
    height, width = pixels.shape[:2]
    short = min(height, width)
    if short == size:
        return pixels
    to = (max(1, round(width * size / short)), max(1, round(height * size / short)))
    if to[0] * to[1] > limits.pixels:
        raise LimitError(f"{width}x{height} pixels scaled to {to[0]}x{to[1]} are over the limit")
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize(to, Image.Resampling.BICUBIC))


@lru_cache(maxsize=1)
def loaded_run(settings: Settings) -> Run:
    """The loaded model of the settings. Raises UsageError or WeightsError."""
    return Run.to_encode(settings.run_options)
