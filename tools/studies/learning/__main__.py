"""Compare learning from latents with learning from pixels, on the same labelled pictures: docs/learning.md.

    python -m nacre.tools.studies.learning FOLDER --json docs/results/learning.json
    python -m nacre.tools.studies.learning FOLDER --models nacre my.safetensors --qualities 20 50 --seeds 3

FOLDER has train/ and test/ with a sub-folder for each class, or only the classes, which are then split.
Parts: (1) a classifier for each way to store the pictures; (2) the classifier of pixels on pictures of other
codecs at equal bytes; (3) upscaling by 2 from latents and from pixels of equal bytes. --save writes the
classifier of pixels as a task checkpoint.
"""

from __future__ import annotations

import tempfile
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev

import torch
from torch import Tensor

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.codecs.base import CodecMissing
from nacre.tools.evaluate.codecs.registry import create
from nacre.tools.studies import study
from nacre.tools.studies.learning.restoring import bicubic, distortion, restored
from nacre.tools.studies.learning.stored import (
    StoredSet,
    as_latents,
    as_pixels,
    decoded_latents,
    quality_for,
    shrunk,
    through,
)
from nacre.tools.studies.study import Figures
from nacre.tools.tasks.checkpoint import TaskCheckpoint
from nacre.tools.tasks.classifier import ClassifierConfig, TaskClassifier
from nacre.tools.tasks.fitting import Fitting, accuracy, as_input, fit
from nacre.tools.tasks.labelled import LabelledFiles, train_and_test

STRIDE = 16  # pixels a side, at full size, for one position of a classifier
JPEG_QUALITY = 75  # of the pixels of full size
OTHERS = ("jpeg", "webp", "avif")
FULL = f"pixels, JPEG of quality {JPEG_QUALITY}"


@dataclass(frozen=True)
class LabelledPixels:
    """Square pictures of one size, uint8, with their labels."""

    train: Tensor  # (N, 3, side, side)
    test: Tensor
    train_labels: Tensor  # (N,)
    test_labels: Tensor
    classes: tuple[str, ...]

    @property
    def positions(self) -> int:
        """Positions a side of the first stage of a classifier."""
        return self.train.shape[-1] // STRIDE


def files_of(args: Namespace) -> tuple[LabelledFiles, LabelledFiles]:
    """The files for training and for tests."""
    train, test = train_and_test(args.folder)
    return train.limited(args.limit), test.limited(args.limit)


def read_pixels(args: Namespace) -> LabelledPixels:
    if args.side % (2 * STRIDE):
        raise UsageError(f"--side {args.side}: a multiple of {2 * STRIDE} wanted")
    train, test = files_of(args)
    return LabelledPixels(
        train.pixels(args.side),
        test.pixels(args.side),
        torch.tensor(train.labels),
        torch.tensor(test.labels),
        train.classes,
    )


