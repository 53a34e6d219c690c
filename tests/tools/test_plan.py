"""What goes where, and what must not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from nacre.codec.pictures.kinds import Kind
from nacre.entropy.errors import UsageError
from nacre.tools.plan import Job, by_suffix, few, find, pair, refuse_overwriting

PICTURES = {".png", ".jpg"}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def planned(*inputs: str, output: str | None = None, keep_suffix: bool = False) -> list[Job]:
    return pair(find(inputs, by_suffix(PICTURES)), output, ".ncr", PICTURES, keep_suffix)


def linked(name: str) -> str:
    """Another name of a file."""
    other = f"{name}.other"
    os.link(name, other)
    return other


def linked_softly(name: str) -> str:
    other = f"{name}.soft"
    Path(other).symlink_to(name)
    return other


@pytest.mark.skipif(os.name != "posix", reason="links are those of POSIX")
@pytest.mark.parametrize(
    "spelled", [str, os.path.abspath, lambda name: f"below/../{name}", linked, linked_softly]
)
def test_an_output_that_is_the_input_is_refused_whatever_it_is_called(spelled):
    touch("photo.jpg", "below/x")
    with pytest.raises(UsageError, match=r"photo\.jpg.* is an input: it would be overwritten"):
        planned("photo.jpg", output=spelled("photo.jpg"))


@pytest.mark.skipif(os.name != "posix", reason="links are those of POSIX")
def test_an_output_that_is_another_input_is_refused():
    touch("in/a.jpg", "in/b.jpg")
    Path("in/a.ncr").symlink_to("b.jpg")
    with pytest.raises(UsageError, match=r"b\.jpg is .*a\.ncr by another name, and is an input"):
        planned("in")


def test_an_output_that_is_read_for_something_else_is_refused():
    touch("mask.png")
    with pytest.raises(UsageError, match=r"mask\.png is an input"):
        refuse_overwriting([Job("a.png", "mask.png")], ["mask.png", "0,0,5,5"])


def test_standard_input_is_an_input_too(monkeypatch):
    touch("photo.bin")
    with open("photo.bin") as file:
        monkeypatch.setattr(sys, "stdin", file)
        with pytest.raises(UsageError, match="is an input"):
            planned("-", output="photo.bin")


@pytest.mark.parametrize("target", ["b.png", "b.JPG"])
def test_an_output_must_not_have_a_suffix_of_another_kind(target):
    touch("a.jpg")
    with pytest.raises(UsageError, match=r"is no \.(png|jpg) but a \.ncr file"):
        planned("a.jpg", output=target)
    assert planned("a.jpg", output="b.anything") == [Job("a.jpg", "b.anything")]


def test_two_files_of_one_name_are_both_named_with_the_remedy():
    touch("in/a.jpg", "in/a.png", "in/b.jpg", "in/b.png")
    with pytest.raises(UsageError) as refused:
        planned("in")
    said = str(refused.value).replace(os.sep, "/")
    assert said.startswith("in/a.jpg and in/a.png would both write in/a.ncr, and 1 more do so")
    assert "--keep-suffix gives a.jpg.ncr" in said
    targets = [Path(job.target).name for job in planned("in", keep_suffix=True)]
    assert targets == ["a.jpg.ncr", "a.png.ncr", "b.jpg.ncr", "b.png.ncr"]


def test_what_was_kept_apart_stays_apart_on_the_way_back():
    touch("in/a.jpg.ncr", "in/a.png.ncr")
    jobs = pair(find(["in"], by_suffix([".ncr"])), None, ".png", [".ncr"])
    assert [Path(job.target).name for job in jobs] == ["a.jpg.png", "a.png.png"]


def test_no_remedy_is_told_that_would_not_help():
    touch("x/a.png", "y/a.png")
    with pytest.raises(UsageError, match=r"would both write out.a\.ncr$"):
        planned("x", "y", output="out")


def test_folders_are_searched_in_order_and_what_is_left_out_is_named():
    touch(
        "in/b.png",
        "in/below/a.png",
        "in/.hidden/c.png",
        "in/.d.png",
        *(f"in/{k}.doc" for k in range(5)),
    )

    def judge(path: str) -> Kind:
        name = os.path.basename(path)
        return Kind.HIDDEN if name[0] == "." else Kind.TAKEN if name.endswith("png") else Kind.OTHER

    found = find(["in"], judge)
    assert [str(relative) for _, relative in found.files] == ["b.png", str(Path("below/a.png"))]
    assert found.notes == [
        "in: left out as no pictures: 0.doc, 1.doc, 2.doc and 2 more",
        "in: left out as hidden: .hidden/, .d.png",
    ]
    assert not found.problems


def test_pictures_that_cannot_be_read_are_one_failure_with_what_helps():
    touch("in/a.png", *(f"in/IMG_{k}.HEIC" for k in range(9)), "in/x.NEF")

    def judge(path: str) -> Kind:
        return Kind.TAKEN if path.endswith("png") else Kind.UNREADABLE

    (problem,) = find(["in"], judge).problems
    assert problem.problem.startswith("10 pictures cannot be read here: IMG_0.HEIC, ")
    assert "and 7 more" in problem.problem and "pip install pillow-heif" in problem.problem
    assert "rawpy" in problem.problem


def test_an_empty_folder_stops_no_others():
    touch("a.png")
    Path("empty").mkdir()
    found = find(["empty", "a.png"], by_suffix(PICTURES))
    assert len(found.files) == 1 and "empty: no file in this folder" in found.notes[0]
    with pytest.raises(UsageError, match="no file in this folder"):
        find(["empty"], by_suffix(PICTURES))


@pytest.mark.skipif(os.name != "posix", reason="links are those of POSIX")
def test_links_that_lead_nowhere_fail_and_links_to_folders_are_told():
    touch("in/a.png")
    Path("in/gone.png").symlink_to("nothing")
    Path("in/round").symlink_to(".")
    found = find(["in"], by_suffix(PICTURES))
    assert [str(relative) for _, relative in found.files] == ["a.png", "gone.png"]
    assert "a link to a folder" in found.notes[0]


def test_a_folder_that_cannot_be_read_is_a_failure(monkeypatch):
    touch("in/a.png")
    real = os.scandir

    def refusing(path):
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    Path("in/shut").mkdir()
    monkeypatch.setattr(os, "scandir", refusing)
    (problem,) = find(["in"], by_suffix(PICTURES)).problems
    assert problem.source.endswith("shut") and problem.problem == "Permission denied"


@pytest.mark.skipif(os.name != "posix", reason="descriptors are those of POSIX")
def test_what_a_shell_hands_over_goes_to_stdout_unless_told():
    assert planned("/dev/fd/63") == [Job("/dev/fd/63", "-")]
    assert planned("/dev/stdin", output="/dev/stdout") == [Job("-", "-")]
    assert planned("/dev/fd/63", output="a.ncr") == [Job("/dev/fd/63", "a.ncr")]


def test_an_output_folder_that_is_a_file_is_refused():
    touch("a.png", "b.png", "file")
    for output, inputs in (("file", ["a.png", "b.png"]), ("file/", ["a.png"])):
        with pytest.raises(UsageError, match="is a file; several outputs need a folder"):
            planned(*inputs, output=output)


def test_a_few_names_and_a_count():
    assert few(["a", "b"]) == "a, b"
    assert few(list("abcdef")) == "a, b, c and 3 more"
