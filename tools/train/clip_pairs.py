"""Makes pairs of frames from clips: codes the reference frames and estimates the motion."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nacre.codec.clips.facts import to_8_bits
from nacre.codec.clips.frames import FrameCoder, Reference
from nacre.codec.clips.source import SourceOptions, frames_of_source, open_source
from nacre.codec.motion import MotionField, compensate
from nacre.codec.motion.code import walk_field
from nacre.codec.motion.fetching import fetched
from nacre.codec.run import Run
from nacre.datasets.pairs import POSITION_PIXELS, PairBatch, Pairs, PairWriter
from nacre.entropy.errors import ImageError, UsageError
from nacre.models import zoo
from nacre.models.family import CodingModel, level
from nacre.models.parts.condition import InterNetwork
from nacre.models.parts.motion_tables import MODES, VECTORS
from nacre.tools.train.recipe import Recipe

SUFFIXES = {".mkv", ".mp4", ".mov", ".webm", ".y4m"}
MOTION = "motion.npz"
AROUND = 128  # pixels by which the coded part of a clip exceeds the side of a pair
Frames = Sequence[NDArray[np.uint8]]
Known = tuple[int, int, Reference, MotionField]  # number of a frame, quality, reference, motion
References = Callable[[FrameCoder, Frames, np.random.Generator], Iterator[Known]]
Symbols = dict[str, tuple[NDArray[np.uint8], NDArray[np.int32]]]  # by tables: rows and symbols


@torch.no_grad()
def given(network: InterNetwork, pairs: PairBatch) -> InterNetwork:
    """The network, bound to the condition of `pairs`; the image model analyses the compensated frames."""
    images = network.image_model().network
    features = images.prepare(pairs.compensated)
    latent = images.analyse(features, pairs.t)["y"]
    return network.given(pairs.condition(latent.float(), features.float()))


def untrained(network: InterNetwork) -> CodingModel:
    """A model of an untrained network, with the integers of the image model and no tables of its own.

    It can code first frames only.
    """
    images = network.image_model()
    return CodingModel("untrained", images.id, "clip", network, images.integers, {})


def clip_files(sources: Sequence[str]) -> list[Path]:
    """The files of clips in `sources`, which are files or folders. Raises UsageError if there are none."""
    found: list[Path] = []
    for source in map(Path, sources):
        inside = sorted(source.iterdir()) if source.is_dir() else [source]
        found += [path for path in inside if path.suffix.lower() in SUFFIXES]
    if not found:
        raise UsageError(f"no clips in {', '.join(sources)}")
    return found


def frames_of(path: Path) -> list[NDArray[np.uint8]]:
    """The frames of a clip, (H, W, 3) of 8 bits each, as the encoder reads them. Raises UsageError."""
    try:
        source = open_source(path, SourceOptions(with_audio=False, with_subtitles=False))
        try:
            return [to_8_bits(frame.pixels) for frame in frames_of_source(source)]
        finally:
            source.close()
    except (ImageError, OSError) as error:
        raise UsageError(f"{path}: {error}") from error


def pairs_of(recipe: Recipe, network: InterNetwork, folder: Path) -> tuple[Pairs, Pairs | None]:
    """The training pairs of a recipe, and held-out pairs if it names clips for them. Raises UsageError or
    WeightsError.
    """
    data, side, seed = recipe.data, recipe.steps.crop, recipe.steps.seed
    chained = bool(data.chained_by)
    model = zoo.load_model(data.chained_by) if chained else untrained(network)
    overlap = network.overlap
    pairs = open_pairs(data.clips, side, folder, model, data.draws, seed, chained, overlap)
    if not data.held_out:
        return pairs, None
    held_out = open_pairs(
        data.held_out, side, folder, model, seed=seed, is_chained=chained, overlap=overlap
    )
    return pairs, held_out


def open_pairs(
    sources: Sequence[str],
    side: int,
    folder: Path,
    model: CodingModel,
    draws: int = 3,
    seed: int = 0,
    is_chained: bool = False,
    overlap: int = 0,
) -> Pairs:
    """Pairs of crops of `side` pixels: read from the folder of a run, or made and stored there.

    Each frame is drawn `draws` times at random qualities. The reference frame is coded as a first frame; with
    `is_chained`, which needs a trained model, all frames of a clip are coded as one group.
    """
    files = clip_files(sources)
    made_by = [side, draws, seed, model.id.hex(), *(["chained"] if is_chained else []), overlap]
    key = json.dumps([[f.name, f.stat().st_size] for f in files] + made_by)
    place = folder / f"pairs-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    if not (place / "t.npy").exists():
        references = _chained if is_chained else _by_themselves
        _make(files, side, place, Run(model, torch.device("cpu")), draws, seed, references, overlap)
    return Pairs(place, seed)


def _by_themselves(coder: FrameCoder, frames: Frames, rng: np.random.Generator) -> Iterator[Known]:
    """Yield every frame but the first, with the previous frame coded as a first frame for reference."""
    for last in range(1, len(frames)):
        quality = int(rng.integers(1, 101))
        reference = coder.encode_intra(frames[last - 1], quality).reference
        yield last, quality, reference, coder.motion(frames[last], reference, quality)


def _chained(coder: FrameCoder, frames: Frames, rng: np.random.Generator) -> Iterator[Known]:
    """Yield every frame but the first, with the previous frame of one group of all frames for reference.

    The reference is an inter frame, except for the second frame of the clip.
    """
    quality = int(rng.integers(1, 101))
    reference = coder.encode_intra(frames[0], quality).reference
    for last in range(1, len(frames)):
        field = coder.motion(frames[last], reference, quality)
        yield last, quality, reference, field
        reference = coder.encode_moved(
            frames[last], coder.predict(reference, field), quality
        ).reference


def _make(
    files: Sequence[Path], side: int, place: Path, run: Run, draws: int, seed: int,
    references: References, overlap: int,
) -> None:  # fmt: skip
    rng, writer = np.random.default_rng(seed), PairWriter(place)
    motion: dict[str, list[tuple[NDArray[np.uint8], NDArray[np.int32]]]] = {MODES: [], VECTORS: []}
    for path in files:
        whole = frames_of(path)
        if min(whole[0].shape[:2]) < side:
            continue
        for _ in range(draws):
            frames = _window(whole, side + AROUND, rng)
            coder = FrameCoder(run, *frames[0].shape[:2])
            with torch.inference_mode(False), torch.no_grad():
                for last, quality, reference, field in references(coder, frames, rng):
                    for name, part in symbols_of(field).items():
                        motion[name].append(part)
                    compensated = compensate(reference.picture, field, overlap)
                    _add(writer, frames[last], compensated, reference, field, quality, side, rng)
    writer.close()
    arrays = {
        f"{name}.{kind}": np.concatenate([part[k] for part in parts])
        for name, parts in motion.items()
        for k, kind in enumerate(("rows", "symbols"))
    }
    np.savez(place / MOTION, **arrays)  # type: ignore[arg-type]


def _window(frames: Frames, most: int, rng: np.random.Generator) -> Frames:
    """One random part of all frames, at most `most` pixels a side, in multiples of POSITION_PIXELS."""
    height, width = (min(n // POSITION_PIXELS * POSITION_PIXELS, most) for n in frames[0].shape[:2])
    top, left = (
        int(rng.integers(0, n - own + 1))
        for n, own in zip(frames[0].shape[:2], (height, width), strict=True)
    )
    return [frame[top : top + height, left : left + width] for frame in frames]


def _add(
    writer: PairWriter,
    frame: NDArray[np.uint8],
    compensated: torch.Tensor,
    reference: Reference,
    field: MotionField,
    quality: int,
    side: int,
    rng: np.random.Generator,
) -> None:
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
    """The rows and symbols by which a motion field is coded."""
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
    """Yield name, rows and symbols of the coded motion of all pairs in the folder of a run."""
    for path in sorted(folder.glob(f"pairs-*/{MOTION}")):
        with np.load(path) as found:
            for name in (MODES, VECTORS):
                yield name, found[f"{name}.rows"], found[f"{name}.symbols"]
