"""FORMAT.md is enough: a reader that was written from it alone finds the symbols that were written."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from nacre import codec
from nacre.models import zoo

HERE = Path(__file__).parent
SPEC = importlib.util.spec_from_file_location("plain_parser", HERE / "plain_parser.py")
plain_parser = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(plain_parser)


@pytest.mark.parametrize("path", sorted((HERE / "vectors").glob("*.ncr")), ids=lambda p: p.stem)
def test_frozen_files(path, tiny):
    said, found = plain_parser.checksums(path.read_bytes(), tiny)
    assert said == found


@pytest.mark.parametrize("quality", [1, 50, 100])
def test_files_of_the_model_that_ships(photo, quality):
    data = codec.encode(photo.crop((0, 0, 70, 50)), quality=quality)
    weights = Path(zoo.__file__).parent / "weights" / "nacre.safetensors"
    said, found = plain_parser.checksums(data, weights)
    assert said == found


def test_large_symbols(tiny):
    image = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (40, 50, 3))
    said, found = plain_parser.checksums(codec.encode(image, quality=100, model=tiny), tiny)
    assert said == found


def test_it_has_nothing_of_ours():
    tree = ast.parse((HERE / "plain_parser.py").read_text())
    names = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom | ast.Import)
    }
    assert not any("nacre" in name or "torch" in name for name in names)
