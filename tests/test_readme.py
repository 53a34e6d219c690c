"""Every block of the README runs, and its layout tree is the layout."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.M | re.S)
RUN = [(kind, text) for kind, text in BLOCKS if kind in ("python", "sh")]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Where the README's reader is: a folder with a photograph, a folder of them, and `nacre` on the path."""
    here = tmp_path_factory.mktemp("readme")
    photo = ROOT / "tools" / "demo" / "beacon-street.png"
    (here / "photos").mkdir()
    from PIL import Image

    small = Image.open(photo).crop((0, 0, 192, 128))
    small.save(here / "photo.jpg", quality=95)
    small.save(here / "photos" / "one.png")
    return here


@pytest.mark.parametrize(
    ("kind", "text"), RUN, ids=[f"{kind}-{i}" for i, (kind, _) in enumerate(RUN)]
)
def test_blocks_run_in_order(kind, text, place, monkeypatch):
    if "make " in text or "pip install" in text:
        assert all(
            line.split()[1] in makefile_targets()
            for line in text.splitlines()
            if line.startswith("make ")
        )
        return
    monkeypatch.chdir(place)
    if kind == "python":
        parsed = doctest.DocTestParser().get_doctest(text, {}, "README", "README.md", 0)
        if parsed.examples:
            assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(parsed).failed == 0
        else:
            exec(compile(text, "README.md", "exec"), {})
        return
    bin = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run([shutil.which("sh"), "-ec", text], check=True, env=environment, timeout=120)


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


def test_there_are_blocks_of_both_kinds():
    assert {kind for kind, _ in RUN} == {"python", "sh"}


def test_the_layout_tree_names_every_module():
    named = set(re.findall(r"^\s+([a-z_]+\.py) ", README, re.M))
    modules = {
        p.name
        for layer in ("entropy", "models", "codec", "datasets", "tools")
        for p in (ROOT / layer).rglob("*.py")
        if p.name != "__init__.py"
    }
    assert modules - named == set()
    assert named - modules == set()
