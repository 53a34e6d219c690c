"""Shared by the tests of the studies: small pictures, and a study run in its smallest form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from nacre.tools.studies import study
from nacre.tools.studies.study import Figures


@pytest.fixture
def picture(tmp_path, photo) -> str:
    photo.save(tmp_path / "a.png")
    return str(tmp_path / "a.png")


@pytest.fixture
def figures(tmp_path, capsys) -> Callable[..., Figures]:
    """Runs a study and returns its figures; the table printed, again by --table, is that of the JSON."""

    def run(module: ModuleType, *arguments: str) -> Figures:
        path = tmp_path / "figures.json"
        assert module.main([*arguments, "--json", str(path)]) == 0
        found = study.read(path)
        table = module.table(found)
        assert table in capsys.readouterr().out
        with pytest.raises(SystemExit) as ended:
            module.main(["--table", str(path)])
        assert ended.value.code in (0, None) and capsys.readouterr().out == table + "\n"
        assert found["conditions"]["weights"] and found["conditions"]["processor"]
        return found

    return run


RESULTS = Path(__file__).parents[3] / "docs" / "results"


@pytest.fixture(scope="session")
def results() -> Callable[[str], Figures]:
    """Reads a file of docs/results."""
    return lambda name: study.read(RESULTS / name)
