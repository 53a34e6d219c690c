"""The tables of studies that take hours are those of their files of figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from nacre.tools.studies import contexts, scales, throughput

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize(
    ("study", "file", "page"),
    [
        (contexts, "contexts.json", "decisions.md"),
        (scales, "scales.json", "published.md"),
        (throughput, "throughput.json", "latents.md"),
    ],
)
def test_the_docs_have_the_figures_that_were_measured(study, file, page, results):
    assert study.table(results(file)) in (DOCS / page).read_text()
