"""Values of options: a number and its unit, rectangles, qualities; everything else is refused."""

from __future__ import annotations

import pytest

from nacre.entropy.errors import UsageError
from nacre.tools import values


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("50000", 50000), ("100kB", 100_000), ("64 KiB", 65536), (".5MB", 500_000), ("1MiB", 2**20)],
)
def test_sizes(text, wanted):
    assert values.size_bytes(text, "--size") == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("30", 30), ("90s", 90), ("2m", 120), ("2min", 120), ("1.5h", 5400), (" 1S ", 1)],
)
def test_times(text, wanted):
    assert values.seconds(text, "--time-limit") == wanted


@pytest.mark.parametrize("text", ["", "kB", "1 2", "-3s", "1e3", "5 apples", "1,5h"])
def test_other_text_is_refused_with_the_option_and_examples(text):
    for parse in (values.seconds, values.size_bytes):
        with pytest.raises(UsageError, match=r"--here .*: a number is wanted, as in"):
            parse(text, "--here")


def test_rectangles():
    assert values.box("1,2, 3,4") == (1, 2, 3, 4)
    assert values.box("-1,2,3,4") == (-1, 2, 3, 4)
    for text in ("", "1,2,3", "1,2,3,4,5", "a,b,c,d", "mask.png"):
        assert values.box(text) is None


def test_qualities_are_sorted_and_each_stands_once():
    assert values.qualities("50,20,50,7.5") == (7.5, 20, 50)
    with pytest.raises(UsageError, match="numbers with commas"):
        values.qualities("1;2")
