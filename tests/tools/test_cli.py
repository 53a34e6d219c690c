"""The command line: what it does, what it says, what it returns."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nacre import codec
from nacre.codec import threads
from nacre.tools import batch
from nacre.tools.cli import COMMANDS, main


def nacre(*arguments: str, **options):
    return subprocess.run(
        [sys.executable, "-m", "nacre", *arguments], capture_output=True, **options
    )


@pytest.fixture
def light(photo, tmp_path_factory) -> dict[str, str]:
    """The environment of light_nacre.py, in which it encodes `photo`."""
    place = tmp_path_factory.mktemp("light")
    (place / "coded.ncr").write_bytes(codec.encode(photo, effort=0))
    (place / "pixels").write_bytes(photo.tobytes())
    return {**os.environ, "CODED": str(place / "coded.ncr"), "PIXELS": str(place / "pixels")}


def test_a_picture_goes_there_and_back(folder, photo):
    assert main(["encode", "in/one.png", "-q", "50", "-o", "a.ncr"]) == 0
    with threads.suited(photo.width * photo.height):  # as in the command
        assert Path("a.ncr").read_bytes() == codec.encode(photo, quality=50)
        shown = codec.decode(Path("a.ncr").read_bytes())
    assert main(["decode", "a.ncr", "-o", "b.png"]) == 0
    assert np.array_equal(Image.open("b.png"), shown)


def test_outputs_go_beside_inputs_unless_told(folder):
    assert main(["encode", "in/one.png"]) == 0
    assert main(["decode", "in/one.ncr", "--force"]) == 0
    assert sorted(p.name for p in Path("in").iterdir()) == ["below", "one.ncr", "one.png"]


def test_a_folder_keeps_its_shape(folder):
    assert main(["encode", "in", "-o", "coded"]) == 0
    assert main(["decode", "coded", "-o", "out", "--format", "bmp"]) == 0
    assert Image.open("out/one.bmp").mode == "RGB"
    assert Image.open("out/below/two.bmp").mode == "L"


def test_a_bad_file_does_not_stop_the_others(folder, capsys):
    Path("in/bad.png").write_bytes(b"no picture")
    assert main(["encode", "in", "-o", "coded"]) == batch.SOME_FAILED
    assert sorted(p.name for p in Path("coded").rglob("*.ncr")) == ["one.ncr", "two.ncr"]
    said = capsys.readouterr().err
    assert "in/bad.png: not a picture that Pillow can read" in said.replace(os.sep, "/")
    assert "1 of 3 files failed" in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["encode", "nothing.png"], 1, "nothing.png: No such file or directory"),
        (["decode", "in/one.png", "-o", "a.png"], 1, "not a nacre file"),
        (["encode", "in/one.png", "-q", "0"], 2, "quality 0"),
        (["encode", "in/one.png", "--model", "no"], 1, "no model is called 'no'"),
        (["encode", "in/one.png", "--max-pixels", "5"], 1, "pixels"),
        (["encode", "in", "-o", "in/one.png"], 2, "several outputs need a folder"),
        (["encode", "in", "-o", "-"], 2, "several files cannot go to one stdout"),
        (["encode", "-", "in/one.png"], 2, "stdin cannot be mixed"),
        (["encode", "in/one.png", "in/one.png"], 2, "would both write"),
        (["decode", "in"], 2, "no file in this folder"),
        (["decode", "in/one.png", "-o", "a.xyz"], 2, "no picture format is known by .xyz"),
        (["decode", "in/one.png", "--format", "xyz"], 2, "no picture format is known by .xyz"),
        (["encode", "in/one.png", "a.ncr"], 2, "-o names an output"),
        (["encode", "in/one.png", "--device", "meta"], 2, "device 'meta' cannot be used"),
        (["encode", "in/one.png", "--threads", "0"], 2, "at least 1"),
    ],
)
def test_what_goes_wrong_is_one_line(folder, capsys, arguments, code, said):
    assert main(arguments) == code
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err
    assert err.count("\n") == 1


def test_nothing_is_overwritten_unless_forced(folder, capsys):
    Path("a.ncr").write_bytes(b"precious")
    assert main(["encode", "in/one.png", "-o", "a.ncr"]) == 1
    assert "--force" in capsys.readouterr().err
    assert Path("a.ncr").read_bytes() == b"precious"
    assert main(["encode", "in/one.png", "-o", "a.ncr", "--force"]) == 0
    assert Path("a.ncr").read_bytes() != b"precious"


def test_a_damaged_file_leaves_no_picture(folder, photo, capsys):
    data = bytearray(codec.encode(photo))
    data[60] ^= 1
    Path("a.ncr").write_bytes(data)
    assert main(["decode", "a.ncr", "-o", "a.png"]) == 1
    assert "damaged" in capsys.readouterr().err
    assert sorted(p.name for p in Path().iterdir()) == ["a.ncr", "in"]


def test_a_failed_write_leaves_nothing(folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(batch.os, "fsync", full)
    assert main(["encode", "in/one.png", "-o", "a.ncr"]) == 1
    assert [p.name for p in Path().iterdir()] == ["in"]


@pytest.mark.skipif(os.name != "posix", reason="pipes and links are those of POSIX")
def test_a_pipe_or_a_link_is_written_through_and_not_replaced(folder):
    Path("real.ncr").touch()
    Path("link.ncr").symlink_to("real.ncr")
    assert main(["encode", "in/one.png", "-o", "link.ncr", "--force"]) == 0
    assert Path("link.ncr").is_symlink()
    assert Path("real.ncr").stat().st_size > 100
    assert main(["encode", "in/one.png", "-o", os.devnull]) == 0
    assert not Path(os.devnull).is_file()


def test_a_folder_may_have_a_dot_in_its_name_or_be_new(folder):
    assert main(["encode", "in", "-o", "v1.5"]) == 0
    assert main(["decode", "v1.5", "-o", "out.2024"]) == 0
    assert Path("out.2024/below/two.png").is_file()
    assert main(["encode", "in/one.png", "-o", "new/"]) == 0
    assert Path("new/one.ncr").is_file()


def test_a_reader_of_pillow_that_raises_anything_is_one_failed_file(folder):
    Path("in/bad.ppm").write_bytes(b"P6 aaaaaaaaaaaaaaaaaaaaaaaa")
    assert main(["encode", "in", "-o", "coded"]) == batch.SOME_FAILED


def test_metadata_that_a_format_does_not_take_are_dropped_aloud(folder, photo, capsys):
    photo = photo.copy()
    photo.info["exif"] = b"Exif\0\0garbage!"
    Path("a.ncr").write_bytes(codec.encode(photo))
    assert main(["decode", "a.ncr", "-o", "a.bmp"]) == 0
    assert "without its metadata" in capsys.readouterr().err


def test_xmp_reaches_a_png(folder, photo):
    photo = photo.copy()
    photo.info["xmp"] = b"<x:xmpmeta/>"
    Path("a.ncr").write_bytes(codec.encode(photo))
    assert main(["decode", "a.ncr"]) == 0
    assert Image.open("a.png").info["xmp"] == b"<x:xmpmeta/>"


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_outputs_have_ordinary_permissions(folder):
    main(["encode", "in/one.png", "-o", "a.ncr"])
    Path("plain").touch()
    assert stat.S_IMODE(Path("a.ncr").stat().st_mode) == stat.S_IMODE(Path("plain").stat().st_mode)


def test_pipes(folder, photo):
    coded = nacre(
        "encode", "-", "-q", "40", input=Path("in/one.png").read_bytes(), check=True
    ).stdout
    assert coded == codec.encode(photo, quality=40)
    picture = nacre("decode", "-", input=coded, check=True).stdout
    assert np.array_equal(Image.open(io.BytesIO(picture)), codec.decode(coded))


def test_metadata_reaches_the_decoded_picture(folder, photo):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save("turned.jpg", exif=exif, icc_profile=b"a profile")
    assert main(["encode", "turned.jpg"]) == 0
    assert main(["decode", "turned.ncr", "-o", "a.png"]) == 0
    assert Image.open("a.png").getexif()[0x0112] == 6
    assert Image.open("a.png").info["icc_profile"] == b"a profile"
    # BMP can tell no orientation: the pixels are turned
    assert main(["decode", "turned.ncr", "-o", "a.bmp"]) == 0
    assert Image.open("a.bmp").size == photo.size[::-1]


def test_info_and_models_as_json(folder, photo, capsys):
    Path("a.ncr").write_bytes(codec.encode(photo))
    assert main(["info", "a.ncr", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["width"] == photo.width
    assert main(["info", "a.ncr"]) == 0
    assert "bits per pixel" in capsys.readouterr().out
    assert main(["models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["name"] == "nacre"
    assert main(["models"]) == 0
    assert "nacre" in capsys.readouterr().out


def test_a_warning_is_a_line_that_names_the_file(folder, capsys):
    Image.new("CMYK", (20, 20)).save("a.tif")
    assert main(["encode", "a.tif"]) == 0
    assert capsys.readouterr().err == "nacre: a.tif: warning: CMYK is converted to sRGB\n"
    assert main(["encode", "a.tif", "--force", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert f"nacre {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["encode", "--help"], ["info", "FILE"], ["models"]]
)
def test_quick_answers_import_nothing_heavy(arguments, folder, photo):
    Path("FILE").write_bytes(codec.encode(photo))
    code = (
        "import sys\nfrom nacre.tools.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'PIL', 'rich'} & set(sys.modules)\nsys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_wrong_usage_exits_with_2():
    assert nacre("encode").returncode == 2
    assert nacre("no-such-command").returncode == 2


def test_an_interrupt_exits_with_130(folder, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("nacre.codec.pictures.reading.read_picture", interrupted)
    assert main(["encode", "in/one.png"]) == 130


def test_a_second_run_over_a_folder_goes_on(folder, capsys):
    assert main(["encode", "in", "-o", "out"]) == 0
    done, again = Path("out/one.ncr"), Path("out/below/two.ncr")
    before = done.stat().st_mtime_ns
    again.unlink()
    assert main(["encode", "in", "-o", "out", "--skip-existing"]) == 0
    assert "1 of 2 outputs exist" in capsys.readouterr().err
    assert done.stat().st_mtime_ns == before and again.exists()
    assert main(["encode", "in", "-o", "out", "--skip-existing"]) == 0


def test_a_full_disk_leaves_nothing_and_says_so(folder, monkeypatch, capsys):
    """The write fails half-way: no output, no rest of one, the input as it was, the other file done."""
    before = Path("in/one.png").read_bytes()
    real, failed = os.fsync, []

    def fail_once(number):
        if not failed:
            failed.append(number)
            raise OSError(28, "No space left on device")
        real(number)

    monkeypatch.setattr(os, "fsync", fail_once)
    assert main(["encode", "in", "-o", "out"]) == 3
    assert "No space left on device" in capsys.readouterr().err
    assert len([p for p in Path("out").rglob("*") if p.is_file()]) == 1
    assert Path("in/one.png").read_bytes() == before


POSIX = pytest.mark.skipif(os.name != "posix", reason="shells and signals are those of POSIX")
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


LIGHT = [sys.executable, str(Path(__file__).with_name("light_nacre.py"))]


def shell(line: str, light: dict[str, str], **options):
    """A line of bash, in which $NACRE is the command, with its encoder replaced."""
    if shutil.which("bash") is None:
        pytest.skip("there is no bash here")
    environment = {**light, "NACRE": " ".join(LIGHT)}
    return subprocess.run(["bash", "-c", line], capture_output=True, env=environment, **options)


@POSIX
@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 128 + 15)])
def test_a_process_that_is_ended_while_it_writes_leaves_nothing(folder, light, number, code):
    """Nothing under the final name; where it is asked to end, nothing at all."""
    environment = {**light, "SIGNAL": str(int(number))}
    command = [*LIGHT, "encode", "in/one.png", "-o", "a.ncr"]
    assert subprocess.run(command, env=environment).returncode == code
    assert not Path("a.ncr").exists()
    assert number == signal.SIGKILL or [p.name for p in Path().iterdir()] == ["in"]


@POSIX
@pytest.mark.parametrize(
    "settings",
    [ASCII, {"PYTHONIOENCODING": "ascii:strict"}, {"PYTHONIOENCODING": "utf-8:strict"}],
    ids=["C", "ASCII", "UTF-8"],
)
def test_names_of_any_bytes_go_through_in_any_locale(folder, settings):
    names = ["\u00fc".encode(), b"bad\xff", b"\xe6\x97\xa5"]
    try:
        for name in names:
            Path(os.fsdecode(b"in/" + name + b".png")).write_bytes(Path("in/one.png").read_bytes())
    except OSError:
        pytest.skip("this file system has names of Unicode only")
    commands = [
        ["encode", "in", "-o", "coded", "-v", "--effort", "0"], ["verify", "coded"],
        ["verify", "coded", "--json"], ["decode", "coded", "-o", "out", "-v"],
    ]  # fmt: skip
    code = f"from nacre.tools.cli import main\nraise SystemExit(any(map(main, {commands})))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env={**os.environ, **settings}
    )
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    found = {os.fsencode(path.name) for path in Path("out").glob("*.png")}
    assert found == {name + b".png" for name in names} | {b"one.png"}


@POSIX
def test_what_a_shell_hands_over_is_read_and_written(folder, light):
    plain = Path(light["CODED"]).read_bytes()
    for line in (
        "$NACRE encode in/one.png -o -",
        "$NACRE encode <(cat in/one.png)",
        "$NACRE encode in/one.png -o /dev/stdout",
        "$NACRE encode in/one.png -o /dev/fd/7 7>&1",
        "$NACRE encode /dev/stdin < in/one.png",
        "{ $NACRE encode in/one.png -o >(cat >&3); sleep 1; } 3>&1 >/dev/null",
        "mkfifo p; cat in/one.png > p & $NACRE encode p -o -",
    ):
        done = shell(line, light)
        assert (done.stdout, done.stderr) == (plain, b""), line
    Path("log").write_bytes(b"kept ")
    shell("$NACRE encode in/one.png -o /dev/stdout >> log", light, check=True)
    assert Path("log").read_bytes() == b"kept " + plain


@POSIX
def test_messages_to_a_closed_stderr_do_not_reach_the_file(folder, light):
    line = "$NACRE encode a.tif -o -"
    Image.new("CMYK", (20, 20)).save("a.tif")
    with pytest.warns(UserWarning, match="CMYK"):
        Path(light["PIXELS"]).write_bytes(codec.read_picture("a.tif").pixels.tobytes())
    assert b"CMYK" in shell(line, light, check=True).stderr
    done = shell(f"{line} 2>&-", light, check=True)
    assert done.stdout == Path(light["CODED"]).read_bytes()


@POSIX
@pytest.mark.parametrize("line", ["info a.ncr a.ncr", "verify a.ncr a.ncr", "decode a.ncr -o -"])
def test_a_reader_that_goes_away_is_no_fault(folder, photo, line):
    Path("a.ncr").write_bytes(codec.encode(photo))
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "nacre", *line.split()], stdout=write, stderr=subprocess.PIPE
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize(
    "arguments", [["encode", "in/one.png"], ["decode", "a.ncr"], ["verify", "a.ncr"]]
)
def test_threads_wait_asleep_when_a_command_imports_torch(folder, light, arguments):
    shutil.copy(light["CODED"], "a.ncr")
    code = f"""
