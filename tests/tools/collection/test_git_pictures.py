"""Picture files in a history: found by content, wherever a clone lies."""

from __future__ import annotations

import pytest

from nacre.entropy.errors import UsageError
from nacre.tools.collection.git_pictures import find_clone, matches, picture_files, read


def commit(git, folder, **files: bytes) -> None:
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content)
    git("add", "--all")
    git("commit", "--quiet", "--message=m")


def test_a_content_that_was_replaced_is_still_found_and_each_counts_once(git, tmp_path):
    folder = tmp_path / "owner+name"
    commit(git, folder, a__jpg=b"old", b__JPG=b"longer", c__txt=b"text")
    commit(git, folder, a__jpg=b"new!", d__png=b"old")
    clone = find_clone(tmp_path, "owner/name")
    found = picture_files(clone)
    assert [file.size_bytes for file in found] == [6, 4, 3]
    assert [read(clone, file.blob) for file in found] == [b"longer", b"new!", b"old"]
    assert picture_files(clone, "HEAD~1")[-1].path == "a.jpg"


def test_what_was_only_proposed_is_not_found(git, tmp_path):
    folder = tmp_path / "owner+name"
    commit(git, folder, a__jpg=b"ours")
    git("checkout", "--quiet", "-b", "theirs")
    commit(git, folder, b__jpg=b"proposed")
    git("update-ref", "refs/pull/1/head", "theirs")
    git("checkout", "--quiet", "main")
    git("branch", "--quiet", "-D", "theirs")
    assert [file.path for file in picture_files(find_clone(tmp_path, "owner/name"))] == ["a.jpg"]


def test_a_bare_clone_in_a_folder_of_the_owner_is_found(git, tmp_path):
    commit(git, tmp_path / "owner+name", a__jpg=b"1")
    bare = tmp_path / "clones" / "owner" / "name"
    git("clone", "--quiet", "--mirror", str(tmp_path / "owner+name"), str(bare))
    assert find_clone(tmp_path / "clones", "owner/name") == bare


def test_a_missing_clone_names_the_command_that_brings_it(tmp_path):
    with pytest.raises(UsageError, match=r"git clone --mirror .*owner/name"):
        find_clone(tmp_path, "owner/name")


def test_patterns_cross_folders_and_ignore_case():
    assert matches("a/b/C.JPG", ("a/*.jpg",))
    assert not matches("a/b/c.jpg", ("b/*",))
