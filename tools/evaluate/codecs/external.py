"""Codecs that are external programs: VTM, vvenc and BPG, by their exact command lines.

An option of the codec's name, an environment variable or the PATH names each program. It runs under a time
limit in a temporary folder, and its output file is checked.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from nacre.entropy.errors import ImageError
from nacre.tools.evaluate.codecs.av import decode_frame
from nacre.tools.evaluate.codecs.base import Codec, CodecFailed, CodecMissing, Stages, whole
from nacre.tools.evaluate.codecs.programs import run_program
from nacre.tools.evaluate.planes import pack, to_even_sides, to_planes, to_rgb, unpack

DEPTH = 10  # bits of the internal samples and the output of VVC


class ExternalCodec(Codec):
    """A codec of one program for encoding and, if `programs` names it, one for decoding."""

    programs: Mapping[str, tuple[str, str]]  # option: (environment variable, usual file name)
    how: str  # the way to get the programs, for messages

    def __init__(self, name: str, options: Mapping[str, str]) -> None:
        super().__init__(name, options)
        self.time_limit_seconds = self.chosen_int("time_limit")
        self._peak_memory_mib: float | None = None
        self.paths = {option: self._find(option) for option in self.programs}

    def _find(self, option: str) -> str:
        variable, usual = self.programs[option]
        asked = self.chosen[option] or os.environ.get(variable)
        if asked and Path(asked).is_file():
            return str(Path(asked).resolve())
        found = None if asked else shutil.which(usual)
        if found is None:
            what = f"{asked} is not a file" if asked else f"no {usual} on the PATH"
            raise CodecMissing(
                f"{what}; {self.how}; name it by {self.key}@{option}=PATH or {variable}"
            )
        return found

    def run(self, command: Sequence[str], folder: Path, output: str) -> bytes:
        """Run `command` in `folder` and return the file `output` that it wrote. Raises CodecFailed."""
        program = Path(command[0]).name
        ended = run_program(command, folder, self.time_limit_seconds)
        self._peak_memory_mib = ended.peak_memory_mib
        if ended.code:
            raise CodecFailed(
                f"{program} ended with {ended.code}: {ended.last_line or 'no message'}"
            )
        path = folder / output
        if not path.is_file() or not path.stat().st_size:
            raise CodecFailed(f"{program} wrote nothing")
        return path.read_bytes()

    def stages(self) -> Stages:
        return Stages(peak_memory_mib=self._peak_memory_mib)

    @property
    def version(self) -> str:
        """File names and digests of the programs; not every program reports its version."""
        return ", ".join(f"{Path(path).name} {_digest(path)}" for path in self.paths.values())


def _digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:8]


class Vtm(ExternalCodec):
    """The reference software of VVC, all intra. `depth` is the bit depth of the input; papers use 8."""

    key = "vtm"
    options = {"encoder": "", "decoder": "", "config": "", "depth": "8", "truncate": "0",
               "time_limit": "7200"}  # fmt: skip
    programs = {
        "encoder": ("NACRE_VTM_ENCODER", "EncoderAppStatic"),
        "decoder": ("NACRE_VTM_DECODER", "DecoderAppStatic"),
        "config": ("NACRE_VTM_CONFIG", "encoder_intra_vtm.cfg"),
    }
    how = "build VVCSoftware_VTM (cfg/encoder_intra_vtm.cfg is in its sources)"
    qualities = (47, 42, 37, 32, 27, 22, 17)

    @property
    def label(self) -> str:
        return "VTM 4:4:4"

    @property
    def settings(self) -> str:
        line = " ".join(["EncoderAppStatic", *self._arguments("Q", "W", "H")])
        truncated = ", fractions cut off" if self.chosen_int("truncate") else ""
        return f"{line.replace(self.paths['config'], 'encoder_intra_vtm.cfg')}{truncated}"

    def _arguments(self, quality: str, width: str, height: str) -> list[str]:
        return [
            "-c", self.paths["config"], "-i", "in.yuv", "-b", "out.bin", "-o", os.devnull, "-q", quality,
            "-wdt", width, "-hgt", height, "-fr", "1", "-f", "1", "--InputChromaFormat=444",
            f"--InputBitDepth={self.chosen_int('depth')}", f"--InternalBitDepth={DEPTH}",
            "--ConformanceWindowMode=1",
        ]  # fmt: skip

    def _encode(self, image: Image.Image, quality: float) -> bytes:
        depth = self.chosen_int("depth")
        planes = to_planes(np.asarray(image), depth, truncate=bool(self.chosen_int("truncate")))
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "in.yuv").write_bytes(pack(planes, depth))
            arguments = self._arguments(str(whole(quality)), str(image.width), str(image.height))
            return self.run([self.paths["encoder"], *arguments], Path(folder), "out.bin")

    def decode(self, data: bytes, size: tuple[int, int]) -> Image.Image:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "out.bin").write_bytes(data)
            command = [self.paths["decoder"], "-b", "out.bin", "-o", "rec.yuv", "-d", str(DEPTH)]
            raw = self.run(command, Path(folder), "rec.yuv")
        try:
            return Image.fromarray(to_rgb(unpack(raw, *size, DEPTH), DEPTH))
        except ImageError as error:
            raise CodecFailed(f"DecoderAppStatic: {error}") from error


class Vvenc(ExternalCodec):
    """Fraunhofer's VVC encoder, which codes 4:2:0 only, and the VVC decoder of FFmpeg in PyAV."""

    key = "vvenc"
    options = {"encoder": "", "preset": "slow", "time_limit": "1200"}
    programs = {"encoder": ("NACRE_VVENCAPP", "vvencapp")}
    how = "build or install Fraunhofer vvenc"
    qualities = (47, 42, 37, 32, 27, 22, 17)

    @property
    def label(self) -> str:
        return "VVC 4:2:0 (vvenc)"

    @property
    def settings(self) -> str:
        return " ".join(["vvencapp", *self._arguments("Q", "WxH")])

    def _arguments(self, quality: str, size: str) -> list[str]:
        return [
            "--input", "in.yuv", "--size", size, "--format", "yuv420_10", "--framerate", "1", "--frames", "1",
            "--intraperiod", "1", "--preset", self.chosen["preset"], "--qp", quality, "--qpa", "0",
            "--internal-bitdepth", str(DEPTH), "--threads", "1", "--output", "out.266",
        ]  # fmt: skip

    def _encode(self, image: Image.Image, quality: float) -> bytes:
        even = to_even_sides(np.asarray(image))
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "in.yuv").write_bytes(pack(to_planes(even, DEPTH, True), DEPTH))
            arguments = self._arguments(str(whole(quality)), f"{even.shape[1]}x{even.shape[0]}")
            return self.run([self.paths["encoder"], *arguments], Path(folder), "out.266")

    def decode(self, data: bytes, size: tuple[int, int]) -> Image.Image:
        planes = decode_frame("vvc", data, "yuv420p10le")
        return Image.fromarray(to_rgb(planes, DEPTH)[: size[1], : size[0]])


