"""Write short clips made of still pictures, to train models of inter frames on.

    python -m nacre.tools.collection.moving PICTURES [PICTURES ...] -o FOLDER --count 200

PICTURES are folders and .tar shards. Clips are lossless and named by number. A seed determines them: a repeated
command gives equal clips.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

from nacre.datasets.moving import Pixels, clip_of
from nacre.datasets.pictures import Count, read_pictures


def write_clip(path: Path, frames: Sequence[Pixels]) -> None:
    """Write frames as FFV1 in Matroska, in RGB."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "bgr0"
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", nargs="+", metavar="PICTURES")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--count", type=int, default=200, help="clips (default: 200)")
    parser.add_argument("--side", type=int, default=192, help="pixels (default: 192)")
    parser.add_argument("--frames", type=int, default=7, help="of each clip (default: 7)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    pictures = list(read_pictures(args.pictures, args.side, Count()))
    args.output.mkdir(parents=True, exist_ok=True)
    for number in range(args.count):
        rng = np.random.default_rng([args.seed, number])
        write_clip(
            args.output / f"moving-{number:04d}.mkv",
            clip_of(rng, pictures, args.side, args.frames),
        )
    print(f"{args.output}: {args.count} clips of {len(pictures)} pictures")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