import os, sys
from nacre.tools.cli import main

class Finder:
    def find_spec(self, name, *_):
        if name == "torch":
            sys.exit(os.environ.get("OMP_WAIT_POLICY", "not set"))

sys.meta_path.insert(0, Finder())
main({arguments})
"""
    environment = {k: v for k, v in os.environ.items() if k not in threads.WAITING}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    assert done.stderr == b"PASSIVE\n"


def test_an_error_of_an_output_names_both_files(folder, capsys):
    Path("file").touch()
    assert main(["encode", "in/one.png", "-o", "file/a.ncr"]) == 1
    said = capsys.readouterr().err
    assert said == "nacre: in/one.png: cannot write file/a.ncr: Not a directory\n"


@pytest.mark.parametrize(
    "arguments", [["encode", "a.png", "-o", "a.png"], ["decode", "a.ncr", "-o", "a.ncr"]]
)
def test_no_input_is_overwritten_even_if_forced(folder, photo, arguments, capsys):
    photo.save("a.png")
    Path("a.ncr").write_bytes(codec.encode(photo))
    before = Path(arguments[1]).read_bytes()
    assert main([*arguments, "--force"]) == 2
    assert f"{arguments[1]} is an input: it would be overwritten" in capsys.readouterr().err
    assert Path(arguments[1]).read_bytes() == before


def test_a_picture_name_is_no_name_for_a_nacre_file_nor_the_reverse(folder, photo, capsys):
    assert main(["encode", "in/one.png", "-o", "b.png"]) == 2
    assert "b.png: what is written there is no .png but a .ncr file" in capsys.readouterr().err
    Path("a.ncr").write_bytes(codec.encode(photo))
    assert main(["decode", "a.ncr", "-o", "b.ncr", "--format", "png"]) == 2
    assert not Path("b.png").exists() and not Path("b.ncr").exists()
