"""The command line: what it does, what it says, what it returns."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nacre import codec
from nacre.tools import batch
from nacre.tools.cli import COMMANDS, main


@pytest.fixture
def folder(tmp_path, photo, monkeypatch) -> Path:
    """A folder with two pictures, one in a folder below, and a file that is none."""
    monkeypatch.chdir(tmp_path)
    Path("in/below").mkdir(parents=True)
    photo.save("in/one.png")
    photo.convert("L").save("in/below/two.png")
    return tmp_path


def nacre(*arguments: str, **options):
    return subprocess.run(
        [sys.executable, "-m", "nacre", *arguments], capture_output=True, **options
    )


def test_a_picture_goes_there_and_back(folder, photo):
    assert main(["encode", "in/one.png", "-q", "50", "-o", "a.ncr"]) == 0
    assert Path("a.ncr").read_bytes() == codec.encode(photo, quality=50)
    assert main(["decode", "a.ncr", "-o", "b.png"]) == 0
    assert np.array_equal(Image.open("b.png"), codec.decode(Path("a.ncr").read_bytes()))


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
        (["encode", "in/one.png", "a.ncr"], 2, "an output is given with -o"),
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

    monkeypatch.setattr("nacre.tools.batch.read_input", interrupted)
    assert main(["encode", "in/one.png"]) == 130


@pytest.fixture
def layered(folder, photo, monkeypatch) -> bytes:
    """A file in several tiles and layers, as a.ncr."""
    from nacre.codec import image as codec_image
    from nacre.codec import tiles

    head = codec_image.Head
    monkeypatch.setattr(codec_image, "Head", lambda *a, **k: head(*a, **k, tile_log2=6))
    monkeypatch.setattr(tiles, "SMALLEST_PART_BYTES", 0)
    data = codec.encode(np.concatenate([np.asarray(photo)] * 4), quality=50)
    Path("a.ncr").write_bytes(data)
    return data


def test_a_region_is_decoded_and_no_more_is_read(layered, photo, capsys):
    assert main(["decode", "a.ncr", "-o", "part.png", "--region", "4,5,20,30", "-v"]) == 0
    whole = np.asarray(codec.decode(layered)).astype(int)
    part = np.asarray(Image.open("part.png")).astype(int)
    assert np.abs(part - whole[5:35, 4:24]).max() <= 1
    said = capsys.readouterr().err
    read, size = (int(said.split(" bytes read")[0].split()[i]) for i in (-3, -1))
    assert size == len(layered) and read < size / 2
    for text in ("1,2,3", "a,b,c,d", "0,0,500,5"):
        assert main(["decode", "a.ncr", "-o", "b.png", "--region", text]) == 2
    assert not Path("b.png").exists()


def test_a_cut_file_is_decoded_with_a_warning_or_refused(layered, capsys):
    Path("cut.ncr").write_bytes(layered[:-100])
    assert main(["decode", "cut.ncr", "-o", "cut.png"]) == 0
    assert "cut.ncr: warning: the file is cut" in capsys.readouterr().err
    assert Image.open("cut.png").size == codec.decode(layered).size
    assert main(["decode", "cut.ncr", "-o", "strict.png", "--strict"]) == 1
    assert not Path("strict.png").exists()


def test_a_preview_is_coarser_and_reads_the_first_layer_alone(layered, capsys):
    assert main(["decode", "a.ncr", "-o", "whole.png"]) == 0
    assert main(["decode", "a.ncr", "-o", "preview.png", "--preview", "-v"]) == 0
    assert int(capsys.readouterr().err.split(" of ")[0].split()[-1]) < len(layered) * 0.6
    whole, preview = (np.asarray(Image.open(f"{n}.png")).astype(int) for n in ("whole", "preview"))
    assert whole.shape == preview.shape and np.abs(whole - preview).mean() > 3


def test_arrays_go_in_and_out_row_by_row(folder, photo):
    np.save("a.npy", np.asarray(photo))
    assert main(["encode", "a.npy", "-q", "50", "-o", "a.ncr"]) == 0
    assert Path("a.ncr").read_bytes() == codec.encode(photo, quality=50)
    assert main(["decode", "a.ncr", "-o", "b.npy"]) == 0
    back = np.load("b.npy")
    assert (back == np.asarray(codec.decode(Path("a.ncr").read_bytes()))).all()
    assert main(["decode", "a.ncr", "-o", "-", "--format", "npy"]) == 2


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((4, 4), np.float32), "float32"),
        (np.zeros((4, 4, 5), np.uint8), "shape"),
        (np.array([{}], object), "cannot|map|Array"),
    ],
)
def test_arrays_that_are_no_picture_are_refused(folder, capsys, array, said):
    import re

    np.save("a.npy", array, allow_pickle=True)
    assert main(["encode", "a.npy"]) == 1
    assert re.search(said, capsys.readouterr().err)


def test_verify_says_what_is_wrong(layered, capsys):
    Path("cut.ncr").write_bytes(layered[:-100])
    damaged = bytearray(layered)
    damaged[100] ^= 4
    Path("damaged.ncr").write_bytes(damaged)
    assert main(["verify", "a.ncr"]) == 0
    assert "a.ncr: whole" in capsys.readouterr().out
    assert main(["verify", "a.ncr", "cut.ncr", "damaged.ncr", "--json"]) == 3
    said = capsys.readouterr()
    found = [json.loads(line) for line in said.out.splitlines()]
    assert [f["is_whole"] for f in found] == [True, False, True]
    assert [f["is_damaged"] for f in found] == [False, False, True]
    assert "cut.ncr: cut, can be decoded here" in said.err
    assert "damaged.ncr: damaged, cannot be decoded here: LATN at byte" in said.err


def test_transparency_goes_through_and_is_blended_where_it_cannot(folder, photo, capsys):
    image = photo.copy()
    image.putalpha(photo.convert("L").point(lambda v: 0 if v < 90 else v))
    image.save("a.png")
    assert main(["encode", "a.png"]) == 0
    assert main(["info", "a.ncr"]) == 0
    assert "colour with transparency" in capsys.readouterr().out
    assert main(["decode", "a.ncr", "-o", "b.png"]) == 0
    assert np.array_equal(np.asarray(Image.open("b.png"))[..., 3], np.asarray(image)[..., 3])
    assert main(["decode", "a.ncr", "-o", "b.npy"]) == 0
    assert np.array_equal(np.load("b.npy"), np.asarray(Image.open("b.png")))
    assert main(["decode", "a.ncr", "-o", "b.jpg"]) == 0
    assert "transparency is blended onto white for JPEG" in capsys.readouterr().err
    clear = np.asarray(image)[..., 3] == 0
    assert clear.any() and np.asarray(Image.open("b.jpg"))[clear].mean() > 225


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


def test_a_killed_process_leaves_nothing_under_the_final_name(folder):
    """Killed while it writes."""
    code = """
