"""The codec nacre, with separate seconds of entropy coding."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from nacre.entropy.clock import measured
from nacre.tools.evaluate.codecs.base import Codec, Stages, whole
from nacre.tools.evaluate.codecs.sources import nacre_version


class Nacre(Codec):
    key = "nacre"
    warms_up = True
    options = {"model": "", "device": "cpu", "precision": "float32", "effort": "1"}
    qualities: tuple[float, ...] = (1, 10, 20, 30, 40, 50, 58, 66, 76, 88, 100)

    def __init__(self, name: str, options: Mapping[str, str]) -> None:
        super().__init__(name, options)
        from nacre.codec.encoder import DEFAULT_QUALITY
        from nacre.models import zoo

        self.model = self.chosen["model"] or zoo.DEFAULT
        model = zoo.load_model(self.model)
        self._id = model.id.hex()
        if model.network.is_one_rate:
            self.qualities = (DEFAULT_QUALITY,)
        self._entropy_seconds = 0.0

    @property
    def label(self) -> str:
        return Path(self.model).stem

    @property
    def settings(self) -> str:
        rest = "".join(
            f", {key}={self.chosen[key]}"
            for key in ("device", "precision", "effort")
            if self.chosen[key] != self.options[key]
        )
        return f"nacre encode -q Q --strip --model {Path(self.model).name}{rest}"

    @property
    def version(self) -> str:
        return nacre_version(self._id)

    def _encode(self, image: Image.Image, quality: float) -> bytes:
        from nacre import codec

        with measured() as clock:
            data = codec.encode(
                image,
                quality=whole(quality),
                model=self.model,
                device=self.chosen["device"],
                precision=self.chosen["precision"],
                strip=True,
                effort=self.chosen_int("effort"),
            )
        self._entropy_seconds = clock.seconds
        return data

    def decode(self, data: bytes, size: tuple[int, int]) -> Image.Image:
        from nacre import codec

        with measured() as clock:
            image = codec.decode(
                data,
                model=self.model if Path(self.model).suffix else None,
                device=self.chosen["device"],
                precision=self.chosen["precision"],
            )
        self._entropy_seconds = clock.seconds
        return image.convert("RGB")

    def stages(self) -> Stages:
        return Stages(entropy=self._entropy_seconds)
