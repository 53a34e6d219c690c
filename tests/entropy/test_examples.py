"""The examples in the docstrings hold."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from nacre import entropy

NAMES = [module.name for module in pkgutil.iter_modules(entropy.__path__)]


@pytest.mark.parametrize("name", NAMES)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(f"nacre.entropy.{name}")).failed == 0


def test_the_coder_and_the_order_have_examples():
    for name in ("schedule", "tables", "stack", "coder"):
        module = importlib.import_module(f"nacre.entropy.{name}")
        assert any(test.examples for test in doctest.DocTestFinder().find(module)), name
