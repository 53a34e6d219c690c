"""Print the tables of docs/video.md from the results of `nacre bench` on clips.

nacre bench CLIPS --codecs nacre,nacre-intra,x264-medium-lowdelay,x265-medium --json docs/results/clips.json
python -m nacre.tools.studies.clips docs/results/clips.json
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nacre.tools.evaluate.bdrate import Curve
from nacre.tools.evaluate.curves import curves_of
from nacre.tools.evaluate.results import CodecResult, Evaluation, read_evaluation
from nacre.tools.studies import study
from nacre.tools.studies.kodak import percent

OURS, INTRA = "nacre", "nacre-intra"
METRICS = {"psnr_rgb": "RGB", "psnr_yuv": "YUV"}


def clips(found: Evaluation) -> list[str]:
    """The clips with results of any codec, by name."""
    return sorted({row.picture for codec in found.codecs for row in codec.rows})


def change(found: Evaluation, clip: str, anchor: str, test: str, metric: str) -> str:
    """BD-rate of one codec against another on one clip; "-" where they were not measured."""

    def curve(name: str) -> Curve | None:
        codec = found.codec(name)
        measured = codec and curves_of(codec, metric)
        return measured.pictures.get(clip) if measured else None

    a, b = curve(anchor), curve(test)
    return "-" if a is None or b is None else percent(a, b)


def rate_table(found: Evaluation) -> str:
    """Markdown: BD-rate of every codec against ours and against our intra frames, a line each clip."""
    others = [codec for codec in found.codecs if codec.codec not in (OURS, INTRA)]
    rows = []
    for clip in clips(found):
        for codec in (found.codec(OURS), *others):
            if codec is None or not any(row.picture == clip for row in codec.rows):
                continue
            both = [
                [change(found, clip, anchor, codec.codec, metric) for metric in METRICS]
                for anchor in (INTRA, OURS)
            ]
            against = [f"{rgb} ({yuv})" for rgb, yuv in both]
            ours = "" if codec.codec == OURS else against[1]
            mine = "" if codec.codec == OURS else " / ".join(
                change(found, clip, codec.codec, OURS, metric) for metric in METRICS
            )  # fmt: skip
            rows.append([Path(clip).stem, label(codec), against[0], ours, mine])
    head = ["clip", "codec", "against all intra", "against nacre", "nacre against it, RGB / YUV"]
    return study.markdown(head, rows)


def label(codec: CodecResult) -> str:
    return codec.name if codec.codec == OURS else codec.codec.rpartition("/")[2]


def curve_table(found: Evaluation) -> str:
    """Markdown: bits per pixel and PSNR of every codec at each quality."""
    rows = [
        [
            Path(row.picture).stem, label(codec), f"{row.quality:g}", f"{row.bpp:.4f}",
            f"{row.psnr_rgb:.2f}", f"{row.psnr_yuv:.2f}",
        ]
        for codec in found.codecs for row in sorted(codec.rows, key=lambda r: (r.picture, r.bpp))
    ]  # fmt: skip
    return study.markdown(["clip", "codec", "quality", "bpp", "PSNR (RGB)", "PSNR (YUV)"], rows)


def main(argv: Sequence[str] | None = None) -> int:
    args = study.tables_parser(__doc__).parse_args(argv)
    study.print_tables(args, read_evaluation(args.results), rate_table, curve_table)
    return 0


if __name__ == "__main__":
    study.run(main)
