"""The counts of all families beside the published counts.

python -m nacre.tools.studies.counts --json docs/results/families.json
python -m nacre.tools.studies.counts --table docs/results/families.json
"""

from __future__ import annotations

from collections.abc import Sequence

from nacre.models import catalogue
from nacre.tools.studies import study
from nacre.tools.studies.study import Figures

MILLION = 1e6


def table(figures: Figures) -> str:
    """Markdown: one row for each published configuration."""
    head = [
        "family", "system", "paper", "parameters, published / ours, M",
        "kMAC/px, published / ours", "encode", "decode", "turns",
    ]  # fmt: skip
    rows = []
    for row in figures["families"]:
        published, same, ours = row["published"], row["as_published"], row["kmac_per_pixel"]
        rows.append([
            f"`{row['family']}`", row["system"] or "-", row["paper"] or "-",
            _both(published["parameters_m"], same["parameters"] / MILLION, 1),
            _both(published["kmac_per_pixel"], same["kmac_per_pixel"], 0),
            f"{ours['encode']:.0f}" if ours else "-", f"{ours['decode']:.0f}" if ours else "-",
            str(row["turns"]),
        ])  # fmt: skip
    return study.markdown(head, rows)


def notes(figures: Figures) -> str:
    """Markdown: the notes on differences between counts, one line for each configuration with a note."""
    said = [(row["system"] or row["family"], row["note"]) for row in figures["families"]]
    return "\n".join(f"- {name}: {note}" for name, note in said if note)


def _both(published: float | None, ours: float, digits: int) -> str:
    if published is None:
        return f"- / {ours:.{digits}f}"
    return f"{published:.{digits}f} / {ours:.{digits}f} ({ours / published - 1:+.1%})"


def main(argv: Sequence[str] | None = None) -> int:
    args = study.parser(__doc__, lambda f: table(f) + "\n\n" + notes(f)).parse_args(argv)
    figures: Figures = {"families": catalogue.rows()}
    study.write(args.json, figures)
    print(table(figures))
    return 0


if __name__ == "__main__":
    study.run(main)
