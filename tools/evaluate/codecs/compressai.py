"""Models of CompressAI, run in this process if it can import CompressAI, else by another Python.

compressai:MODEL@python=PATH or NACRE_COMPRESSAI_PYTHON names another Python, which is then always used:
CompressAI needs torchvision and numpy below 2. CompressAI downloads the weights, unless checkpoints=FOLDER or
NACRE_COMPRESSAI_CHECKPOINTS names a folder with them.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.codecs.base import Codec, CodecFailed, CodecMissing, Stages, whole
from nacre.tools.evaluate.codecs.compressai_worker import Session
from nacre.tools.evaluate.memory import PeakMemory

WORKER = Path(__file__).with_name("compressai_worker.py")


class CompressAi(Codec):
    """One architecture of the zoo, in this process or in a worker process that lives as long as the codec."""

    key = "compressai"
    warms_up = True
    options = {
        "model": "mbt2018-mean",
        "metric": "mse",
        "python": "",
        "checkpoints": "",
        "threads": "",
    }
    qualities: tuple[float, ...] = (1, 2, 3, 4, 5, 6, 7, 8)

    def __init__(self, name: str, options: Mapping[str, str]) -> None:
        super().__init__(name, options)
        python = self.chosen["python"] or os.environ.get("NACRE_COMPRESSAI_PYTHON")
        if not python and not is_here():
            raise CodecMissing(
                'pip install "nacre[compressai]", or name a Python that has compressai by '
                "compressai:MODEL@python=PATH or NACRE_COMPRESSAI_PYTHON (docs/evaluation.md)"
            )
        if self.chosen["metric"] not in ("mse", "ms-ssim"):
            raise UsageError(f"{name}: metric is mse or ms-ssim")
        folder = self.chosen["checkpoints"] or os.environ.get("NACRE_COMPRESSAI_CHECKPOINTS", "")
        self._stages = Stages()
        self._worker = _OtherPython([python, str(WORKER)], name) if python else _ThisPython()
        hello = {key: self.chosen[key] for key in ("model", "metric", "threads")}
        try:
            answer = self._ask({"checkpoints": folder, "quality": self.qualities[0], **hello})
        except CodecFailed as error:
            raise CodecMissing(str(error)) from error
        self._version = answer["version"] + _checkpoints(folder, self.chosen["model"])
        self.qualities = tuple(range(1, answer["qualities"] + 1))

    @property
    def label(self) -> str:
        return f"{self.chosen['model']} ({self.chosen['metric']}, CompressAI)"

    @property
    def settings(self) -> str:
        return (
            f"compressai.zoo {self.chosen['model']}(quality=Q, metric={self.chosen['metric']!r}), compress, "
            "decompress; strings with 5 bytes of head and 4 for each length"
        )

    @property
    def version(self) -> str:
        return self._version

    def _encode(self, image: Image.Image, quality: float) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "in.png", Path(folder) / "out.bin"
            image.save(source, compress_level=1)
            self._do("encode", source, target, quality=whole(quality))
            return target.read_bytes()

    def decode(self, data: bytes, size: tuple[int, int]) -> Image.Image:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "in.bin", Path(folder) / "out.png"
            source.write_bytes(data)
            self._do("decode", source, target)
            return Image.open(target).convert("RGB")

    def stages(self) -> Stages:
        return self._stages

    def _do(self, what: str, source: Path, target: Path, **more: int) -> None:
        memory = PeakMemory(self._worker.pid)
        answer = self._ask({"do": what, "source": str(source), "target": str(target), **more})
        self._stages = Stages(whole=answer["seconds"], peak_memory_mib=memory.mib())

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The worker's answer. Raises CodecFailed."""
        answer = self._worker.ask(request)
        if "error" in answer:
            raise CodecFailed(f"{self.name}: {answer['error']}")
        return answer


def is_here() -> bool:
    """Whether this Python can import CompressAI."""
    try:
        import compressai  # noqa: F401
    except Exception:  # its compiled parts may raise anything if packages do not fit
        return False
    return True


class _ThisPython:
    """CompressAI in this process."""

    def __init__(self) -> None:
        self._session, self.pid = Session(), os.getpid()

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return self._session.answer(dict(request))


class _OtherPython:
    """CompressAI in a worker process."""

    def __init__(self, command: list[str], name: str) -> None:
        self._name = name
        self._process = _start(command, name)
        self.pid = self._process.pid

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send one JSON line and return the answer, one JSON line. Raises CodecFailed."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
            line = stdout.readline()
        except OSError:  # it has ended
            line = ""
        if not line:
            raise CodecFailed(f"{self._name}: its Python ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __del__(self) -> None:
        process = getattr(self, "_process", None)
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                pipe.close()


def _checkpoints(folder: str, model: str) -> str:
    """Return a digest of names, sizes and times of local weights, which is a part of the version."""
    if not folder:
        return ""
    files = [(path.name, path.stat()) for path in sorted(Path(folder).glob(f"{model}-*"))]
    facts = repr([(name, stat.st_size, stat.st_mtime_ns) for name, stat in files])
    return f", checkpoints {hashlib.sha256(facts.encode()).hexdigest()[:8]}"


def _start(command: list[str], name: str) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except OSError as error:
        raise CodecMissing(f"{name}: {command[0]}: {error.strerror}") from error
