"""Pictures with labels from folders: FOLDER/CLASS/PICTURE, or such folders in FOLDER/train and FOLDER/test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nacre.datasets.latents.coding import prepared
from nacre.datasets.pictures import picture_suffixes
from nacre.entropy.errors import ImageError, UsageError

TRAIN, TEST = "train", "test"
TEST_SHARE = 0.2  # of each class, where a folder is split


@dataclass(frozen=True)
class LabelledFiles:
    """Paths with the class numbers of the files."""

    classes: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def limited(self, count: int | None) -> LabelledFiles:
        """The first `count` files of each class; all files for None."""
        seen = [0] * len(self.classes)
        chosen = []
        for k, label in enumerate(self.labels):
            seen[label] += 1
            if count is None or seen[label] <= count:
                chosen.append(k)
        return self.part(chosen)

    def part(self, chosen: Sequence[int]) -> LabelledFiles:
        return LabelledFiles(
            self.classes,
            tuple(self.paths[k] for k in chosen),
            tuple(self.labels[k] for k in chosen),
        )

    def pixels(self, side: int) -> Tensor:
        """(N, 3, side, side) uint8: the short side scaled to `side`, the middle cut out. Raises UsageError."""
        found = torch.empty(len(self), 3, side, side, dtype=torch.uint8)
        for k, path in enumerate(self.paths):
            try:
                pixels = prepared(path.read_bytes(), side, side)
            except (OSError, ImageError) as error:
                raise UsageError(f"{path}: {error}") from error
            found[k] = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)
        return found


def read_folder(folder: Path) -> LabelledFiles:
    """The pictures in the sub-folders, each a class. Raises UsageError for fewer than two classes."""
    suffixes = picture_suffixes()
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    found = {
        inner.name: sorted(p for p in inner.iterdir() if p.suffix.lower() in suffixes)
        for inner in sorted(folder.iterdir())
        if inner.is_dir()
    }
    classes = tuple(name for name, paths in found.items() if paths)
    if len(classes) < 2:
        raise UsageError(f"{folder}: a sub-folder of pictures for each class wanted")
    pairs = [(path, k) for k, name in enumerate(classes) for path in found[name]]
    return LabelledFiles(classes, tuple(p for p, _ in pairs), tuple(k for _, k in pairs))


def train_and_test(folder: Path, seed: int = 0) -> tuple[LabelledFiles, LabelledFiles]:
    """The files of FOLDER/train and FOLDER/test; else FOLDER split, a random share of each class for tests.

    Raises UsageError.
    """
    if (folder / TRAIN).is_dir() and (folder / TEST).is_dir():
        train, test = read_folder(folder / TRAIN), read_folder(folder / TEST)
        if train.classes != test.classes:
            raise UsageError(f"{folder}: {TRAIN} and {TEST} have different classes")
        return train, test
    whole = read_folder(folder)
    order = np.random.default_rng(seed).permutation(len(whole)).tolist()
    labels = np.array(whole.labels)
    tests: set[int] = set()
    for label in range(len(whole.classes)):
        own = [k for k in order if labels[k] == label]
        tests.update(own[: max(1, round(TEST_SHARE * len(own)))])
    rest = [k for k in range(len(whole)) if k not in tests]
    return whole.part(rest), whole.part(sorted(tests))
