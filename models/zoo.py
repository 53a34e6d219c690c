"""The models of this installation: their names, cards and weights; loaded once and kept.

Reading cards needs no torch: `nacre models` and `nacre info` answer at once.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacre.entropy.errors import UnsupportedStream, WeightsError

if TYPE_CHECKING:
    from nacre.models.weights_file import CodingModel

DEFAULT = "nacre"
FOLDER = Path(__file__).parent / "weights"


def names() -> list[str]:
    """The models that are embedded, the default first."""
    found = [p.stem for p in FOLDER.glob("*.safetensors")]
    return sorted(found, key=lambda name: (name != DEFAULT, name))


def card(name: str) -> dict[str, Any]:
    """What the model card of an embedded model says."""
    return dict(json.loads((FOLDER / f"{name}.json").read_text()))


def installed(id_bytes: int) -> dict[bytes, str]:
    """The embedded models' names by their id, which is the start of their SHA-256."""
    return {bytes.fromhex(str(card(name)["sha256"]))[:id_bytes]: name for name in names()}


def load_model(model: str | Path = DEFAULT) -> CodingModel:
    """An embedded model by name, or one from the path of its weights file (.safetensors).

    Raises WeightsError when there is none, or when it is damaged.
    """
    if str(model) in names():
        return _load(FOLDER / f"{model}.safetensors", str(card(str(model))["sha256"]))
    path = Path(model)
    if path.suffix != ".safetensors":
        raise WeightsError(f"no model is called {str(model)!r}; there is: {', '.join(names())}")
    if not path.is_file():
        raise WeightsError(f"no weights file {path}")
    return _load(path.resolve(), None)


def model_of_stream(id: bytes, model: str | Path | None = None) -> CodingModel:
    """The model that a file was written with; `model` adds one to those that are embedded.

    Raises UnsupportedStream when this installation does not have it.
    """
    known = installed(len(id))
    if model is not None:
        loaded = load_model(model)
        if loaded.id == id:
            return loaded
        known[loaded.id] = str(model)
    if id not in known:
        have = ", ".join(f"{name} ({key.hex()})" for key, name in known.items())
        raise UnsupportedStream(f"written with model {id.hex()}; here is {have}")
    return load_model(known[id])


@lru_cache(maxsize=4)
def _load(path: Path, sha256: str | None) -> CodingModel:
    from nacre.models.weights_file import unpack

    data = path.read_bytes()
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise WeightsError(f"{path.name} is not what its model card says: the file is damaged")
    import torch

    with torch.inference_mode(False):  # they are kept, and serve searches by gradient too
        return unpack(data)
