"""Imports point one way, every module says what it is for, and the package holds every folder."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

import nacre
from nacre import codec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
LAYERS = ["entropy", "models", "codec", "datasets", "tools"]
MODULES = sorted(p for layer in LAYERS for p in (ROOT / layer).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Modules of ours that a file imports, type checking included: `codec.decoder`, ..."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.removeprefix("nacre.") for name in names if name.startswith("nacre.")}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path):
    own = LAYERS.index(path.relative_to(ROOT).parts[0])
    above = {name for name in imported(path) if name.split(".")[0] in LAYERS[own + 1 :]}
    assert above == set()


def test_the_container_knows_nothing_but_chunks_and_errors():
    known = set().union(*(imported(path) for path in (ROOT / "codec" / "container").glob("*.py")))
    assert {name.split(".")[1] for name in known} == {"chunks", "container", "errors"}
    assert {name.split(".")[1] for name in imported(ROOT / "codec" / "chunks.py")} == {"errors"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize(
    "path", [p for p in MODULES if p.name != "__init__.py"], ids=lambda p: p.name
)
def test_files_stay_short(path):
    assert len(path.read_text().splitlines()) <= 400


def test_the_package_lists_every_folder():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {p.parent for layer in LAYERS for p in (ROOT / layer).rglob("__init__.py")}
    here = {"nacre." + ".".join(f.relative_to(ROOT).parts) for f in folders} | {"nacre"}
    assert set(project["packages"]) == here
    assert set(project["package-dir"]) == here
    assert all((ROOT / folder).is_dir() for folder in project["package-dir"].values())


def test_two_classes_never_share_a_name():
    homes: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


CONTRACTS = {"family", "zoo", "parts"}  # of models/: no architecture among them


@pytest.mark.parametrize(
    "path",
    [p for p in MODULES if p.relative_to(ROOT).parts[0] in ("entropy", "codec", "datasets")],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_the_codec_knows_no_architecture(path):
    known = {name.split(".")[1] for name in imported(path) if name.startswith("models.")}
    assert known <= CONTRACTS
    text = path.read_text()
    words = ("hyper", "TrainingPrior", "NacreNetwork", "latent_channels", "STRIDE")
    assert [word for word in words if re.search(rf"\b{word}\b", text)] == []


def test_training_and_export_know_no_architecture():
    for folder in ("train", "export"):
        for path in (ROOT / "tools" / folder).glob("*.py"):
            known = {name.split(".")[1] for name in imported(path) if name.startswith("models.")}
            assert known <= CONTRACTS | {"weights_file", "install"}, path


def test_what_is_exported_is_there():
    assert sorted(codec.__all__) == codec.__all__
    assert all(getattr(codec, name) for name in codec.__all__)
    assert nacre.__version__
