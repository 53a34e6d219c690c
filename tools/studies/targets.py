"""How near files come to the size that was asked for: the table of docs/effort.md.

python -m nacre.tools.targets PICTURES... [--bpp 0.25 0.5 1 1.5 2] [--effort 1]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from nacre import codec


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--bpp", type=float, nargs="+", default=[0.25, 0.5, 1.0, 1.5, 2.0])
    parser.add_argument("--effort", type=int, default=1)
    args = parser.parse_args(argv)
    print(
        "| bpp | files | not to be had | most over, % | mean under, % | most | probes, mean | most | s |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for bpp in args.bpp:
        under, probes, refused, seconds = [], [], 0, 0.0
        for path in args.pictures:
            image = Image.open(path).convert("RGB")
            size = bpp * image.width * image.height / 8
            start = time.perf_counter()
            try:
                found = codec.encode_to(image, bpp=bpp, effort=args.effort, strip=True)
            except codec.GoalError as error:
                print(f"{path.name}: {error}")
                refused += 1
                continue
            seconds += time.perf_counter() - start
            under.append(100 * (1 - len(found.data) / size))
            probes.append(found.probes)
        if not under:
            print(f"| {bpp:g} | 0 | {refused} | | | | | | |")
            continue
        print(
            f"| {bpp:g} | {len(under)} | {refused} | {max(0.0, -min(under)):.2f} | {np.mean(under):.2f} | "
            f"{max(under):.2f} | {np.mean(probes):.1f} | {max(probes)} | {seconds / len(under):.1f} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
