"""`info` tells what is in the file, without torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nacre import codec
from nacre.codec.container import Limits
from nacre.entropy.errors import LimitError


def test_it_says_what_was_asked_for(photo):
    photo = photo.copy()
    photo.info["icc_profile"] = b"12345"
    data = codec.encode(photo, quality=33)
    found = codec.info(data)
    assert (found.width, found.height, found.channels, found.bit_depth) == (*photo.size, 3, 8)
    assert (found.quality, found.model, found.tiles) == (33, "nacre", 1)
    assert found.metadata_bytes == {"ICC": 5}
    assert found.file_bytes == len(data) == 8 + sum(size for _, size in found.chunks)
    assert found.bpp == 8 * len(data) / (photo.width * photo.height)
    assert [kind for kind, _ in found.chunks] == ["HEAD", "meta", "LATN", "TEND"]


def test_a_model_that_is_not_here_is_told_by_its_id(tiny, photo):
    found = codec.info(codec.encode(photo, model=tiny))
    assert found.model == found.model_id


def test_limits_hold(photo, tiny):
    with pytest.raises(LimitError):
        codec.info(codec.encode(photo, model=tiny), limits=Limits(pixels=100))


def test_it_needs_neither_torch_nor_numpy():
    code = "import sys; from nacre import codec; codec.info; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
