"""Decode a clip under many settings of the machine: checks equal symbols, measures the drift of frames.

    python -m nacre.tools.studies.clip_drift CLIP --model FILE --json FILE [--frames 96]

All frames are one group, so that differences accumulate over the whole clip. Decoding checks the checksum of
the symbols of each frame and fails on a difference.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nacre import codec
from nacre.codec.clips.source import frames_of_source, open_source
from nacre.tools.studies import study
from nacre.tools.studies.portability import REFERENCE, SETTINGS, run_script
from nacre.tools.studies.study import Figures

SCRIPT = """
import sys, numpy as np, torch
precision = "float32"
{setting}
from nacre import codec
with codec.VideoReader(sys.argv[1], model=sys.argv[2], precision=precision) as clip:
    np.save(sys.argv[3], np.stack([frame.pixels for frame in clip]))
"""


def decoded(setting: str, file: Path, model: str, target: Path) -> NDArray[np.int16]:
    """The frames (n, H, W, 3), decoded by a new process."""
    run_script(SCRIPT, setting, file, model, target)
    found: NDArray[np.int16] = np.load(target).astype(np.int16)
    return found


def measure(path: Path, model: str, quality: int, count: int, settings: Sequence[str]) -> Figures:
    """The differences of each setting from the first one, by frame."""
    with tempfile.TemporaryDirectory() as folder:
        source, file = open_source(path), Path(folder) / "clip.ncv"
        with codec.VideoWriter(file, source.facts, quality=quality, gop=count, model=model) as clip:
            for _, frame in zip(range(count), frames_of_source(source), strict=False):
                clip.write(frame)
        source.close()
        first = decoded(REFERENCE, file, model, Path(folder) / "first.npy")
        rows = []
        for setting in settings:
            other = decoded(setting, file, model, Path(folder) / "other.npy")
            away = np.abs(other - first)
            rows.append({
                "setting": setting,
                "largest_levels": away.max((1, 2, 3)).tolist(),
                "mean_levels": away.mean((1, 2, 3)).tolist(),
            })  # fmt: skip
    return {"frames": len(first), "quality": quality, "settings": rows}


def table(figures: Figures) -> str:
    """Markdown: one row for each setting."""
    last = figures["frames"]
    head = [
        "setting",
        "largest difference, levels",
        "mean difference at frame 1",
        f"at frame {last // 2}",
        f"at frame {last}",
    ]
    rows = [
        [
            row["setting"],
            str(max(row["largest_levels"])),
            *(f"{row['mean_levels'][k]:.4f}" for k in (0, last // 2 - 1, last - 1)),
        ]
        for row in figures["settings"]
    ]
    return study.markdown(head, rows)


def main(argv: Sequence[str] | None = None) -> int:
    parser = study.parser(__doc__, table)
    parser.add_argument("clip", type=Path, metavar="CLIP")
    parser.add_argument("--model", default="clip", help="name or file (default: clip)")
    parser.add_argument("--quality", type=int, default=60)
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument(
        "--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS),
        help="compared with the machine as it is (default: all)",
    )  # fmt: skip
    args = parser.parse_args(argv)
    figures = {
        "conditions": study.conditions(),
        "clip": args.clip.name,
        **measure(args.clip, args.model, args.quality, args.frames, args.settings),
    }
    study.write(args.json, figures)
    print(table(figures))
    return 0


if __name__ == "__main__":
    study.run(main)
