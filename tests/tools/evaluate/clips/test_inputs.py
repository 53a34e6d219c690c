"""Which inputs of a command are clips."""

from __future__ import annotations

import pytest

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.clips.inputs import ClipSet, clip_paths
from nacre.tools.evaluate.clips.reading import ClipInput


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("clips", "pictures", "both"):
        (tmp_path / folder).mkdir()
    for name in (
        "clips/b.mkv",
        "clips/a.Y4M",
        "clips/notes.txt",
        "pictures/a.png",
        "both/a.png",
        "both/a.mp4",
    ):
        (tmp_path / name).touch()  # fmt: skip


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        (["a.mkv", "b.webm"], ["a.mkv", "b.webm"]),
        (["frames/%05d.png"], ["frames/%05d.png"]),
        (["clips"], ["clips/a.Y4M", "clips/b.mkv"]),
        (["clips", "c.mov"], ["clips/a.Y4M", "clips/b.mkv", "c.mov"]),
        (["pictures"], []),
        (["both"], []),
        (["nowhere"], []),
    ],
)
def test_clips_are_known_by_their_names(place, inputs, found):
    assert clip_paths(inputs) == found


@pytest.mark.parametrize("inputs", [["clips", "pictures"], ["a.mkv", "a.png"], ["both", "a.mp4"]])
def test_clips_and_pictures_are_not_mixed(place, inputs):
    with pytest.raises(UsageError, match="one command"):
        clip_paths(inputs)


def test_two_clips_of_one_name_are_refused():
    with pytest.raises(UsageError, match=r"two clips are called a\.mkv"):
        ClipSet((ClipInput("x/a.mkv"), ClipInput("y/a.mkv")))


def test_the_set_is_called_as_its_folder(clip_file, tmp_path):
    assert ClipSet((ClipInput("uvg/a.mkv"),)).folder.name == "uvg"
    assert ClipSet((ClipInput(str(tmp_path / "a" / "%d.png")),)).folder == tmp_path


def test_clips_that_cannot_be_read_are_left_out(clip_file, tmp_path):
    (tmp_path / "no.mkv").write_text("no clip")
    clips = ClipSet((ClipInput(str(clip_file)), ClipInput(str(tmp_path / "no.mkv"))))
    said: list[str] = []
    readable, unreadable = clips.facts(said.append)
    assert list(readable) == ["moving.mkv"] and list(unreadable) == ["no.mkv"]
    assert said[0].startswith("no.mkv: ") and said[0].endswith(": left out")
    with pytest.raises(UsageError, match="none of 1 clips"):
        ClipSet(clips.clips[1:]).facts(said.append)
