"""The codec nacre for clips, with inter frames or with intra frames alone.

Networks are imported when the codec is made, so that processes of other codecs start without torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.entropy.errors import UsageError, WeightsError
from nacre.tools.evaluate.clips.codec import ClipCodec, CodedClip, Conditions, Stopwatch
from nacre.tools.evaluate.clips.reading import ClipInput, Samples
from nacre.tools.evaluate.codecs.base import CodecMissing, whole
from nacre.tools.evaluate.codecs.sources import nacre_version

if TYPE_CHECKING:
    from nacre.codec.clips.container import ClipFile

INTRA = "intra"


class NacreClip(ClipCodec):
    key, suffix = "nacre", ".ncv"
    parts_known = INTRA
    warms_up = True
    options = {"model": "", "device": "cpu", "precision": "float32", "effort": "0"}
    qualities = (15, 35, 55, 75)
    is_intra = False

    def __init__(
        self, name: str, options: Mapping[str, str], parts: Sequence[str], conditions: Conditions
    ) -> None:
        super().__init__(name, options, parts, conditions)
        from nacre.codec.clips.network_coder import DEFAULT_MODEL
        from nacre.models import zoo
        from nacre.models.parts.condition import InterNetwork

        self.model = self.chosen["model"] or DEFAULT_MODEL
        self._effort = self.chosen_int("effort")
        try:
            model = zoo.load_model(self.model)
        except WeightsError as error:
            if self.chosen["model"]:
                raise
            raise CodecMissing(f"{error}; --model names a file of weights for clips") from error
        if not isinstance(model.network, InterNetwork):
            raise UsageError(f"{name}: {self.model} codes pictures; a model for clips is wanted")
        self._id = model.id.hex()

    def _take_parts(self, parts: Sequence[str]) -> str | None:
        self.is_intra = INTRA in parts
        return next((part for part in parts if part != INTRA), None)

    @property
    def label(self) -> str:
        return f"nacre {Path(self.model).stem}" + (", all intra" if self.is_intra else "")

    @property
    def _gop(self) -> int:
        return 1 if self.is_intra else self.conditions.gop

    @property
    def settings(self) -> str:
        options = " ".join(
            f"--{key} {self.chosen[key]}" for key in ("device", "precision", "effort")
        )
        return f"nacre encode -q Q --gop {self._gop} --model {Path(self.model).name} {options}"

    @property
    def version(self) -> str:
        return nacre_version(self._id)

    @property
    def _where(self) -> dict[str, Any]:
        return {"device": self.chosen["device"], "precision": self.chosen["precision"]}

    def encode(self, clip: ClipInput, quality: float, path: Path) -> CodedClip:
        from nacre.codec.chunks import FileBytes
        from nacre.codec.clips.container import ClipFile
        from nacre.codec.clips.writer import VideoWriter

        watch = Stopwatch()
        with path.open("wb") as file:
            with watch:
                writer = VideoWriter(
                    file, clip.facts, quality=whole(quality), effort=self._effort, gop=self._gop,
                    model=self.model, **self._where,
                )  # fmt: skip
            for frame in clip.read():
                with watch:
                    writer.write(frame.pixels)
            with watch:
                writer.close()
        with path.open("rb") as file:
            return CodedClip(list(_frame_bytes(ClipFile(FileBytes(file)))), watch.seconds)

    def decode(self, path: Path, clip: ClipInput) -> Iterator[Samples]:
        from nacre.codec.clips.reader import VideoReader

        model = self.model if Path(self.model).suffix else None
        with VideoReader(path, model=model, strict=True, **self._where) as reader:
            for frame in reader:
                yield np.asarray(frame.pixels, np.uint8)


def _frame_bytes(file: ClipFile) -> Iterator[int]:
    for i in range(len(file.gops)):
        for frame in file.gop(i).frames:
            yield len(frame.payload.data)
