"""The tables of Kodak in README and docs are those of docs/results/kodak.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.results import read_evaluation
from nacre.tools.studies import kodak

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def measured():
    return read_evaluation(ROOT / "docs" / "results" / "kodak.json")


@pytest.mark.parametrize(
    ("table", "page"),
    [
        (kodak.quality_table, "docs/evaluation.md"),
        (kodak.measured_table, "docs/evaluation.md"),
        (kodak.structure_table, "docs/evaluation.md"),
        (kodak.rate_table, "README.md"),
    ],
)
def test_the_docs_have_the_figures_that_were_measured(table, page, measured, capsys):
    assert table(measured) in (ROOT / page).read_text()
    assert kodak.main([str(ROOT / "docs" / "results" / "kodak.json")]) == 0
    assert table(measured) in capsys.readouterr().out


def test_the_docs_have_the_figures_of_another_set(capsys):
    results = ROOT / "docs" / "results" / "mcmaster.json"
    table = kodak.other_set_table(read_evaluation(results))
    assert table in (ROOT / "docs/evaluation.md").read_text()
    assert kodak.main([str(results)]) == 0
    assert table in capsys.readouterr().out


def test_a_codec_without_results_is_named(measured):
    with pytest.raises(UsageError, match="results of h266"):
        kodak.curve(measured, "h266")


def test_tables_are_written_over_those_with_the_same_head(tmp_path, measured):
    page, card = tmp_path / "page.md", tmp_path / "card.json"
    old = kodak.rate_table(measured).replace("+", "-")
    page.write_text(f"before\n\n{old}\n\nbehind | it\n")
    card.write_text('{"sha256": "ab", "results": []}')
    results = str(ROOT / "docs" / "results" / "kodak.json")
    assert kodak.main([results, "--write", str(page), "--card", str(card)]) == 0
    assert page.read_text() == f"before\n\n{kodak.rate_table(measured)}\n\nbehind | it\n"
    written = json.loads(card.read_text())
    assert written["sha256"] == "ab"
    assert written["results"]["bpp"] == [round(v, 4) for v in kodak.curve(measured, "nacre").rate]
