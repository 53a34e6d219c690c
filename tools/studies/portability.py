"""Files written and read under many settings of the machine: symbols equal, pixels within one level.

python -m nacre.tools.portability PICTURE
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from nacre.codec.container import Stream

QUALITIES = (1, 30, 60, 100)
CHANNELS_FIRST = (
    "import nacre.models.weights_file as w; u = w.unpack\n"
    "def plain(data):\n"
    "    m = u(data); m.network.to(memory_format=torch.contiguous_format); return m\n"
    "w.unpack = plain"
)
SETTINGS: dict[str, tuple[dict[str, str], str]] = {
    "as it is": ({}, ""),
    "one thread": ({}, "torch.set_num_threads(1)"),
    "four threads": ({}, "torch.set_num_threads(4)"),
    "oneDNN off": ({}, "torch.backends.mkldnn.enabled = False"),
    "plain instructions": ({"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}, ""),
    "contiguous memory": ({}, CHANNELS_FIRST),
    "plain coder": ({}, "import nacre.entropy.stack as s; s.constriction = None"),
    "bfloat16": ({}, "precision = 'bfloat16'"),
}
SCRIPT = """
import sys, torch
precision = "float32"
{setting}
from pathlib import Path
from PIL import Image
from nacre import codec
mode, source, target = sys.argv[1:4]
for quality in sys.argv[4:]:
    if mode == "encode":
        data = codec.encode(Image.open(source), quality=int(quality), precision=precision)
        Path(f"{{target}}-{{quality}}.ncr").write_bytes(data)
    else:
        image = codec.decode(Path(f"{{source}}-{{quality}}.ncr").read_bytes(), precision=precision)
        image.save(f"{{target}}-{{quality}}.png")
"""


def run(setting: str, mode: str, source: Path, target: Path) -> None:
    environment, code = SETTINGS[setting]
    command = [sys.executable, "-c", SCRIPT.format(setting=code), mode, str(source), str(target)]
    subprocess.run([*command, *map(str, QUALITIES)], env={**os.environ, **environment}, check=True)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    args = parser.parse_args(argv)
    worst: dict[bool, int] = {False: 0, True: 0}
    with tempfile.TemporaryDirectory() as folder:
        names = {setting: str(i) for i, setting in enumerate(SETTINGS)}
        for setting in SETTINGS:
            run(setting, "encode", args.picture, Path(folder) / names[setting])
        for writer, reader in itertools.product(SETTINGS, repeat=2):
            # Decoding compares the checksum of the symbols and fails when they differ.
            source = Path(folder) / names[writer]
            run(reader, "decode", source, Path(folder) / f"{names[writer]}-{names[reader]}")
            for quality in QUALITIES:
                first, here = (
                    np.asarray(
                        Image.open(f"{folder}/{names[writer]}-{names[r]}-{quality}.png")
                    ).astype(int)
                    for r in ("as it is", reader)
                )
                low_precision = "bfloat16" in reader
                worst[low_precision] = max(worst[low_precision], int(np.abs(first - here).max()))
        files = {
            (s, q): (Path(folder) / f"{names[s]}-{q}.ncr").read_bytes()
            for s in SETTINGS
            for q in QUALITIES
        }
        for setting in SETTINGS:
            same = sum(
                Stream.from_bytes(files[setting, q]).end
                == Stream.from_bytes(files["as it is", q]).end
                for q in QUALITIES
            )
            print(
                f"{setting}: {same} of {len(QUALITIES)} files hold the symbols that are written as it is"
            )
    pairs = len(SETTINGS) ** 2 * len(QUALITIES)
    print(f"{pairs} files decoded under other settings: every checksum of symbols held")
    print(f"pixels differ by at most {worst[False]} level(s) in float32, {worst[True]} in bfloat16")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