@dataclass(frozen=True)
class LearningRun:
    """Trains one kind of classifier on each way to store the pictures."""

    data: LabelledPixels
    how: Fitting
    seeds: int
    width: int

    def learn(
        self, stored: StoredSet, stem: str = "patch", flips: bool = True
    ) -> tuple[Figures, list[TaskClassifier]]:
        """The figures of a table row, and the networks of all seeds."""
        networks, right, seconds = [], [], []
        inputs, side = stored.train.shape[1:3]
        config = ClassifierConfig(
            len(self.data.classes),
            inputs,
            patch=max(1, side // self.data.positions),
            grow=max(1, self.data.positions // side),
            stem=stem,
            width=self.width,
        )
        for seed in range(self.seeds):
            torch.manual_seed(seed)
            network = TaskClassifier(config)
            how = replace(self.how, seed=seed, flips=flips, shift=self.how.shift * config.patch)
            seconds.append(fit(network, stored.train, self.data.train_labels, how))
            right.append(accuracy(network, stored.test, self.data.test_labels))
            networks.append(network)
        row: Figures = {
            "bytes": stored.bytes,
            "shape": list(stored.train.shape[1:]),
            "parameters": networks[0].parameter_count(),
            "accuracy": right,
            "speed": stored.speed,
            "cached_speed": stored.cached_speed,
            "epoch_seconds": mean(seconds),
        }
        return row, networks

    def accuracies(self, networks: Sequence[TaskClassifier], test: Tensor) -> list[float]:
        return [accuracy(network, test, self.data.test_labels) for network in networks]


def classify(
    args: Namespace, data: LabelledPixels, latents: Sequence[StoredSet], figures: Figures
) -> None:
    """Fill the parts "classifiers" and "codecs" of the figures."""
    how = Fitting(args.epochs, args.batch, args.rate, shift=args.shift)
    comparison = LearningRun(data, how, args.seeds, args.width)
    rows: Figures = figures.setdefault("classifiers", {})

    def note(name: str, row: Figures) -> None:
        rows[name] = row
        print(f"{name}: {percent(row['accuracy'])}, {row['epoch_seconds']:.1f} s", flush=True)

    full = as_pixels(FULL, data.train, data.test, "JPEG", quality=JPEG_QUALITY)
    row, networks = comparison.learn(full)
    note(FULL, row)
    note(f"{FULL}, strided convolutions", comparison.learn(full, "steps")[0])
    if args.save is not None:
        TaskCheckpoint(networks[0], data.classes, args.side).save(args.save)
    for side in args.small:
        train, test = shrunk(data.train, side), shrunk(data.test, side)
        stored = as_pixels(
            f"pixels, {side} x {side}, lossless WebP", train, test, "WebP", lossless=True
        )
        note(stored.name, comparison.learn(stored)[0])
    for k, stored in enumerate(latents):
        note(stored.name, comparison.learn(stored)[0])
        if not k:
            note(f"{stored.name}, no flips", comparison.learn(stored, flips=False)[0])
    rate = figures.setdefault("codecs", {})
    rate["originals"] = {"bytes": None, "accuracy": comparison.accuracies(networks, data.test)}
    for (model, quality), stored in zip(pairs(args), latents, strict=True):
        decoded = decoded_latents(model, quality, args.work)
        name = f"{Path(model).stem}, {quality}"
        right = comparison.accuracies(networks, decoded)
        rate[name] = {"bytes": stored.bytes, "accuracy": right, "like": stored.name}
        for other in OTHERS:
            try:
                codec = create(other)
            except CodecMissing:
                continue
            at = quality_for(codec, data.test, stored.bytes)
            size, decoded = through(codec, at, data.test)
            right = comparison.accuracies(networks, decoded)
            rate[f"{codec.label}, {at}"] = {"bytes": size, "accuracy": right, "like": stored.name}


def restore(args: Namespace, data: LabelledPixels, stored: StoredSet) -> Figures:
    """Figures of upscaling by 2 from the latents of the first model and quality."""
    side = 2 * args.side
    train, test = (part.pixels(side) for part in files_of(args))
    how = Fitting(args.restoring_epochs, args.batch, args.rate)
    found: Figures = {}

    def note(name: str, size: float, pictures: Tensor, parameters: int) -> None:
        row = {**distortion(pictures, test), "bytes": size, "parameters": parameters}
        found[name] = row
        print(f"twice the sides, {name}: {row['psnr_db']:.2f} dB", flush=True)

    def learned(known: Tensor, known_test: Tensor) -> tuple[Tensor, int]:
        return restored(known, train, known_test, how, data.positions)

    model, quality = pairs(args)[0]
    webp = create("webp")
    note(stored.name, stored.bytes, *learned(stored.train, stored.test))
    decoded = decoded_latents(model, quality, args.work)
    note(f"{Path(model).stem} decoded, bicubic", stored.bytes, bicubic(as_input(decoded), side), 0)
    at = quality_for(webp, data.test, stored.bytes)
    size, small = through(webp, at, data.test)
    note(f"pixels, WebP of quality {at}", size, *learned(through(webp, at, data.train)[1], small))
    note(f"WebP of quality {at}, bicubic", size, bicubic(as_input(small), side), 0)
    return found


def pairs(args: Namespace) -> list[tuple[str, int]]:
    return [(model, quality) for model in args.models for quality in args.qualities]


def percent(values: Sequence[float]) -> str:
    """Mean and standard deviation over seeds, in per cent."""
    spread = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{spread}"


def table(figures: Figures) -> str:
    """Three Markdown tables: classifiers, codecs at equal bytes, pictures of twice the sides."""
    rows = [
        [
            name, f"{row['bytes']:,.0f}", " x ".join(map(str, row["shape"])), percent(row["accuracy"]),
            f"{row['speed']:,.0f}", "" if row["cached_speed"] is None else f"{row['cached_speed']:,.0f}",
            f"{row['epoch_seconds']:.1f}",
        ]
        for name, row in figures["classifiers"].items()
    ]  # fmt: skip
    head = ["stored as", "bytes a picture", "input", "accuracy, %"]
    head += ["samples read a second", "from the cache", "s an epoch"]
    first = study.markdown(head, rows)
    rows = [
        [name, "" if row["bytes"] is None else f"{row['bytes']:,.0f}", percent(row["accuracy"])]
        for name, row in figures["codecs"].items()
    ]
    second = study.markdown(["codec, quality", "bytes a picture", "accuracy, %"], rows)
    rows = [
        [
            name, f"{row['bytes']:,.0f}", f"{row['psnr_db']:.2f}",
            "" if row["ms_ssim"] is None else f"{row['ms_ssim']:.4f}", f"{row['parameters']:,}",
        ]
        for name, row in figures.get("restored", {}).items()
    ]  # fmt: skip
    head = ["twice the sides, from", "bytes a picture", "PSNR, dB", "MS-SSIM", "parameters"]
    return "\n\n".join([first, second, study.markdown(head, rows)])


def main(argv: Sequence[str] | None = None) -> int:
    parser = study.parser(__doc__, table)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="labelled pictures")
    parser.add_argument(
        "--models", nargs="+", default=["nacre"], metavar="M", help="names or weights files"
    )
    parser.add_argument(
        "--qualities", nargs="+", type=int, default=[30], metavar="Q", help="of the latents"
    )
    parser.add_argument(
        "--side", type=int, default=128, help="pixels of the full size (default: 128)"
    )
    parser.add_argument(
        "--small",
        nargs="*",
        type=int,
        metavar="SIDE",
        help="smaller sizes (default: SIDE/16, SIDE/4)",
    )
    parser.add_argument("--seeds", type=int, default=3, help="networks of each way (default: 3)")
    parser.add_argument("--epochs", type=int, default=20, help="of the classifiers (default: 20)")
    parser.add_argument(
        "--restoring-epochs", type=int, default=20, help="of the last part (default: 20)"
    )
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-3, help="largest learning rate")
    parser.add_argument("--width", type=int, default=48, help="channels of the first stage")
    parser.add_argument(
        "--shift", type=int, default=1, help="positions that samples are moved by, at most"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="pictures of each class, at most")
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="keep packed latents there")
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help="write the classifier of pixels there"
    )
    parser.add_argument(
        "-j", "--jobs", type=int, default=1, help="processes that pack (default: 1)"
    )
    parser.add_argument("--no-restoring", action="store_true", help="leave the third part out")  # fmt: skip
    args = parser.parse_args(argv)
    if args.small is None:
        args.small = [args.side // STRIDE, args.side // 4]
    with tempfile.TemporaryDirectory() as folder:
        args.work = args.work or Path(folder)
        data = read_pixels(args)
        figures: Figures = {
            "conditions": study.conditions(),
            "pictures": [len(data.train), len(data.test)],
            "side": args.side,
            "epochs": args.epochs,
        }
        latents = [
            as_latents(model, quality, data.train, data.test, args.work, args.jobs)
            for model, quality in pairs(args)
        ]
        classify(args, data, latents, figures)
        if not args.no_restoring:
            figures["restored"] = restore(args, data, latents[0])
    study.write(args.json, figures)
    print(table(figures))
    return 0


if __name__ == "__main__":
    study.run(main)
