"""A task checkpoint: one safetensors file with the configuration, the classes and the weights of a classifier.

The metadata key "nacre task" holds JSON: "version", "config" (fields of ClassifierConfig), "classes",
"reads", "side", "model", "plane". Tensors are those of the network, float32.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from nacre.datasets.latents.coding import prepared
from nacre.entropy.errors import UsageError, WeightsError
from nacre.models.parts.unfilled import unfilled
from nacre.tools.streams import write_output
from nacre.tools.tasks.classifier import ClassifierConfig, TaskClassifier

KEY, VERSION = "nacre task", 1
PIXELS, LATENTS = "pixels", "latents"
ID_DIGITS = 16  # hexadecimal digits that an id keeps of the SHA-256 of a file


@dataclass(frozen=True)
class TaskCheckpoint:
    """A classifier with the facts that its use needs."""

    network: TaskClassifier
    classes: tuple[str, ...]  # names, in the order of the logits
    side: int  # pixels a side of the pictures that it was trained on
    reads: str = (
        PIXELS  # (B, 3, side, side) in [0, 1], or LATENTS: (B, C, h, w) times their step sizes
    )
    model: str = ""  # of the latents: id of its weights in hexadecimal, if known
    plane: str = ""  # of the latents
    id: str = field(default="", compare=False)  # start of the SHA-256 of the file; "" before saving

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if len(self.classes) != self.network.config.classes:
            raise ValueError(f"{len(self.classes)} names for {self.network.config.classes} classes")
        if self.reads not in (PIXELS, LATENTS) or self.side < 1:
            raise ValueError(f"reads {self.reads!r}, side {self.side}")

    def to_bytes(self) -> bytes:
        facts = {
            "version": VERSION,
            "config": asdict(self.network.config),
            "classes": self.classes,
            "reads": self.reads,
            "side": self.side,
            "model": self.model,
            "plane": self.plane,
        }
        state = {
            k: v.detach().float().cpu().contiguous() for k, v in self.network.state_dict().items()
        }
        data: bytes = save(state, {KEY: json.dumps(facts, sort_keys=True)})
        return data

    def save(self, path: str | Path) -> None:
        """Write the file, whole or not at all."""
        write_output(str(path), self.to_bytes(), force=True)

    @classmethod
    def load(cls, path: str | Path) -> TaskCheckpoint:
        """Read a checkpoint, in evaluation mode without gradients. Raises UsageError or WeightsError."""
        path = Path(path)
        try:
            id = hashlib.sha256(path.read_bytes()).hexdigest()[:ID_DIGITS]
            with safe_open(path, "pt") as file:
                facts = json.loads((file.metadata() or {})[KEY])
                # Cloned, since rounding depends on memory alignment, which varies in files.
                state = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118
            if facts["version"] != VERSION:
                raise WeightsError(f"{path}: version {facts['version']!r} is not {VERSION}")
            with unfilled():
                network = TaskClassifier(ClassifierConfig(**facts["config"]))
            network.load_state_dict(state, assign=True)
            return cls(
                network.eval().requires_grad_(False),
                tuple(map(str, facts["classes"])),
                int(facts["side"]),
                str(facts["reads"]),
                str(facts["model"]),
                str(facts["plane"]),
                id,
            )
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror or error}") from error
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise WeightsError(
                f"{path} is no task checkpoint of nacre: {str(error).splitlines()[0]}"
            ) from error

    @torch.inference_mode()
    def recognise(self, image: Image.Image) -> str:
        """The class of a picture, scaled and cut as in training. Raises UsageError if it reads latents."""
        if self.reads != PIXELS:
            raise UsageError(f"the classifier reads {self.reads}, not {PIXELS}")
        return self.classes[int(self.network(self.pixels(image)[None]).argmax())]

    def pixels(self, image: Image.Image) -> Tensor:
        """(3, side, side) in [0, 1]: the short side scaled to `side`, the middle cut out."""
        pixels = prepared(image, self.side, self.side)
        return torch.from_numpy(np.array(pixels)).permute(2, 0, 1).float() / 255
