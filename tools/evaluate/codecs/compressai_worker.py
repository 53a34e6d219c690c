"""Encodes and decodes with CompressAI on request: in this process, or as a worker with one JSON line each way.

Imports nothing of nacre. A file is the quality (1 byte), width and height (2 bytes each), then each string
after its length (4 bytes), all little-endian: CompressAI itself defines no container.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import time
from pathlib import Path
from typing import Any

BLOCK = 64  # pixels; sides are padded to it, at the right and the bottom
HEAD = struct.Struct("<BHH")  # quality, width, height
LENGTH = struct.Struct("<I")


class Worker:
    """One architecture of CompressAI's zoo, with the network of the last quality in memory."""

    def __init__(self, hello: dict[str, Any]) -> None:
        import compressai
        import compressai.zoo
        import torch

        if hello["threads"]:
            torch.set_num_threads(int(hello["threads"]))
        self._make = compressai.zoo.image_models[hello["model"]]
        self._metric, self._folder = hello["metric"], hello["checkpoints"]
        self._name = hello["model"]
        self._network: tuple[int, Any] = (0, None)
        self.network(hello["quality"])
        self.version = f"compressai {compressai.__version__}, torch {torch.__version__}"

    def network(self, quality: int) -> Any:
        if self._network[0] != quality:
            self._network = (quality, self._load(quality))
        return self._network[1]

    def _load(self, quality: int) -> Any:
        import torch

        if not self._folder:
            return self._make(quality=quality, metric=self._metric, pretrained=True).eval()
        metric = "" if self._metric == "mse" else f"{self._metric}-"
        pattern = f"{self._name}-{metric}{quality}[-.]*"
        found = sorted(Path(self._folder).glob(pattern))
        if len(found) != 1:
            raise FileNotFoundError(f"{len(found)} files {pattern} in {self._folder}, not one")
        network = self._make(quality=quality, metric=self._metric, pretrained=False)
        state = torch.load(found[0], map_location="cpu", weights_only=True)
        network = type(network).from_state_dict(state.get("state_dict", state))
        network.update(force=True)
        return network.eval()

    def encode(self, source: str, target: str, quality: int) -> float:
        import numpy as np
        import torch
        from PIL import Image

        image = Image.open(source).convert("RGB")
        network = self.network(quality)
        start = time.perf_counter()
        x = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255
        pad = (0, -image.width % BLOCK, 0, -image.height % BLOCK)
        strings = network.compress(torch.nn.functional.pad(x, pad, mode="replicate"))["strings"]
        data = HEAD.pack(quality, image.width, image.height)
        for (string,) in strings:
            data += LENGTH.pack(len(string)) + string
        seconds = time.perf_counter() - start
        Path(target).write_bytes(data)
        return seconds

    def decode(self, source: str, target: str) -> float:
        from PIL import Image

        data = Path(source).read_bytes()
        quality, width, height = HEAD.unpack_from(data)
        network = self.network(quality)
        start = time.perf_counter()
        strings, at = [], HEAD.size
        while at < len(data):
            (length,) = LENGTH.unpack_from(data, at)
            at += LENGTH.size + length
            strings.append([data[at - length : at]])
        shape = (-(-height // BLOCK), -(-width // BLOCK))
        if len(strings) == 1:  # no hyper-latent: y itself, at a stride of 16
            shape = (shape[0] * 4, shape[1] * 4)
        x_hat = network.decompress(strings, shape)["x_hat"]
        levels = (x_hat[0, :, :height, :width].clamp(0, 1) * 255).round().byte()
        seconds = time.perf_counter() - start
        Image.fromarray(levels.permute(1, 2, 0).numpy()).save(target, compress_level=1)
        return seconds


class Session:
    """Answers requests; the first one, hello, names the architecture."""

    def __init__(self) -> None:
        self._worker: Worker | None = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request, or `error`."""
        try:
            if self._worker is None:
                self._worker = Worker(request)
                return {"version": self._worker.version, "qualities": qualities(request)}
            import torch

            with torch.inference_mode():
                return {"seconds": getattr(self._worker, request.pop("do"))(**request)}
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}


def main() -> None:
    sys.path.pop(0)  # this folder: its module compressai would hide the package
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # prints of libraries go to stderr
    session = Session()
    for line in sys.stdin:
        print(json.dumps(session.answer(json.loads(line))), file=answers, flush=True)


def qualities(hello: dict[str, Any]) -> int:
    """Return the number of qualities of a model in the zoo."""
    from compressai.zoo.image import cfgs

    return len(cfgs[hello["model"]])


if __name__ == "__main__":
    main()
