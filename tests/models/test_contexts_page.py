"""The context of docs/contexts.md keeps the laws, and is trained and used like any other."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

from nacre.models import family as families
from tests.models import laws
from tests.models.nacre.test_laws import TINY

PAGE = Path(__file__).parents[2] / "docs" / "contexts.md"
CODE = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S))


@pytest.fixture(scope="module")
def neighbour():
    module = types.ModuleType("neighbour_family")
    sys.modules[module.__name__] = module
    exec(compile(CODE, str(PAGE), "exec"), module.__dict__)
    yield "neighbour"
    del families._registered["neighbour"], sys.modules[module.__name__]


def test_the_context_is_about_thirty_lines():
    body = CODE[CODE.index("class NeighbourContext") :]
    assert len([line for line in body.splitlines() if line.strip()]) <= 30


def test_no_turn_sees_a_later_one(neighbour):
    laws.causality(laws.build(neighbour, TINY))


def test_gradients_reach_every_parameter(neighbour):
    laws.gradients_reach_every_parameter(laws.build(neighbour, TINY))


def test_files_are_read_back(neighbour, tmp_path, monkeypatch):
    laws.files(laws.write_tiny(tmp_path / "tiny.safetensors", neighbour, TINY), monkeypatch)