class Bpg(ExternalCodec):
    """HEVC intra in the BPG container, by libbpg."""

    key = "bpg"
    options = {"encoder": "", "decoder": "", "effort": "9", "time_limit": "600"}
    programs = {
        "encoder": ("NACRE_BPGENC", "bpgenc"),
        "decoder": ("NACRE_BPGDEC", "bpgdec"),
    }
    how = "build libbpg"
    qualities = (47, 42, 37, 32, 27, 22, 17, 12)

    @property
    def label(self) -> str:
        return "BPG 4:4:4"

    @property
    def settings(self) -> str:
        return " ".join(["bpgenc", *self._arguments("Q")])

    def _arguments(self, quality: str) -> list[str]:
        effort = str(self.chosen_int("effort"))
        return ["-q", quality, "-f", "444", "-c", "ycbcr", "-b", "8", "-e", "x265", "-m", effort,
                "-o", "out.bpg", "in.png"]  # fmt: skip

    def _encode(self, image: Image.Image, quality: float) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            image.save(Path(folder) / "in.png")
            command = [self.paths["encoder"], *self._arguments(str(whole(quality)))]
            return self.run(command, Path(folder), "out.bpg")

    def decode(self, data: bytes, size: tuple[int, int]) -> Image.Image:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "out.bpg").write_bytes(data)
            command = [self.paths["decoder"], "-o", "rec.png", "out.bpg"]
            self.run(command, Path(folder), "rec.png")
            try:
                return Image.open(Path(folder) / "rec.png").convert("RGB")
            except (UnidentifiedImageError, OSError) as error:
                raise CodecFailed(f"bpgdec: {error}") from error
