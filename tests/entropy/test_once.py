"""Computed once, and no object waits for another."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from nacre.entropy.once import once


def test_it_is_computed_once_and_knows_its_text():
    computed = []

    @dataclass(frozen=True)
    class Square:
        side: int

        @once
        def area(self) -> int:
            """Of the square."""
            computed.append(self.side)
            return self.side**2

    square = Square(3)
    assert (square.area, square.area, Square(4).area) == (9, 9, 16)
    assert computed == [3, 4]
    assert Square.area.__doc__ == "Of the square."
    assert square == Square(3)


def test_no_object_waits_for_another():
    """A lock of the class, held by a thread that computes, would also be held in every child forked then."""
    begun, go_on = threading.Event(), threading.Event()

    class Slow:
        def __init__(self, waits: bool) -> None:
            self.waits = waits

        @once
        def value(self) -> int:
            if self.waits:
                begun.set()
                assert go_on.wait(60)
            return 1

    found = []
    first = threading.Thread(target=lambda: Slow(True).value)
    second = threading.Thread(target=lambda: found.append(Slow(False).value), daemon=True)
    first.start()
    assert begun.wait(60)
    second.start()
    second.join(20)
    go_on.set()
    first.join()
    assert found == [1]
