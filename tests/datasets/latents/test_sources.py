"""Where pictures, keys and labels come from."""

from __future__ import annotations

import io
import os
import sys
import tarfile

import pytest

from nacre.datasets.latents.sources import items_of
from nacre.entropy.errors import UsageError


@pytest.fixture
def place(tmp_path, photo):
    for name in ("dog/b.png", "cat/a.jpg", "cat/below/c.png", "alone.png"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        photo.save(path)
    (tmp_path / "in" / "cat" / "notes.txt").write_text("no picture")
    return tmp_path / "in"


def shown(items):
    return [(item.key, item.label) for item in items]


def test_labels_of_a_folder_are_the_folders_in_it(place):
    assert shown(items_of([place])) == [
        ("alone", None), ("cat/a", "cat"), ("cat/below/c", "cat"), ("dog/b", "dog"),
    ]  # fmt: skip


def test_names_that_differ_by_their_suffix_keep_it(place, photo):
    photo.save(place / "dog" / "b.jpg")
    assert [item.key for item in items_of([place])][-2:] == ["dog/b.jpg", "dog/b.png"]
    photo.save(place / "dog" / "b.jpg.png")
    keys = [item.key for item in items_of([place])]
    assert len(set(keys)) == len(keys) == 6


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are Unicode there")
def test_names_that_are_no_unicode_are_written_in_hexadecimal(place, photo):
    out = io.BytesIO()
    photo.save(out, "PNG")
    with open(os.fsencode(place / "dog") + b"/\xff\n.png", "wb") as file:
        file.write(out.getvalue())
    found = items_of([place])[-1]
    assert found.key == "dog/\\xff\\x0a" and found.loaded() == out.getvalue()


def test_a_csv_file_says_what_is_packed_in_which_order(place, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text('path,label\ndog/b.png,2\n"cat/below/c.png", 0\n./alone.png,\n')
    assert shown(items_of([place], table)) == [("dog/b", 2), ("cat/below/c", 0), ("alone", None)]
    table.write_text("dog/b.png,brown dog,0.5\nmissing.png,1\n")
    assert shown(items_of([place], table)) == [("dog/b", "brown dog"), ("missing", 1)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("dog/b.png\n", "row 1: a path and a label"),
        ("../b.png,1\n", "is not inside"),
        ("a.png,1\n./a.png,2\n", "a.png is there twice"),
    ],
)
def test_csv_files_that_cannot_be_right(place, tmp_path, text, why):
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(UsageError, match=why):
        items_of([place], tmp_path / "labels.csv")


def write_tar(path, members):
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_members_of_a_tar_file_make_a_sample_with_their_label(tmp_path):
    write_tar(
        tmp_path / "one.tar",
        [
            ("./0.jpg", b"zero"), ("./0.cls", b" 3\n"), ("x/1.seg.png", b"mask"), ("x/1.png", b"one"),
            ("x/1.json", b'{"label": "cat"}'), ("2.jpeg", b"two"), ("2.json", b'{"cls": 1}'), ("2.cls", b"4"),
            ("3.webp", b"three"), ("3.json", b"[]"), ("4.txt", b"no picture"), ("../../5.png", b"five"),
        ],
    )  # fmt: skip
    found = items_of([tmp_path / "one.tar"])
    assert shown(found) == [("0", 3), ("x/1", "cat"), ("2", 4), ("3", None), ("5", None)]
    assert [item.loaded() for item in found] == [b"zero", b"one", b"two", b"three", b"five"]


def test_keys_of_several_tar_files_begin_with_their_names(tmp_path):
    for name in ("b", "a"):
        write_tar(tmp_path / f"{name}.tar", [("0.jpg", name.encode())])
    assert [item.key for item in items_of([tmp_path])] == ["a/0", "b/0"]
    named = items_of([tmp_path / "b.tar", tmp_path / "a.tar"])
    assert [item.key for item in named] == ["b/0", "a/0"]


def test_what_is_no_source(place, tmp_path):
    write_tar(tmp_path / "cut.tar", [("0.jpg", b"zero"), ("1.jpg", b"one")])
    os.truncate(tmp_path / "cut.tar", 1500)
    for sources, why in (
        (["nowhere"], "no folder or tar file .*nowhere"),
        ([tmp_path / "cut.tar"], "not a whole tar file"),
        ([place / "alone.png"], "no folder or tar file"),
        ([place / "cat" / "below", place / "dog"], "one folder, or tar files"),
    ):
        with pytest.raises(UsageError, match=why):
            items_of(sources)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no pictures in"):
        items_of([tmp_path / "empty"])
