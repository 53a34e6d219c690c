"""Results of an evaluation: rows, failures, mean curves, and the summary file that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
from msgspec import UNSET, Meta, Struct, UnsetType

from nacre.entropy.errors import UsageError
from nacre.tools.streams import write_output

FORMAT: Final = "nacre evaluation 1"
MEANS = (  # columns of a row whose means make the curves
    "bpp", "psnr_rgb", "psnr_y", "psnr_cb", "psnr_cr", "psnr_yuv", "ms_ssim", "lpips",
    "encode_seconds", "decode_seconds", "encode_entropy_seconds", "decode_entropy_seconds",
    "encode_fps", "decode_fps", "accuracy",
)  # fmt: skip

AboveZero = Annotated[float, Meta(gt=0)]
Seconds = Annotated[float, Meta(ge=0)]


class Seen(Struct, frozen=True):
    """The answer of a classifier to a decoded picture."""

    task: str  # id of the task checkpoint
    prediction: str  # the class that it named
    is_right: bool | None = None  # whether it is the label; None while the label is unknown


class FrameFigures(Struct, frozen=True, kw_only=True):
    """One frame of a clip, in display order."""

    bytes: int  # of its packets; the rest of the file belongs to no frame
    psnr_rgb: float  # dB, over R, G and B together, 8 bits
    psnr_y: float  # dB, on planes of 4:2:0, as the next two
    psnr_cb: float
    psnr_cr: float
    ms_ssim: float | None = None  # over RGB; None for small frames

    @property
    def psnr_yuv(self) -> float:
        """(6 Y + U + V) / 8, dB."""
        return (6 * self.psnr_y + self.psnr_cb + self.psnr_cr) / 8


class Row(Struct, frozen=True, kw_only=True):
    """One picture or clip at one quality, measured on a file that was written and read again.

    Figures of a clip are means over its frames; seconds are for the whole clip.
    """

    picture: str  # file name
    quality: float  # on the codec's own scale
    bytes: Annotated[int, Meta(gt=0)]  # of the whole file
    bpp: AboveZero  # bits per pixel
    psnr_rgb: float  # dB, over R, G and B together, 8 bits
    psnr_y: float  # dB, BT.709, full range; for clips on planes of 4:2:0; as the next two
    psnr_cb: float
    psnr_cr: float
    ms_ssim: float | None = None  # over RGB, at most 1; None for small pictures
    lpips: float | None = None  # None unless it was asked for
    encode_seconds: Seconds | None = None  # None without --timing
    decode_seconds: Seconds | None = None
    encode_entropy_seconds: Seconds | None = None  # None where the codec does not measure it
    decode_entropy_seconds: Seconds | None = None
    peak_memory_mib: AboveZero | None = None  # largest resident size of any process involved
    sha256: str = ""  # of the file, the first 16 hexadecimal digits
    seen: Seen | UnsetType = UNSET  # not there without --task
    frames: tuple[FrameFigures, ...] | UnsetType = UNSET  # of a clip

    @property
    def psnr_yuv(self) -> float | None:
        """(6 Y + U + V) / 8 of a clip, dB; None for a picture, whose planes are not 4:2:0."""
        if isinstance(self.frames, UnsetType):
            return None
        return (6 * self.psnr_y + self.psnr_cb + self.psnr_cr) / 8

    @property
    def encode_fps(self) -> float | None:
        """Frames a second; None for a picture or without --timing."""
        return self._fps(self.encode_seconds)

    @property
    def decode_fps(self) -> float | None:
        return self._fps(self.decode_seconds)

    def _fps(self, seconds: float | None) -> float | None:
        return (
            len(self.frames) / seconds
            if seconds and not isinstance(self.frames, UnsetType)
            else None
        )

    @property
    def accuracy(self) -> float | None:
        """1 if the prediction is the label of the picture, else 0; None without --task."""
        is_right = self.seen.is_right if isinstance(self.seen, Seen) else None
        return None if is_right is None else float(is_right)


class Failure(Struct, frozen=True):
    """A quality at which a codec gave no usable file for a picture."""

    picture: str
    quality: float | None
    reason: str


class CodecResult(Struct):
    """Rows of one codec. `settings` and `version` identify it exactly."""

    codec: str  # as requested: "avif@speed=4"
    name: str  # for tables and plots: "AVIF 4:4:4"
    settings: str
    version: str
    rows: list[Row] = []
    failures: list[Failure] = []

    def complete(self) -> list[str]:
        """Return the pictures that have a row at every quality, over which the mean curve is taken."""
        qualities = {row.quality for row in self.rows}
        own: dict[str, set[float]] = {}
        for row in self.rows:
            own.setdefault(row.picture, set()).add(row.quality)
        return sorted(picture for picture, found in own.items() if found == qualities)

    def means(self) -> dict[str, list[float]]:
        """Return the column "quality" and the columns of MEANS, one value per quality, in order of rate.

        A column is missing where any row lacks its value.
        """
        pictures = set(self.complete())
        groups: dict[float, list[Row]] = {}
        for row in self.rows:
            if row.picture in pictures:
                groups.setdefault(row.quality, []).append(row)
        order = sorted(groups, key=lambda q: float(np.mean([row.bpp for row in groups[q]])))
        columns: dict[str, list[float]] = {"quality": order}
        for name in MEANS:
            values = [[getattr(row, name) for row in groups[quality]] for quality in order]
            if values and all(v is not None for group in values for v in group):
                columns[name] = [round(float(np.mean(group)), 6) for group in values]
        return columns


class ClipFacts(Struct, frozen=True):
    """The additional facts of a clip."""

    frames: int  # measured frames
    rate: float  # frames a second, as given to encoders


class PictureFacts(Struct, frozen=True):
    """A picture of the data set, or a clip."""

    width: int  # pixels
    height: int
    sha256: str  # of the picture's file; of the samples of a clip
    label: str = ""  # its class, with --task
    clip: ClipFacts | UnsetType = UNSET


class TaskFacts(Struct, frozen=True):
    """A classifier, and its accuracy on the uncoded pictures."""

    name: str  # of its file
    id: str  # start of the SHA-256 of its file
    accuracy: float  # on the originals, 0 to 1


class Machine(Struct, frozen=True):
    """Where and how an evaluation ran."""

    processor: str
    cores: int | None
    jobs: int  # pictures at once
    threads: int  # of each process
    timed: bool
    python: str
    torch: str
    system: str
    date: str  # ISO 8601


class Evaluation(Struct):
    """Codecs on one set of pictures."""

    dataset: str
    machine: Machine
    pictures: dict[str, PictureFacts]  # by file name
    codecs: list[CodecResult] = []
    skipped: dict[str, str] = {}  # codec: why it did not run, and how to get it
    unreadable: dict[str, str] = {}  # picture: why
    task: TaskFacts | None = None  # None without --task
    format: Literal["nacre evaluation 1"] = FORMAT

    @property
    def noun(self) -> str:
        """The word for an element of the set: "picture" or "clip"."""
        is_clip = any(isinstance(facts.clip, ClipFacts) for facts in self.pictures.values())
        return "clip" if is_clip else "picture"

    def codec(self, name: str) -> CodecResult | None:
        return next((c for c in self.codecs if c.codec == name), None)

    def to_json(self) -> bytes:
        """Return the summary file. Codecs carry their mean curves as columns, for readers without nacre."""
        raw: dict[str, Any] = msgspec.to_builtins(self)
        for entry, codec in zip(raw["codecs"], self.codecs, strict=True):
            entry.update(codec.means(), pictures=len(codec.complete()))
        return msgspec.json.format(msgspec.json.encode(raw), indent=1) + b"\n"

    def write(self, path: Path) -> None:
        """Write the summary file, whole or not at all."""
        write_output(str(path), self.to_json(), force=True)


def read_evaluation(path: Path) -> Evaluation:
    """Read a summary file. Raises UsageError that names the file and the field at fault."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Evaluation)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no evaluation of nacre: {error}") from error


