"""One picture through one codec: encode a file, decode it, compare the pixels."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, overload

import numpy as np
from msgspec import UNSET
from PIL import Image

from nacre.entropy.errors import ImageError, NacreError
from nacre.tools.evaluate import metrics
from nacre.tools.evaluate.codecs.base import Codec, CodecFailed, Stages, pixels_alone
from nacre.tools.evaluate.codecs.registry import create
from nacre.tools.evaluate.memory import PeakMemory, largest
from nacre.tools.evaluate.results import Failure, Row, Seen

if TYPE_CHECKING:
    from nacre.tools.tasks.checkpoint import TaskCheckpoint

DIGEST = 16  # hexadecimal digits kept of a file's SHA-256
T = TypeVar("T")


@dataclass(frozen=True)
class Task:
    """One picture, one codec and some qualities, for a worker process."""

    codec: str
    picture: Path
    qualities: tuple[float, ...]
    is_timed: bool  # alone on the machine, so that seconds are comparable
    with_lpips: bool = False
    threads: int | None = None  # of the process; None: no change
    name: str = ""  # of the picture in the results; empty: the name of its file
    checkpoint: Path | None = None  # of a classifier that sees the decoded picture

    @property
    def label(self) -> str:
        return self.name or self.picture.name

    def rows(self) -> Iterator[Row | Failure]:
        return run_task(self)


def use_threads(threads: int | None) -> None:
    """Set the number of threads of torch and of started programs."""
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)


def run_task(task: Task) -> Iterator[Row | Failure]:
    """Yield a row or a failure for each quality, in order. Exceptions of codecs become failures."""
    use_threads(task.threads)
    try:
        codec, image = codec_named(task.codec), open_picture(task.picture)
    except Exception as error:
        for quality in task.qualities:
            yield Failure(task.label, quality, reason_of(error))
        return
    use_threads(task.threads)  # of torch, which the codec may have imported
    if task.is_timed and codec.warms_up:
        _warm_up(codec, image, task.qualities[0])
    for quality in task.qualities:
        try:
            yield measure(codec, image, task, quality)
        except Exception as error:  # a codec's library may raise anything
            yield Failure(task.label, quality, reason_of(error))


def _warm_up(codec: Codec, image: Image.Image, quality: float) -> None:
    """Run the one-time work of the first picture of a size. A failure recurs and is reported later."""
    with contextlib.suppress(Exception):
        codec.decode(codec.encode(image, quality), image.size)


def reason_of(error: Exception) -> str:
    """Return the text for an error in the results."""
    text = str(error) if isinstance(error, NacreError) else f"{type(error).__name__}: {error}"
    return in_utf8(text)


@lru_cache(maxsize=2)
def codec_named(name: str) -> Codec:
    """Return the codec of a name; a process keeps the last two, with their networks loaded."""
    return create(name)


@lru_cache(maxsize=1)
def classifier_in(path: Path) -> TaskCheckpoint:
    """Return the classifier in a file. Raises UsageError or WeightsError."""
    from nacre.tools.tasks.checkpoint import TaskCheckpoint

    return TaskCheckpoint.load(path)


def open_picture(path: Path) -> Image.Image:
    """Decode a picture to RGB and drop its metadata. Raises ImageError."""
    if in_utf8(path.name) != path.name:
        raise ImageError(
            f"{in_utf8(path.name)}: the name is not UTF-8, which results are written in"
        )
    try:
        with Image.open(path) as image:
            return pixels_alone(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"{path.name}: {error}") from error


def in_utf8(text: str) -> str:
    """Replace characters that UTF-8 cannot encode, such as bytes of POSIX file names, by escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def measure(codec: Codec, image: Image.Image, task: Task, quality: float) -> Row:
    """Encode, decode and compare. Raises CodecFailed when the decoded picture has another size or mode."""
    memory = PeakMemory()
    data, encode_seconds, encode = _timed(codec, lambda: codec.encode(image, quality))
    decoded, decode_seconds, decode = _timed(codec, lambda: codec.decode(data, image.size))
    peak = largest(memory.mib(), encode.peak_memory_mib, decode.peak_memory_mib)
    if decoded.size != image.size or decoded.mode != "RGB":
        raise CodecFailed(f"gave {decoded.mode} {decoded.size}, not RGB {image.size}")
    x, x_hat = np.asarray(image), np.asarray(decoded)
    y, cb, cr = metrics.plane_psnr_db(x, x_hat)
    timed = task.is_timed
    classifier = None if task.checkpoint is None else classifier_in(task.checkpoint)

    return Row(
        picture=task.label,
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
        seen=Seen(classifier.id, classifier.recognise(decoded)) if classifier else UNSET,
    )


@overload
def rounded(value: float) -> float: ...
@overload
def rounded(value: None) -> None: ...
@overload
def rounded(value: float | None) -> float | None: ...
def rounded(value: float | None) -> float | None:
    """Round to the digits that are kept; no figure is exact to a millionth."""
    return None if value is None else round(value, 6)


def _timed(codec: Codec, work: Callable[[], T]) -> tuple[T, float, Stages]:
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    stages = codec.stages()
    return result, seconds if stages.whole is None else stages.whole, stages
