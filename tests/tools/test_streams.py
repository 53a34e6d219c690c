"""Files whole or not at all; pipes and descriptors as a shell hands them over."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nacre.entropy.errors import NacreError, UsageError
from nacre.tools import streams

posix = pytest.mark.skipif(os.name != "posix", reason="pipes and descriptors are those of POSIX")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_name_may_be_as_long_as_the_system_allows():
    name = "n" * 255
    streams.write_output(name, b"data", force=False)
    assert Path(name).read_bytes() == b"data"
    with pytest.raises(NacreError, match=r"cannot write n+: File name too long"):
        streams.write_output("n" * 256, b"data", force=False)


@posix
def test_a_descriptor_is_written_where_it_stands():
    with open("out", "wb") as file:
        file.write(b"before ")
        file.flush()
        streams.write_output(f"/dev/fd/{file.fileno()}", b"data", force=False)
        file.seek(0, 2)
        file.write(b" after")
    assert Path("out").read_bytes() == b"before data after"


@posix
def test_a_descriptor_is_read_from_where_it_stands():
    Path("in").write_bytes(b"skipped data")
    with open("in", "rb", buffering=0) as file:
        file.read(8)
        assert streams.read_input(f"/dev/fd/{file.fileno()}") == b"data"


@posix
def test_of_a_path_nothing_is_read_and_of_a_descriptor_all():
    Path("in").write_bytes(b"data")
    assert streams.file_or_path("in") == "in"
    with open("in", "rb", buffering=0) as file:
        assert streams.file_or_path(f"/dev/fd/{file.fileno()}").read() == b"data"


@posix
def test_a_named_pipe_is_written_and_read_and_stays():
    os.mkfifo("pipe")
    found = []
    reader = threading.Thread(target=lambda: found.append(streams.read_input("pipe")))
    reader.start()
    streams.write_output("pipe", b"data", force=False)
    reader.join(10)
    assert found == [b"data"] and streams.is_passing("pipe")


@posix
def test_a_pipe_without_a_reader_is_an_error_of_that_output():
    code = (
        "import os, signal\nfrom nacre.tools.streams import write_output\n"
        "read, write = os.pipe()\nos.close(read)\n"
        "try: write_output(f'/dev/fd/{write}', b'data', False)\nexcept Exception as e: print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "cannot write /dev/fd/" in done.stdout and "Broken pipe" in done.stdout


def test_an_error_names_the_output_and_not_the_name_it_had_meanwhile(monkeypatch):
    Path("file").touch()
    with pytest.raises(NacreError, match=r"cannot write file.out: Not a directory"):
        streams.write_output(str(Path("file") / "out"), b"data", force=False)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NacreError, match="cannot write out: No space left on device"):
        streams.write_output("out", b"data", force=False)
    assert [p.name for p in Path().iterdir()] == ["file"]


def test_a_terminal_gets_no_bytes_unless_forced(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with pytest.raises(UsageError, match="a terminal"):
        streams.refuse_existing("-", force=False)
    streams.refuse_existing("-", force=True)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("/dev/stdin", 0), ("/dev/stdout", 1), ("/dev/fd/63", 63), ("/proc/self/fd/5", 5), ("-", None),
        ("/dev/fd/x", None), ("/dev/null", None),
    ],
)  # fmt: skip
def test_descriptors_are_known_by_name(name, number):
    assert streams.descriptor(name) == number


def test_standard_input_that_is_closed_is_told(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(NacreError, match="standard input is closed"):
        streams.read_input("-")
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(NacreError, match="standard output is closed"):
        streams.write_output("-", b"data", force=False)