COLUMNS = {  # of the table: title and form of each column of the means
    "bpp": ("bits per pixel", ".3f"),
    "psnr_rgb": ("PSNR, dB", ".2f"),
    "psnr_yuv": ("PSNR YUV, dB", ".2f"),
    "ms_ssim": ("MS-SSIM", ".4f"),
    "accuracy": ("accuracy, %", ".1f"),
    "encode_fps": ("encode, frames/s", ".2f"),
    "decode_fps": ("decode, frames/s", ".2f"),
}
ALWAYS = ("bpp", "psnr_rgb", "ms_ssim")  # columns that are shown even if no codec has them


def table(codecs: Sequence[CodecResult]) -> str:
    """Return the mean curves as a Markdown table."""
    all_means = [codec.means() for codec in codecs]
    chosen = [c for c in COLUMNS if c in ALWAYS or any(c in means for means in all_means)]
    head = ["codec", "quality", *(COLUMNS[column][0] for column in chosen)]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for codec, means in zip(codecs, all_means, strict=True):
        for i, quality in enumerate(means["quality"]):
            cells = [_cell(means, column, i) for column in chosen]
            lines.append(f"| {' | '.join([codec.name, f'{quality:g}', *cells])} |")
    return "\n".join(lines)


def _cell(means: dict[str, list[float]], column: str, i: int) -> str:
    if column not in means:
        return ""
    value = means[column][i] * (100 if column == "accuracy" else 1)
    return format(value, COLUMNS[column][1])
