"""`nacre pack`: what it says and the code with which it ends."""

from __future__ import annotations

import pytest

from nacre.datasets.latents.index import read_index
from nacre.tools.cli import main


@pytest.fixture
def pack(folder, tiny):
    def run(*arguments):
        return main(["pack", *arguments, "--model", str(tiny), "-j", "1"])

    return run


def test_a_folder_is_packed_and_packed_again_at_once(folder, pack, capsys):
    assert pack("in", "out", "--size", "48", "--crop", "48") == 0
    assert "2 samples of" in capsys.readouterr().err
    index = read_index(folder / "out")
    assert [(row.key, row.label, row.picture) for row in index.samples] == [
        ("below/two", 0, (48, 48)), ("one", None, (48, 48)),
    ]  # fmt: skip
    assert index.classes == ["below"] and index.preparation.crop == 48
    before = (folder / "out" / "shard-00000.tar").stat()
    assert pack("in", "out", "--size", "48", "--crop", "48") == 0
    assert (folder / "out" / "shard-00000.tar").stat() == before


def test_bad_pictures_are_named_and_change_the_exit_code(folder, pack, capsys):
    (folder / "in" / "bad.png").write_bytes(b"none")
    assert pack("in", "out") == 3
    said = capsys.readouterr().err
    assert "nacre: bad: not a picture" in said and "1 bad pictures" in said
    assert [bad.key for bad in read_index(folder / "out").bad] == ["bad"]
    assert pack("in", "out", "--quiet") == 3  # complete, and still not whole
    (folder / "only").mkdir()
    (folder / "in" / "bad.png").rename(folder / "only" / "bad.png")
    assert pack("only", "none") == 1


def test_labels_of_a_csv_file(folder, pack):
    (folder / "labels.csv").write_text("path,label\none.png,7\n")
    assert pack("in", "out", "--labels", "labels.csv") == 0
    assert [(row.key, row.label) for row in read_index(folder / "out").samples] == [("one", 7)]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["nowhere", "out"], "nowhere\n"),
        (["in", "out", "-q", "0"], "quality 0"),
        (["in", "out", "--size", "0"], "size 0"),
        (["in", "out", "--size", "64", "--crop", "65"], "crop 65: no more than size 64"),
        (["in", "out", "--shard-size", "big"], "--shard-size big"),
        (["in", "in"], "in is not empty"),
        (["in", "out", "--labels", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_wrong_usage(folder, pack, capsys, arguments, why):
    assert pack(*arguments) == 2
    assert why in capsys.readouterr().err
    assert not (folder / "out" / "index.json").exists()
