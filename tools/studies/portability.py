"""Write and read files under many settings of the machine: checks equal symbols, compares pixels.

    python -m nacre.tools.studies.portability PICTURE --json FILE

Every setting encodes, and every setting decodes the files of all settings. Decoding checks the checksum of the
symbols and fails on a difference.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nacre.codec.container import Stream
from nacre.tools.studies import study
from nacre.tools.studies.study import Figures

QUALITIES = (1, 30, 60, 100)
CHANNELS_FIRST = """
import nacre.models.weights_file as weights_file
unpack = weights_file.unpack
def plain(*arguments, **options):
    model = unpack(*arguments, **options)
    model.network.to(memory_format=torch.contiguous_format)
    return model
weights_file.unpack = plain
"""
REFERENCE = "as it is"
SETTINGS: dict[str, tuple[dict[str, str], str]] = {  # environment, Python
    REFERENCE: ({}, ""),
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


def run(setting: str, mode: str, source: Path, target: Path, qualities: Sequence[int]) -> None:
    """Encode or decode in a new process."""
    run_script(SCRIPT, setting, mode, source, target, *qualities)


def run_script(script: str, setting: str, *arguments: object) -> None:
    """Run a script in a new Python process, with `{setting}` replaced by the code of the setting."""
    environment, code = SETTINGS[setting]
    command = [sys.executable, "-c", script.format(setting=code), *map(str, arguments)]
    subprocess.run(command, env={**os.environ, **environment}, check=True)


def measure(picture: Path, settings: Sequence[str], qualities: Sequence[int]) -> list[Figures]:
    """For each setting, count files with the symbols of the first setting, and compare decoded pixels."""
    with tempfile.TemporaryDirectory() as folder:
        place = {setting: Path(folder) / str(i) for i, setting in enumerate(settings)}
        for setting in settings:
            run(setting, "encode", picture, place[setting], qualities)
        worst = dict.fromkeys(settings, 0)
        for writer in settings:
            first: dict[int, NDArray[np.int16]] = {}
            for i, reader in enumerate(settings):
                target = Path(f"{place[writer]}-{i}")
                run(reader, "decode", place[writer], target, qualities)
                for quality in qualities:
                    pixels = np.asarray(Image.open(f"{target}-{quality}.png")).astype(np.int16)
                    difference = np.abs(first.setdefault(quality, pixels) - pixels)
                    worst[reader] = max(worst[reader], int(difference.max()))
        ends = {
            (setting, quality): Stream.from_bytes(
                Path(f"{place[setting]}-{quality}.ncr").read_bytes()
            ).end
            for setting in settings
            for quality in qualities
        }
    return [
        {
            "setting": setting,
            "equal_files": sum(ends[setting, q] == ends[settings[0], q] for q in qualities),
            "largest_difference_levels": worst[setting],
        }
        for setting in settings
    ]


def table(figures: Figures) -> str:
    """Markdown: one row for each setting."""
    files = len(figures["qualities"])
    head = ["setting", "files with the same symbols when written", "largest difference of pixels"]
    rows = [
        [
            row["setting"],
            f"{row['equal_files']} of {files}",
            f"{row['largest_difference_levels']} levels",
        ]
        for row in figures["settings"]
    ]
    return study.markdown(head, rows)


def main(argv: Sequence[str] | None = None) -> int:
    parser = study.parser(__doc__, table)
    parser.add_argument("picture", type=Path, metavar="PICTURE")
    parser.add_argument("--qualities", type=int, nargs="+", default=QUALITIES)
    parser.add_argument(
        "--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS),
        help="the others are compared with the first one (default: all)",
    )  # fmt: skip
    args = parser.parse_args(argv)
    figures = {
        "conditions": study.conditions(),
        "picture": args.picture.name,
        "qualities": list(args.qualities),
        "settings": measure(args.picture.resolve(), args.settings, args.qualities),
    }
    study.write(args.json, figures)
    print(table(figures))
    decoded = len(args.settings) ** 2 * len(args.qualities)
    print(f"{decoded} files decoded: every checksum of symbols held")
    return 0


if __name__ == "__main__":
    study.run(main)
