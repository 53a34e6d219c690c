"""Shared by the tests of the evaluation: a codec that is a pair of small programs."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable

import pytest


@pytest.fixture
def stand_in(tmp_path) -> Callable[[str], str]:
    """Makes the name of a codec, bpgenc and bpgdec that copy their input after the code `encoder` ran."""

    def make(encoder: str = "") -> str:
        for name, text in (
            ("bpgenc", encoder + "\nimport shutil; shutil.copy('in.png', 'out.bpg')"),
            ("bpgdec", "import shutil; shutil.copy('out.bpg', 'rec.png')"),
        ):
            (tmp_path / name).write_text(f"#!{sys.executable} -S\n{textwrap.dedent(text)}")
            (tmp_path / name).chmod(0o755)
        return f"bpg@encoder={tmp_path / 'bpgenc'},decoder={tmp_path / 'bpgdec'}"

    return make
