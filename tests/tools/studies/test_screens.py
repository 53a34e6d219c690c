"""Screenshots: equal pages for equal seeds, and a table of what was measured."""

from __future__ import annotations

import random

import pytest
from PIL import Image

from nacre.entropy.errors import UsageError
from nacre.tools.studies import screens


def test_pages_depend_on_the_seed_alone(photo: Image.Image):
    first, again = (screens.pages(random.Random(3), [photo]) for _ in range(2))
    assert first == again and len(first) == 10


def test_a_folder_of_pictures_is_measured_as_it_is(figures, tmp_path, photo, monkeypatch):
    (tmp_path / "shots").mkdir()
    photo.crop((0, 0, 64, 64)).save(tmp_path / "shots" / "page.png")
    few = {name: qualities[::3] for name, qualities in screens.QUALITIES.items()}
    monkeypatch.setattr(screens, "QUALITIES", few)
    found = figures(screens, str(tmp_path / "shots"), "--effort", "0")
    assert list(found["pages"]) == ["page"]


def test_without_a_browser_nothing_is_rendered(tmp_path, photo, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="PATH"):
        screens.render(tmp_path, [photo])
