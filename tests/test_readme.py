"""Every block of README and docs runs by itself; the README is short; the tree is the layout."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nacre.tools import layout
from nacre.tools.cli import main
from tests.codec.clips.made import Making, make

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "docs" / "usage.md", ROOT / "docs" / "latents.md"]
PAGES += [ROOT / "docs" / "learning.md"]
BLOCKS = [
    (f"{page.stem}-{kind}-{number}", kind, text)
    for page in PAGES
    for number, (kind, text) in enumerate(
        re.findall(r"^```(\w+)\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
    )
]
SHELL = set("|<>$&*;`~")  # characters that a shell must see
LINKS = re.compile(r"\]\(([^)#]+?)(?:#[^)]*)?\)")


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """Where a reader is: a folder with a photograph, a folder of them, and a clip with sound."""
    from PIL import Image

    small = Image.open(ROOT / "tools" / "demo" / "beacon-street.png").crop((0, 0, 192, 128))
    (tmp_path / "photos").mkdir()
    small.save(tmp_path / "photo.jpg", quality=95)
    small.save(tmp_path / "photos" / "one.png")
    monkeypatch.chdir(tmp_path)
    make(Path("clip.mp4"), Making(audio="aac"))
    return tmp_path


@pytest.mark.parametrize(("kind", "text"), [b[1:] for b in BLOCKS], ids=[b[0] for b in BLOCKS])
def test_a_block_runs_by_itself(kind, text, place):
    if kind == "python":
        parsed = doctest.DocTestParser().get_doctest(text, {}, "page", "page.md", 0)
        if parsed.examples:
            assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(parsed).failed == 0
        else:
            exec(compile(text, "page.md", "exec"), {})
        return
    assert kind == "sh"
    commands = [line.split() for line in text.splitlines()]
    if all(words[0] == "make" for words in commands):  # this very suite is one of them
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
        assert {words[1] for words in commands} <= set(targets)
        return
    for line in text.splitlines():
        run_line(line)


def run_line(line: str) -> None:
    """A line of a shell; a plain nacre command in this process, which has torch already."""
    words = shlex.split(line, comments=True)
    if words and words[0] == "nacre" and not SHELL & set(" ".join(words)):
        assert main(words[1:]) == 0, line
        return
    bin = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run([shutil.which("sh"), "-ec", line], check=True, env=environment, timeout=300)


def test_the_readme_is_for_a_stranger():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")], ids=str)
def test_links_lead_somewhere(page):
    links = [link for link in LINKS.findall(page.read_text("utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_tree_of_modules_is_the_layout():
    """`python -m nacre.tools.layout` writes it."""
    page = layout.PAGE.read_text("utf-8")
    assert layout.written(page) == page
