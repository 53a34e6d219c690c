"""Print the tables of Kodak, or of another set, from the results of `nacre bench`; write them to the docs.

nacre bench KODAK --codecs nacre,jpeg,webp,jpeg2000,avif,jxl,heic --json docs/results/kodak.json
python -m nacre.tools.studies.kodak docs/results/kodak.json \\
    --write README.md docs/evaluation.md --card models/weights/nacre.json
python -m nacre.tools.studies.kodak docs/results/mcmaster.json --write docs/evaluation.md
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.bdrate import Curve, bd_rate
from nacre.tools.evaluate.curves import Measured, curves_of, read
from nacre.tools.evaluate.results import Evaluation, read_evaluation
from nacre.tools.evaluate.spread import Spread, spread
from nacre.tools.studies import study

METRIC = "psnr_rgb"
OURS, VTM = "nacre", "kodak:vtm-18.0"
VISUAL, STRUCTURE = "nacre:nacre-visual", "ms_ssim"
LOW_QUALITIES = 66  # the highest quality within the rates of VTM and most published curves
CODECS = {  # in the README
    "jpeg": "JPEG 4:4:4",
    "jpeg2000": "JPEG 2000",
    "webp": "WebP",
    "avif": "AVIF, tune=psnr",
    "jxl": "JPEG XL",
    "heic": "HEIC (x265)",
}
PUBLISHED = {
    "kodak:bpg_444_x265_ycbcr": "published: BPG 4:4:4",
    "kodak:compressai-mbt2018-mean_mse_8bit": "published: mbt2018-mean (CompressAI)",
    "kodak:hpcm-large_mse": "published: HPCM-Large",
}
BESIDE = {  # in the docs as well
    "jpeg@subsampling=420": "JPEG 4:2:0",
    "x264": "H.264 intra (x264)",
    "x265": "HEVC intra (x265)",
    "svtav1": "AV1 4:2:0 (SVT-AV1)",
}
PUBLISHED_BESIDE = {
    "kodak:compressai-cheng2020-anchor_mse_8bit": "published: cheng2020-anchor (CompressAI)",
    "kodak:evc-s": "published: EVC, small",
    "kodak:paper-elic2022_mse": "published: ELIC",
}
PUBLISHED_VISUAL = {
    "kodak:compressai-mbt2018-mean_ms-ssim": "published: mbt2018-mean for MS-SSIM (CompressAI)",
    "kodak:compressai-cheng2020-anchor_ms-ssim": "published: cheng2020-anchor for MS-SSIM",
    "kodak:hpcm-base_ms-ssim": "published: HPCM-Base for MS-SSIM",
}


def curve(found: Evaluation, codec: str, metric: str = METRIC) -> Curve:
    """The mean curve of a codec. Raises UsageError if it has no results."""
    result = found.codec(codec)
    measured = result and curves_of(result, metric)
    if not measured:
        names = ", ".join(c.codec for c in found.codecs)
        raise UsageError(f"results of {codec} wanted, there are {names}")
    return measured.curve


def quality_table(found: Evaluation) -> str:
    """Markdown: mean rate and PSNR of nacre at each quality."""
    result = found.codec(OURS)
    means = {"quality": [], "bpp": [], METRIC: []} if result is None else result.means()
    rows = [
        [f"{quality:g}", f"{bpp:.3f}", f"{psnr:.2f}"]
        for quality, bpp, psnr in zip(means["quality"], means["bpp"], means[METRIC], strict=True)
    ]
    return study.markdown(["quality", "bits per pixel", "PSNR, dB"], rows)


def low_curve(found: Evaluation) -> Curve:
    """The mean curve of nacre up to LOW_QUALITIES."""
    whole = curve(found, OURS)
    result = found.codec(OURS)
    count = sum(q <= LOW_QUALITIES for q in result.means()["quality"]) if result else 0
    return Curve(OURS, whole.rate[:count], whole.quality[:count], whole.dataset)


def rate_table(found: Evaluation) -> str:
    """Markdown: BD-rate of measured codecs and published curves against nacre and against VTM."""
    ours, vtm = curve(found, OURS), read(VTM, METRIC).curve
    low = percent(vtm, low_curve(found))
    rows = [["nacre", "", f"{percent(vtm, ours)} ({low} over qualities 1 to {LOW_QUALITIES})"]]
    others = {
        label: curve(found, codec) for codec, label in CODECS.items() if found.codec(codec)
    } | {label: read(name, METRIC).curve for name, label in PUBLISHED.items()}
    rows += [[label, percent(ours, c), percent(vtm, c)] for label, c in others.items()]
    return study.markdown(["BD-rate of", "against nacre", "against VTM 18.0"], rows)


def curves_by_label(found: Evaluation) -> dict[str, Measured]:
    """The curves of the codecs that have results, nacre first. Raises UsageError without nacre."""
    curve(found, OURS)
    labels = {OURS: "nacre", **CODECS, **BESIDE}
    results = {label: found.codec(codec) for codec, label in labels.items()}
    curves = {label: curves_of(result, METRIC) for label, result in results.items() if result}
    return {label: measured for label, measured in curves.items() if measured}


def quartiles(over: Spread | None) -> str:
    return "" if over is None else f"{over.lower:+.1f} to {over.upper:+.1f} %"


def best_first(rows: list[list[str]]) -> list[list[str]]:
    """Rows in the order of the BD-rate in their second cell."""
    return sorted(rows, key=lambda row: float(row[1].removesuffix(" %")))


def measured_table(found: Evaluation) -> str:
    """Markdown: all codecs, with the spread of the BD-rate over pictures; the best first."""
    (name, ours), *others = curves_by_label(found).items()
    vtm = read(VTM, METRIC).curve
    rows = [[name, percent(vtm, ours.curve), "", ""]]
    rows += [
        [label, percent(vtm, c.curve), percent(ours.curve, c.curve), quartiles(spread(ours, c))]
        for label, c in others
    ]
    for source, label in {**PUBLISHED, **PUBLISHED_BESIDE}.items():
        other = read(source, METRIC).curve
        rows.append([label, percent(vtm, other), percent(ours.curve, other), ""])
    head = ["codec", "against VTM 18.0", "against nacre", "the same by picture, quartiles"]
    return study.markdown(head, best_first(rows))


def structure_table(found: Evaluation) -> str:
    """Markdown: BD-rate by MS-SSIM against the model that is trained for it, and by PSNR; the best first."""
    ours, by_psnr = curve(found, VISUAL, STRUCTURE), curve(found, VISUAL)
    rows = [
        [
            label,
            percent(ours, curve(found, codec, STRUCTURE)),
            percent(by_psnr, curve(found, codec)),
        ]
        for codec, label in {OURS: "nacre", **CODECS, **BESIDE}.items()
        if found.codec(codec)
    ]
    for source, label in PUBLISHED_VISUAL.items():
        rows.append([label, percent(ours, read(source, STRUCTURE).curve), ""])
    return study.markdown(["against nacre-visual", "by MS-SSIM", "by PSNR"], best_first(rows))


def other_set_table(found: Evaluation) -> str:
    """Markdown: the codecs on a set of pictures that has no published curves; the best first."""
    (_, ours), *others = curves_by_label(found).items()
    rows = []
    for label, c in others:
        over = spread(ours, c)
        better = sum(v > 0 for v in over.bd_rate.values()) if over else 0
        count = f"{better} of {len(found.pictures)}"
        rows.append([label, percent(ours.curve, c.curve), quartiles(over), count])
    head = [
        f"{found.dataset}, {len(found.pictures)} pictures", "against nacre",
        "the same by picture, quartiles", "nacre is better on",
    ]  # fmt: skip
    return study.markdown(head, best_first(rows))


def card_results(found: Evaluation) -> study.Figures:
    """The results of a model card."""
    whole, low, vtm = curve(found, OURS), low_curve(found), read(VTM, METRIC).curve
    result = found.codec(OURS)
    assert result is not None
    return {
        "set": f"{found.dataset}, {len(found.pictures)} pictures, real files, effort 1",
        "version": result.version,
        "quality": result.means()["quality"],
        "bpp": [round(v, 4) for v in whole.rate],
        "psnr_db": [round(v, 3) for v in whole.quality],
        "bd_rate_vtm_18_percent": round(bd_rate(vtm, whole).value, 1),
        f"bd_rate_vtm_18_percent_qualities_1_to_{LOW_QUALITIES}": round(bd_rate(vtm, low).value, 1),
        "reproduce": "nacre bench KODAK --codecs nacre --anchor kodak:vtm-18.0",
    }


def percent(anchor: Curve, test: Curve) -> str:
    """BD-rate, with its sign."""
    return f"{bd_rate(anchor, test).value:+.1f} %"


def main(argv: Sequence[str] | None = None) -> int:
    parser = study.tables_parser(__doc__)
    parser.add_argument(
        "--card", type=Path, metavar="CARD", help="write the results to this model card"
    )
    args = parser.parse_args(argv)
    found = read_evaluation(args.results)
    is_kodak = found.dataset == "kodak"
    tables = [quality_table, rate_table, measured_table] if is_kodak else [other_set_table]
    if is_kodak and found.codec(VISUAL):
        tables.append(structure_table)
    study.print_tables(args, found, *tables)
    if args.card:
        study.write(args.card, {**study.read(args.card), "results": card_results(found)})
    return 0


if __name__ == "__main__":
    study.run(main)
