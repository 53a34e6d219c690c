"""The models of this installation: their names, cards and weights; loaded once and kept.

A model is found in the package, in the user's folder, or by the path of its weights file. Reading cards needs
no torch: `nacre models` and `nacre info` answer at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacre.entropy.errors import UnsupportedStream, WeightsError

if TYPE_CHECKING:
    from nacre.models.family import CodingModel

DEFAULT = "nacre"
FOLDER = Path(__file__).parent / "weights"
VARIABLE = "NACRE_MODELS"  # environment variable that names the user's folder
SUFFIX, CARD_SUFFIX = ".safetensors", ".json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MOST_KEPT = 4  # models in memory

Signature = tuple[int, ...]


def user_folder() -> Path:
    """The folder of models that the user added; it need not exist."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    from platformdirs import user_data_path

    return user_data_path("nacre", appauthor=False) / "models"


def names() -> list[str]:
    """The installed models, the default first."""
    return list(_weights())


def _weights() -> dict[str, Path]:
    """The weights files of all installed models, default first; models of the package cannot be replaced."""
    found: dict[str, Path] = {}
    for folder in (user_folder(), FOLDER):
        paths = folder.glob(f"*{SUFFIX}") if folder.is_dir() else ()
        found.update((path.stem, path) for path in paths if path.with_suffix(CARD_SUFFIX).is_file())
    return dict(sorted(found.items(), key=lambda item: (item[0] != DEFAULT, item[0])))


def card(name: str) -> dict[str, Any]:
    """The model card of an installed model. Raises WeightsError when there is none, or it is damaged."""
    path = _weights().get(name)
    if path is None:
        raise _unknown(name)
    return read_card(path.with_suffix(CARD_SUFFIX))


def read_card(path: Path) -> dict[str, Any]:
    """The model card in a file. Raises WeightsError."""
    try:
        return dict(_card_as_it_is(path, _signature(path)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} is no model card") from error


@lru_cache(64)
def _card_as_it_is(path: Path, signature: Signature) -> dict[str, Any]:
    """The card in a file that has this signature."""
    found = dict(json.loads(path.read_text("utf-8")))
    bytes.fromhex(found["sha256"])
    return found


def _unknown(name: str) -> WeightsError:
    return WeightsError(f"no model is called {name!r}; installed are {', '.join(names())}")


def installed(id_bytes: int) -> dict[bytes, str]:
    """The names of the installed models by id: the first `id_bytes` of the SHA-256."""
    return {
        bytes.fromhex(read_card(path.with_suffix(CARD_SUFFIX))["sha256"])[:id_bytes]: name
        for name, path in _weights().items()
    }


def load_model(model: str | Path = DEFAULT) -> CodingModel:
    """An installed model by name, or one from the path of its weights file (.safetensors).

    A file is read again when it has changed; equal content is loaded once. Raises WeightsError when there
    is no such model, or when it is damaged.
    """
    known = _weights().get(str(model))
    if known is not None:
        return _loaded(known, str(read_card(known.with_suffix(CARD_SUFFIX))["sha256"]))
    path = Path(model)
    if path.suffix != SUFFIX:
        raise _unknown(str(model))
    if not path.is_file():
        raise WeightsError(f"no weights file {path}")
    return _loaded(path.resolve(), None)


def model_of_stream(id: bytes, model: str | Path | None = None) -> CodingModel:
    """The model with which a file was written; `model` is searched beside the installed models.

    Raises UnsupportedStream if it is not found.
    """
    others: dict[bytes, str] = {}
    if model is not None:
        loaded = load_model(model)
        if loaded.id == id:
            return loaded
        others[loaded.id] = str(model)
    known = {**installed(len(id)), **others}
    if id not in known:
        have = ", ".join(f"{name} ({key.hex()})" for key, name in known.items())
        raise UnsupportedStream(f"written with model {id.hex()}; installed are {have}")
    return load_model(known[id])


_models: OrderedDict[str, CodingModel] = OrderedDict()  # by SHA-256, the last used one last
_hashes: dict[Path, tuple[Signature, str]] = {}  # signature and hash of each file when it was read


def _loaded(path: Path, expected: str | None) -> CodingModel:
    """The model in a file, by its content; `expected` is the SHA-256 that its card gives."""
    try:
        signature = _signature(path)
        seen, sha256 = _hashes.get(path, (None, ""))
        data = None
        if seen != signature or sha256 not in _models:
            data = path.read_bytes()
            sha256 = hashlib.sha256(data).hexdigest()
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror}") from error
    if expected is not None and sha256 != expected:
        raise WeightsError(f"{path.name} does not match its model card: the file is damaged")
    model = _models.get(sha256)
    if model is None:
        from nacre.models.weights_file import unpack

        model = unpack(
            data if data is not None else path.read_bytes(), is_known=expected is not None
        )
    _hashes[path] = (signature, sha256)
    _models[sha256] = model
    _models.move_to_end(sha256)
    while len(_models) > MOST_KEPT:
        _models.popitem(last=False)
    return model


def _signature(path: Path) -> Signature:
    """A value that changes with the file."""
    state = path.stat()
    return state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns
