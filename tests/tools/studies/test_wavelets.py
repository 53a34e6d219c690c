"""The table of wavelet models in docs/latents.md is that of docs/results/wavelets.json."""

from __future__ import annotations

from pathlib import Path

from nacre.tools.evaluate.results import read_evaluation
from nacre.tools.studies import wavelets

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "docs" / "results" / "wavelets.json"


def test_the_docs_have_the_figures_that_were_measured(capsys):
    table = wavelets.rate_table(read_evaluation(RESULTS))
    assert table in (ROOT / "docs" / "latents.md").read_text()
    assert wavelets.main([str(RESULTS)]) == 0
    assert table in capsys.readouterr().out


def test_the_reduction_is_that_of_the_model():
    assert wavelets.reduction("wavelet-16") == "16x"
    assert wavelets.reduction("wavelet-4") == "4x"
    assert wavelets.reduction("nacre") == ""
