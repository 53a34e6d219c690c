"""What reading latents costs: measured on small pictures, and the docs show the figures of large ones."""

from __future__ import annotations

from pathlib import Path

from nacre.tools.studies import latents

PAGE = Path(__file__).parents[3] / "docs" / "latents.md"


def test_the_docs_have_the_figures_that_were_measured(results):
    assert latents.table(results("latents.json")) in PAGE.read_text()


def test_every_way_of_reading_is_measured(figures, monkeypatch):
    for name, value in (
        ("SOURCE", 60),
        ("SIDE", 32),
        ("PIECES", 2),
        ("SECONDS", 0.02),
        ("SMALL_PICTURES", 2),
    ):
        monkeypatch.setattr(latents, name, value)
    found = figures(latents, "--memory", "20")
    assert len(found["ways"]) == 7
    assert all(way["speed"] > 0 and way["bytes"] > 0 for way in found["ways"].values())
    assert found["memory"]["samples"] == 20 and len(found["memory"]["mib"]) == 10
