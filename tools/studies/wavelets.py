"""Print the table of wavelet models in docs/latents.md from the results of `nacre bench`.

nacre bench KODAK --codecs nacre@effort=0,nacre:wavelet-4@effort=0,... --json docs/results/wavelets.json
python -m nacre.tools.studies.wavelets docs/results/wavelets.json
"""

from __future__ import annotations

from collections.abc import Sequence

from nacre.models import zoo
from nacre.models.wavelet.config import COLOURS, WaveletConfig
from nacre.tools.evaluate.codecs.registry import parse
from nacre.tools.evaluate.curves import read
from nacre.tools.evaluate.results import Evaluation, read_evaluation
from nacre.tools.studies import study
from nacre.tools.studies.kodak import METRIC, curve, percent

JPEG_2000, DEFAULT = "kodak:tfc-j2k-opj5", "nacre@effort=0"


def reduction(model: str) -> str:
    """Samples of a picture per number of the latent, as text; "" for models of other families."""
    config = zoo.load_model(model).network.config
    if not isinstance(config, WaveletConfig):
        return ""
    return f"{COLOURS * config.stride**2 / config.latent:g}x"


def rate_table(found: Evaluation) -> str:
    """Markdown: BD-rate of every codec against JPEG 2000 and against the default model, with its range."""
    published = read(JPEG_2000, METRIC).curve
    rows = []
    for codec in found.codecs:
        model = parse(codec.codec)[1].get("model")
        measured = curve(found, codec.codec)
        against = [
            "" if codec.codec == name else percent(anchor, measured)
            for name, anchor in (("", published), (DEFAULT, curve(found, DEFAULT)))
        ]
        ends = (0, -1)
        rows.append([
            codec.name, reduction(model) if model else "",
            " to ".join(f"{measured.rate[end]:.2f}" for end in ends),
            " to ".join(f"{measured.quality[end]:.1f}" for end in ends), *against,
        ])  # fmt: skip
    head = [
        "codec",
        "reduction",
        "bits per pixel",
        "PSNR, dB",
        "against JPEG 2000",
        "against nacre",
    ]
    return study.markdown(head, rows)


def main(argv: Sequence[str] | None = None) -> int:
    args = study.tables_parser(__doc__).parse_args(argv)
    study.print_tables(args, read_evaluation(args.results), rate_table)
    return 0


if __name__ == "__main__":
    study.run(main)
