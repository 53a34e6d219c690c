"""The tables of docs/video.md are those of docs/results/clips.json."""

from __future__ import annotations

from pathlib import Path

import pytest

from nacre.tools.evaluate.results import read_evaluation
from nacre.tools.studies import clips

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "docs" / "results" / "clips.json"


@pytest.mark.parametrize("table", [clips.rate_table, clips.curve_table])
def test_the_docs_have_the_figures_that_were_measured(table, capsys):
    assert table(read_evaluation(RESULTS)) in (ROOT / "docs" / "video.md").read_text()
    assert clips.main([str(RESULTS)]) == 0
    assert table(read_evaluation(RESULTS)) in capsys.readouterr().out
