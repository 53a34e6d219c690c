"""Makes pairs of frames from clips: codes the frames before with the models at hand, and finds the motion."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import torch
from numpy.typing import NDArray

from nacre.codec.clips.frames import FrameCoder, Reference
from nacre.codec.motion import MotionField, compensate
from nacre.codec.motion.code import walk_field
from nacre.codec.motion.fetching import fetched
from nacre.codec.run import Run
from nacre.datasets.pairs import POSITION_PIXELS, PairBatch, Pairs, PairWriter
from nacre.entropy.errors import UsageError
from nacre.models.family import CodingModel, level
from nacre.models.parts.condition import InterNetwork
from nacre.models.parts.motion_tables import MODES, VECTORS

SUFFIXES = {".mkv", ".mp4", ".mov", ".webm", ".y4m"}
MOTION = "motion.npz"
Frames = Sequence[NDArray[np.uint8]]
# For each pair: the number of its frame, its quality, the reference and the motion.
References = Callable[
    [FrameCoder, Frames, int, np.random.Generator],
    Iterator[tuple[int, int, Reference, MotionField]],
]
Symbols = dict[str, tuple[NDArray[np.uint8], NDArray[np.int32]]]  # by tables: rows and symbols


@torch.no_grad()
def given(network: InterNetwork, pairs: PairBatch) -> InterNetwork:
    """The network for some pairs: the image model analyses the compensated frames."""
    images = network.image_model().network
    features = images.prepare(pairs.compensated)
    latent = images.analyse(features, pairs.t)["y"]
    return network.given(pairs.condition(latent.float(), features.float()))


def untrained(network: InterNetwork) -> CodingModel:
    """A network without integers or tables: it codes first frames alone."""
    images = network.image_model()
    return CodingModel("untrained", images.id, "clip", network, images.integers, {})


def clip_files(sources: Sequence[str]) -> list[Path]:
    """The clips that are named, and those in the folders that are named. Raises UsageError."""
    found: list[Path] = []
    for source in map(Path, sources):
        inside = sorted(source.iterdir()) if source.is_dir() else [source]
        found += [path for path in inside if path.suffix.lower() in SUFFIXES]
    if not found:
        raise UsageError(f"no clips in {', '.join(sources)}")
    return found


def frames_of(path: Path) -> list[NDArray[np.uint8]]:
    """(H, W, 3) each. Raises UsageError."""
    try:
        with av.open(str(path)) as container:
            return [
                np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
                for frame in container.decode(video=0)
            ]
    except (av.error.FFmpegError, IndexError, OSError) as error:
        raise UsageError(f"{path}: {error}") from error


def open_pairs(
    sources: Sequence[str],
    side: int,
    folder: Path,
    model: CodingModel,
    draws: int = 3,
    seed: int = 0,
    is_chained: bool = False,
) -> Pairs:
    """Pairs of crops of `side` pixels, from the folder of a run or made now.

    Each frame is drawn `draws` times at random qualities. The frame before is coded by itself; with
    `is_chained`, which needs a trained model, all frames of a clip are coded one after the other.
    """
    files = clip_files(sources)
    made_by = [side, draws, seed, model.id.hex(), *(["chained"] if is_chained else [])]
    key = json.dumps([[f.name, f.stat().st_size] for f in files] + made_by)
    place = folder / f"pairs-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    if not (place / "t.npy").exists():
        references = _chained if is_chained else _by_themselves
        _make(files, side, place, Run(model, torch.device("cpu")), draws, seed, references)
    return Pairs(place, seed)


def _by_themselves(
    coder: FrameCoder, frames: Frames, draws: int, rng: np.random.Generator
) -> Iterator[tuple[int, int, Reference, MotionField]]:
    """Every frame but the first, `draws` times, after the frame before as a first frame of a group."""
    for last in range(1, len(frames)):
        for _ in range(draws):
            quality = int(rng.integers(1, 101))
            reference = coder.encode_intra(frames[last - 1], quality).reference
            yield last, quality, reference, coder.motion(frames[last], reference, quality)


def _chained(
    coder: FrameCoder, frames: Frames, draws: int, rng: np.random.Generator
) -> Iterator[tuple[int, int, Reference, MotionField]]:
    """The same where the frame before is an inter frame of its group, but for the second frame."""
    for _ in range(draws):
        quality = int(rng.integers(1, 101))
        reference = coder.encode_intra(frames[0], quality).reference
        for last in range(1, len(frames)):
            field = coder.motion(frames[last], reference, quality)
            yield last, quality, reference, field
            reference = coder.encode_moved(frames[last], reference, field, quality).reference


def _make(
    files: Sequence[Path], side: int, place: Path, run: Run, draws: int, seed: int,
    references: References,
) -> None:  # fmt: skip
    rng, writer = np.random.default_rng(seed), PairWriter(place)
    motion: dict[str, list[tuple[NDArray[np.uint8], NDArray[np.int32]]]] = {MODES: [], VECTORS: []}
    for path in files:
        frames = frames_of(path)
        height, width = (n // POSITION_PIXELS * POSITION_PIXELS for n in frames[0].shape[:2])
        if min(height, width) < side:
            continue
        frames = [frame[:height, :width] for frame in frames]
        coder = FrameCoder(run, height, width)
        with torch.inference_mode(False), torch.no_grad():
            for last, quality, reference, field in references(coder, frames, draws, rng):
                for name, part in symbols_of(field).items():
                    motion[name].append(part)
                _add(writer, frames[last], reference, field, quality, side, rng)
    writer.close()
    arrays = {
        f"{name}.{kind}": np.concatenate([part[k] for part in parts])
        for name, parts in motion.items()
        for k, kind in enumerate(("rows", "symbols"))
    }
    np.savez(place / MOTION, **arrays)  # type: ignore[arg-type]


def _add(
    writer: PairWriter,
    frame: NDArray[np.uint8],
    reference: Reference,
    field: MotionField,
    quality: int,
    side: int,
    rng: np.random.Generator,
) -> None:
    compensated = compensate(reference.picture, field)
    previous, symbols = (fetched(plane, field)[0] for plane in (reference.y_hat, reference.symbols))
    picture = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)
    top, left = (int(rng.integers(0, (n - side) // POSITION_PIXELS + 1)) for n in frame.shape[:2])
    rows, columns = (
        slice(top, top + side // POSITION_PIXELS),
        slice(left, left + side // POSITION_PIXELS),
    )
    pixels = (
        slice(rows.start * POSITION_PIXELS, rows.stop * POSITION_PIXELS),
        slice(columns.start * POSITION_PIXELS, columns.stop * POSITION_PIXELS),
    )
    writer.add(
        picture[(slice(None), *pixels)],
        compensated[(slice(None), *pixels)],
        field.is_predicted[rows, columns],
        previous[:, rows, columns],
        symbols[:, rows, columns],
        float(level(quality)),
    )


def symbols_of(field: MotionField) -> Symbols:
    """All that is coded of a field."""
    parts: dict[str, list[tuple[NDArray[np.uint8], NDArray[np.int32]]]] = {MODES: [], VECTORS: []}

    def note(
        name: str, rows: NDArray[np.uint8], symbols: NDArray[np.int32] | None
    ) -> NDArray[np.int32]:
        assert symbols is not None
        parts[name].append((rows, symbols))
        return symbols

    walk_field(field, (field.modes.shape[0], field.modes.shape[1]), note)
    return {
        name: (np.concatenate([p[0] for p in of_name]), np.concatenate([p[1] for p in of_name]))
        for name, of_name in parts.items()
    }


def motion_symbols(folder: Path) -> Iterator[tuple[str, NDArray[np.uint8], NDArray[np.int32]]]:
    """What was coded of the motion of all pairs in the folder of a run."""
    for path in sorted(folder.glob(f"pairs-*/{MOTION}")):
        with np.load(path) as found:
            for name in (MODES, VECTORS):
                yield name, found[f"{name}.rows"], found[f"{name}.symbols"]
