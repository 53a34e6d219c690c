"""Bare intra streams hold one frame and nothing that no decoder needs."""

from __future__ import annotations

import re

import numpy as np
import pytest

from nacre.tools.evaluate.codecs.base import CodecFailed
from nacre.tools.evaluate.codecs.registry import create
from nacre.tools.evaluate.metrics import psnr_db


def test_x264_leaves_its_settings_out_of_the_stream(photo):
    data = create("x264").encode(photo, 40)
    kinds = [unit[0] & 31 for unit in re.split(rb"\x00\x00\x01", data) if unit]
    assert kinds == [7, 8, 5]  # sequence, picture, one intra slice
    assert b"x264" not in data


def test_x265_leaves_its_settings_out_of_the_stream(photo):
    assert b"x265" not in create("x265").encode(photo, 40)


@pytest.mark.parametrize("name", ["x264", "x265"])
def test_ten_bits_are_the_same_quality_and_no_worse(name, photo):
    eight, ten = create(name), create(f"{name}@depth=10")
    psnr = [
        psnr_db(np.asarray(photo), np.asarray(c.decode(c.encode(photo, 22), photo.size)))
        for c in (eight, ten)
    ]
    assert psnr[0] - 0.2 < psnr[1] < psnr[0] + 1.5


@pytest.mark.parametrize("data", [b"", b"nothing of the kind", bytes(100)])
def test_what_is_no_stream_fails(data, photo):
    with pytest.raises(CodecFailed):
        create("x264").decode(data, photo.size)
