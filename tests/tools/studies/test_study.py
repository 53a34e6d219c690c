"""What the studies share; and the docs show the figures that were measured."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from pathlib import Path

import pytest

from nacre.entropy.errors import UsageError
from nacre.tools import studies
from nacre.tools.studies import (
    counts,
    efforts,
    lossless_pictures,
    odd_pictures,
    screens,
    study,
)

ROOT = Path(__file__).parents[3]
NAMES = [module.name for module in pkgutil.iter_modules(studies.__path__)]


@pytest.mark.parametrize(
    ("module", "name", "page"),
    [
        (odd_pictures, "odd.json", "odd.md"),
        (screens, "screens.json", "odd.md"),
        (lossless_pictures, "lossless.json", "odd.md"),
        (efforts, "efforts.json", "effort.md"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_docs_have_the_figures_that_were_measured(module, name, page, results):
    assert module.table(results(name)) in (ROOT / "docs" / page).read_text()


def test_the_docs_have_the_counts_of_all_families(results):
    found, page = results("families.json"), (ROOT / "docs" / "published.md").read_text()
    assert counts.table(found) in page and counts.notes(found) in page
    folders = {path.parent.name for path in (ROOT / "models").glob("*/config.py")}
    assert {row["family"] for row in found["families"]} == {f.replace("_", "-") for f in folders}


@pytest.mark.parametrize("name", sorted({*NAMES} - {"study", "kodak", "clips", "wavelets"}))
def test_every_study_writes_json_and_has_a_table(name, capsys):
    module = importlib.import_module(f"nacre.tools.studies.{name}")
    if hasattr(module, "__path__"):  # a study of several modules
        module = importlib.import_module(f"nacre.tools.studies.{name}.__main__")
    assert callable(module.table)
    with pytest.raises(SystemExit):
        module.main(["--help"])
    said = capsys.readouterr().out
    assert "--json FILE" in said and f"python -m nacre.tools.studies.{name}" in said


@pytest.mark.parametrize("page", ["README.md", "SECURITY.md", "docs", "tools", "models", "codec"])
def test_every_module_that_is_mentioned_is_there(page):
    paths = [ROOT / page] if page.endswith(".md") else sorted((ROOT / page).rglob("*.*"))
    texts = [path.read_text() for path in paths if path.suffix in (".md", ".py", ".toml")]
    named = {name for text in texts for name in re.findall(r"python -m (nacre[.\w]*)", text)}
    for name in named:
        assert importlib.util.find_spec(name), name


def test_figures_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "a.json"
    study.write(path, {"a": [1, 2.5, None]})
    assert study.read(path) == {"a": [1, 2.5, None]}
    study.write(None, {})


@pytest.mark.parametrize("text", ["", "{", "[1]"])
def test_a_file_without_figures_is_refused_by_name(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UsageError, match=r"a\.json"):
        study.read(tmp_path / "a.json")
    with pytest.raises(UsageError, match=r"b\.json"):
        study.read(tmp_path / "b.json")


def test_a_markdown_table():
    assert (
        study.markdown(["a", "b"], [["1", ""], ["", "2"]])
        == "| a | b |\n|---|---|\n| 1 | |\n| | 2 |"
    )


def test_pictures_are_files_and_those_of_folders(tmp_path, photo):
    (tmp_path / "in").mkdir()
    for name in ("in/b.png", "in/a.png", "c.jpg"):
        photo.save(tmp_path / name)
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    found = study.picture_files([tmp_path / "c.jpg", tmp_path / "in"])
    assert [path.name for path in found] == ["c.jpg", "a.png", "b.png"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="empty"):
        study.picture_files([tmp_path / "empty"])
    with pytest.raises(UsageError, match=r"no\.png"):
        study.open_rgb(tmp_path / "no.png")


def test_the_middle_of_a_picture(photo):
    assert study.middle(photo, 40).size == (40, 40)
    assert study.middle(photo, 4000).size == (96, 96)


def test_an_error_is_one_line(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["efforts.py"])

    def fail() -> int:
        raise UsageError("no pictures")

    with pytest.raises(SystemExit) as ended:
        study.run(fail)
    assert ended.value.code == 2
    assert capsys.readouterr().err == "efforts: no pictures\n"
