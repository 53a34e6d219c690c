"""One picture through one codec: a file is made, read again, and what came back is measured."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar, overload

import numpy as np
from PIL import Image

from nacre.entropy.errors import ImageError, NacreError
from nacre.tools.evaluate import metrics
from nacre.tools.evaluate.codecs.base import Codec, CodecFailed, Stages, pixels_alone
from nacre.tools.evaluate.codecs.registry import create
from nacre.tools.evaluate.memory import PeakMemory, largest
from nacre.tools.evaluate.results import Failure, Row

DIGEST = 16  # hexadecimal digits that are kept of a file's SHA-256
T = TypeVar("T")


@dataclass(frozen=True)
class Task:
    """What a worker process is given: one picture, one codec, some qualities."""

    codec: str
    picture: Path
    qualities: tuple[float, ...]
    is_timed: bool  # alone on the machine, so that seconds mean something
    with_lpips: bool = False
    threads: int | None = None


def run_task(task: Task) -> list[Row | Failure]:
    """A row or a failure for each quality; nothing that a codec raises gets further."""
    if task.threads is not None:
        _use_threads(task.threads)
    try:
        codec, image = codec_named(task.codec), open_picture(task.picture)
    except Exception as error:
        return [Failure(task.picture.name, quality, _reason(error)) for quality in task.qualities]
    if task.is_timed and codec.warms_up:
        _pass(codec, image, task.qualities[0])
    found: list[Row | Failure] = []
    for quality in task.qualities:
        try:
            found.append(measure(codec, image, task, quality))
        except Exception as error:  # of the codec's library: which, nobody can know
            found.append(Failure(task.picture.name, quality, _reason(error)))
    return found


def _pass(codec: Codec, image: Image.Image, quality: float) -> None:
    """What a size of picture costs once is paid here; should it fail, it will fail again and be told."""
    with contextlib.suppress(Exception):
        codec.decode(codec.encode(image, quality), image.size)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, NacreError) else f"{type(error).__name__}: {error}"


@lru_cache(maxsize=2)
def codec_named(name: str) -> Codec:
    """One instance a process, with its networks loaded."""
    return create(name)


def open_picture(path: Path) -> Image.Image:
    """Decode a picture to RGB and drop its metadata. Raises ImageError."""
    try:
        with Image.open(path) as image:
            return pixels_alone(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"{path.name}: {error}") from error


def measure(codec: Codec, image: Image.Image, task: Task, quality: float) -> Row:
    """Encode, decode, compare; raises CodecFailed when what comes back is not the picture's size."""
    memory = PeakMemory()
    data, encode_seconds, encode = _timed(codec, lambda: codec.encode(image, quality))
    decoded, decode_seconds, decode = _timed(codec, lambda: codec.decode(data, image.size))
    peak = largest(memory.mib(), encode.peak_memory_mib, decode.peak_memory_mib)
    if decoded.size != image.size or decoded.mode != "RGB":
        raise CodecFailed(f"gave {decoded.mode} {decoded.size}, not RGB {image.size}")
    x, x_hat = np.asarray(image), np.asarray(decoded)
    y, cb, cr = metrics.plane_psnr_db(x, x_hat)
    timed = task.is_timed

    return Row(
        picture=task.picture.name,
        quality=quality,
        bytes=len(data),
        bpp=rounded(8 * len(data) / (image.width * image.height)),
        psnr_rgb=rounded(metrics.psnr_db(x, x_hat)),
        psnr_y=rounded(y),
        psnr_cb=rounded(cb),
        psnr_cr=rounded(cr),
        ms_ssim=rounded(metrics.ms_ssim(x, x_hat)),
        lpips=rounded(metrics.lpips(x, x_hat)) if task.with_lpips else None,
        encode_seconds=rounded(encode_seconds) if timed else None,
        decode_seconds=rounded(decode_seconds) if timed else None,
        encode_entropy_seconds=rounded(encode.entropy) if timed else None,
        decode_entropy_seconds=rounded(decode.entropy) if timed else None,
        peak_memory_mib=None if peak is None or not timed else round(peak, 1),
        sha256=hashlib.sha256(data).hexdigest()[:DIGEST],
    )


@overload
def rounded(value: float) -> float: ...
@overload
def rounded(value: None) -> None: ...
@overload
def rounded(value: float | None) -> float | None: ...
def rounded(value: float | None) -> float | None:
    """To the digits that are kept: a millionth is under what any of the figures means."""
    return None if value is None else round(value, 6)


def _timed(codec: Codec, work: Callable[[], T]) -> tuple[T, float, Stages]:
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    stages = codec.stages()
    return result, seconds if stages.whole is None else stages.whole, stages


def _use_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
