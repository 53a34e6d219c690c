"""Accuracy of a classifier on decoded pictures: its checkpoint, and the labels of the pictures.

Source: machine perceptual quality, a study of codecs by the accuracy of networks on decoded pictures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.measure import classifier_in, open_picture
from nacre.tools.evaluate.results import Evaluation, TaskFacts


@dataclass(frozen=True)
class TaskChoice:
    """A classifier of pixels and the folder whose sub-folders are the classes."""

    checkpoint: Path
    labels: Path


def label_of(name: str, folder: Path, choice: TaskChoice, known: dict[str, set[str]]) -> str:
    """Return the class of a picture: the sub-folder of the labels with the picture or a file of its name.

    Raises UsageError if there is none, or several.
    """
    path = (folder / name).resolve()
    labels = choice.labels.resolve()
    if path.is_relative_to(labels) and len(path.relative_to(labels).parts) > 1:
        return path.relative_to(labels).parts[0]
    found = known.get(Path(name).stem, set())
    if len(found) != 1:
        where = ", ".join(sorted(found)) or "none"
        raise UsageError(f"{name}: one class of {choice.labels} wanted, found {where}")
    return next(iter(found))


def take_up_task(
    choice: TaskChoice, folder: Path, found: Evaluation, say: Callable[[str], None]
) -> None:
    """Give the pictures of an evaluation their labels, and measure the classifier on the originals.

    Raises UsageError for a label that the classifier does not know.
    """
    classifier = classifier_in(choice.checkpoint)
    if not choice.labels.is_dir():
        raise UsageError(f"{choice.labels} is not a folder")
    known: dict[str, set[str]] = defaultdict(set)
    for path in choice.labels.glob("*/*"):
        known[path.stem].add(path.parent.name)
    right = 0
    for name, facts in found.pictures.items():
        label = label_of(name, folder, choice, known)
        if label not in classifier.classes:
            raise UsageError(f"{name}: class {label!r} is none of {', '.join(classifier.classes)}")
        found.pictures[name] = replace(facts, label=label)
        right += classifier.recognise(open_picture(folder / name)) == label
    accuracy = right / len(found.pictures)
    found.task = TaskFacts(choice.checkpoint.name, classifier.id, accuracy)
    say(f"{choice.checkpoint.name}: {100 * accuracy:.1f} % of the originals are recognised")
