"""The list of repositories: what it may say, and that the project's own is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from nacre.entropy.errors import UsageError
from nacre.tools import collection
from nacre.tools.collection.photograph_sources import read_recipe, slug


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a list"),
        ('[[source]]\nrepository = "a/b"\n', "licence"),
        ('[[source]]\nrepository = "a/b"\nlicence = "x"\nlicense = "x"\n', "license"),
        (2 * '[[source]]\nrepository = "a/b"\nlicence = "x"\n', "share the name b"),
    ],
)
def test_a_recipe_that_cannot_be_meant_is_refused(tmp_path, text, message):
    (tmp_path / "recipe.toml").write_text(text)
    with pytest.raises(UsageError, match=message):
        read_recipe(tmp_path / "recipe.toml")


def test_the_recipe_of_the_project_is_whole():
    recipe = Path(collection.__file__).parent / "sources" / "photographs.toml"
    sources = read_recipe(recipe)
    assert len(sources) > 30 and all(source.licence for source in sources)
    assert all(len(blob) >= 7 for source in sources for blob in source.leave_out)


def test_names_are_of_small_letters_digits_and_hyphens():
    assert slug("A photo (1) -- Köln.", 32) == "a-photo-1-k-ln"
    assert slug("___", 32) == "photo"
    assert slug("abc-def", 4) == "abc"
