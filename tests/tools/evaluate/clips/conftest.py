"""Shared by the tests of clips: small files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.codec.clips.made import Making, make


@pytest.fixture(scope="session")
def clip_file(tmp_path_factory) -> Path:
    """moving.mkv: 12 frames of yuv420p, 64x48, 30 frames a second."""
    making = Making(pts=range(0, 12 * 3000, 3000), options={"crf": "1"})
    return make(tmp_path_factory.mktemp("clips") / "moving.mkv", making)