import os, signal, sys
from nacre.tools.cli import main
os.fsync = lambda number: os.kill(os.getpid(), signal.SIGKILL)
main(["encode", "in/one.png", "-o", "a.ncr"])
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert not Path("a.ncr").exists()


def smooth(channels: int) -> np.ndarray:
    """uint16 (64, 80, channels): more levels than 8 bits hold."""
    y, x = np.mgrid[0:64, 0:80]
    planes = [20000 + 100 * x + 40 * y, 30000 + 150 * y, 9000 + 200 * x, 400 * x + 20000]
    return np.dstack(planes[:channels]).astype(np.uint16)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_colour_comes_back_as_16_bits(folder, suffix, channels, capsys):
    from nacre.codec import deep

    wide = smooth(channels)
    kind = {".png": "PNG", ".tif": "TIFF"}[suffix]
    Path("a" + suffix).write_bytes(deep.write(wide, kind))
    assert main(["encode", "a" + suffix, "-q", "90"]) == 0
    assert main(["info", "a.ncr"]) == 0
    assert "16-bit colour" in capsys.readouterr().out
    assert main(["decode", "a.ncr", "-o", "b" + suffix]) == 0
    back = deep.read(Path("b" + suffix).read_bytes())
    assert back.shape == wide.shape
    error = np.abs(back.astype(int) - wide)[..., :3].mean()
    assert error < 600  # of 65535; and finer than 8 bits can say:
    assert len(np.unique(back[..., 0])) > 256
    assert main(["decode", "a.ncr", "-o", "b.npy"]) == 0
    assert np.array_equal(np.load("b.npy"), back)


def test_16_bit_grey_comes_back_as_16_bits(folder):
    wide = smooth(1)[..., 0]
    Image.fromarray(wide).save("a.png")
    assert main(["encode", "a.png", "-q", "90"]) == 0
    assert main(["decode", "a.ncr", "-o", "b.png"]) == 0
    back = Image.open("b.png")
    assert back.mode == "I;16" and np.abs(np.asarray(back).astype(int) - wide).mean() < 600


def test_a_profile_is_applied_where_it_cannot_be_kept(folder, photo):
    """The same picture as sRGB and in a wider space, both decoded into a format without profiles."""
    from PIL import ImageCms

    srgb = ImageCms.createProfile("sRGB")
    profile = ImageCms.ImageCmsProfile(srgb).tobytes()
    wide = wide_gamut(profile)
    there = ImageCms.profileToProfile(
        photo,
        ImageCms.ImageCmsProfile(srgb),
        ImageCms.ImageCmsProfile(io.BytesIO(wide)),
        outputMode="RGB",
    )
    there.info["icc_profile"] = wide
    there.save("wide.png", icc_profile=wide)
    assert main(["encode", "wide.png", "-q", "95"]) == 0
    assert main(["decode", "wide.ncr", "-o", "wide.bmp"]) == 0
    assert main(["decode", "wide.ncr", "-o", "back.png"]) == 0
    assert Image.open("back.png").info["icc_profile"] == wide
    shown = np.asarray(Image.open("wide.bmp")).astype(int)
    assert (
        np.abs(shown - np.asarray(photo)).mean()
        < 3
        < np.abs(np.asarray(there).astype(int) - shown).mean()
    )


def wide_gamut(srgb: bytes) -> bytes:
    """The profile of sRGB with red and green exchanged: colours come out wrong unless it is heeded."""
    return (
        srgb.replace(b"rXYZ", b"####", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"####", b"gXYZ", 1)
    )
