import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from nacre import codec
from nacre.codec.pictures import kinds
from nacre.tools.cli import main
from nacre.tools.watch import watched


@pytest.fixture
def picture(photo, tmp_path):
    path = tmp_path / "a.png"
    photo.save(path)
    return path


@pytest.mark.parametrize("size", ["900", "0.9kB", "0.9 KB"])
def test_a_size_has_a_unit(picture, tmp_path, size):
    assert main(["encode", str(picture), "--size", size]) == 0
    assert 882 <= (tmp_path / "a.ncr").stat().st_size <= 900


def test_every_file_of_a_folder_gets_its_own_quality(photo, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    photo.save(folder / "a.png")
    photo.filter(ImageFilter.GaussianBlur(2)).save(folder / "b.png")
    assert main(["encode", str(folder), "-o", str(tmp_path / "out"), "--psnr", "30"]) == 0
    sharp, blurred = (codec.info((tmp_path / "out" / f"{n}.ncr").read_bytes()) for n in "ab")
    assert blurred.quality < sharp.quality


@pytest.mark.parametrize(
    "arguments",
    [
        ["--size", "9 apples"], ["--size", "kB"], ["--time-budget", "soon"], ["--effort", "10"],
        ["--roi", "0,0,5,5", "--effort", "0"], ["--roi", "none.png"], ["--roi", "-"],
        ["--size", "900", "--effort", "10"], ["--time-budget=-1s"],
        ["--ssim", "2"],
    ],
)  # fmt: skip
def test_wrong_options_are_told(picture, arguments, capsys):
    assert main(["encode", str(picture), *arguments]) == 2
    assert "nacre: " in capsys.readouterr().err
    assert not picture.with_suffix(".ncr").exists()


def test_one_goal_at_a_time(picture, capsys):
    with pytest.raises(SystemExit):
        main(["encode", str(picture), "--size", "900", "-q", "30"])
    assert "not allowed with" in capsys.readouterr().err


def test_a_size_that_cannot_be_had_fails_and_says_what_can(picture, capsys):
    assert main(["encode", str(picture), "--size", "10"]) == 1
    assert "10 bytes cannot be had: quality 1 gives" in capsys.readouterr().err


def test_a_mask_says_where_bits_go(picture, photo, tmp_path):
    mask = np.zeros((photo.height, photo.width), np.uint8)
    mask[:, :48] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    files = []
    for k, roi in enumerate((str(tmp_path / "mask.png"), "0,0,48,96")):
        target = tmp_path / f"{k}.ncr"
        assert main(["encode", str(picture), "-o", str(target), "--roi", roi]) == 0
        files.append(target.read_bytes())
    assert files[0] == files[1]
    assert len(files[0]) < len(codec.encode(photo))


def test_a_mask_of_another_size_is_refused(picture, tmp_path, capsys):
    Image.new("L", (5, 5), 255).save(tmp_path / "mask.png")
    assert main(["encode", str(picture), "--roi", str(tmp_path / "mask.png")]) == 1
    assert "5x5, the picture 112x96" in capsys.readouterr().err


def test_pictures_and_masks_over_the_limit_are_refused_by_ours(picture, tmp_path, capsys):
    assert main(["encode", str(picture), "--max-pixels", "9000"]) == 1
    assert "a.png: 112x96 pixels are over the limit of 9000" in capsys.readouterr().err
    Image.new("L", (112, 96), 255).save(tmp_path / "mask.png")
    roi = ["--roi", str(tmp_path / "mask.png")]
    assert main(["encode", str(picture), "--max-pixels", "9000", *roi]) == 2
    assert "mask.png: 112x96 pixels are over the limit" in capsys.readouterr().err


def test_pillows_limit_does_not_apply(picture, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
    assert main(["encode", str(picture), "--lossless"]) == 0
    back = str(tmp_path / "b.png")
    assert main(["decode", str(picture.with_suffix(".ncr")), "-o", back]) == 0
    assert capsys.readouterr().err == "" and Image.MAX_IMAGE_PIXELS == 5


@pytest.mark.parametrize("box", ["0,0,0,5", "500,500,5,5"])
def test_a_rectangle_outside_the_picture_is_told(picture, box, capsys):
    assert main(["encode", str(picture), "--roi", box]) == 1
    assert "outside the 112x96 pixels" in capsys.readouterr().err


def test_a_mask_that_is_black_everywhere_is_refused(picture, tmp_path, capsys):
    Image.new("L", (112, 96)).save(tmp_path / "mask.png")
    assert main(["encode", str(picture), "--roi", str(tmp_path / "mask.png")]) == 2
    assert "black everywhere" in capsys.readouterr().err


def test_an_interrupt_ends_the_search_and_the_file_is_written(picture, photo, monkeypatch):
    from nacre.codec.search.anneal import AnnealedWindow

    step = AnnealedWindow.step

    def interrupted(self, share, pace):
        step(self, share, pace)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(AnnealedWindow, "step", interrupted)
    before = signal.getsignal(signal.SIGINT)
    assert main(["encode", str(picture), "--effort", "9"]) == 130
    assert signal.getsignal(signal.SIGINT) is before
    assert codec.decode(picture.with_suffix(".ncr").read_bytes()).size == photo.size


def test_an_interrupt_ends_a_batch_whose_file_fails(capsys):
    def failing():
        with watched(quiet=True) as goes_on:
            os.kill(os.getpid(), signal.SIGINT)
            assert not goes_on(0.5)
            raise codec.GoalError("cannot be had")

    with pytest.raises(KeyboardInterrupt):
        failing()
    assert "cannot be had" in capsys.readouterr().err


def interrupted_twice() -> None:
    with watched(quiet=True) as goes_on:
        assert goes_on(0.1)
        os.kill(os.getpid(), signal.SIGINT)
        assert not goes_on(0.2)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("not reached")


def test_a_second_interrupt_gives_up():
    with pytest.raises(KeyboardInterrupt):
        interrupted_twice()


@pytest.fixture
def two(photo, tmp_path, monkeypatch):
    """A photograph and a drawing of the same name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    photo.save("in/a.jpg")
    photo.save("in/a.png")
    return tmp_path


def test_suffixes_are_kept_where_names_would_clash(two, capsys):
    assert main(["encode", "in", "-o", "out"]) == 2
    assert "--keep-suffix gives a.jpg.ncr" in capsys.readouterr().err
    assert main(["encode", "in", "-o", "out", "--keep-suffix"]) == 0
    assert main(["decode", "out", "-o", "back"]) == 0
    assert main(["encode", "back", "-o", "again", "--keep-suffix"]) == 0
    assert sorted(p.name for p in (two / "back").iterdir()) == ["a.jpg.png", "a.png.png"]
    assert sorted(p.name for p in (two / "again").iterdir()) == ["a.jpg.png.ncr", "a.png.png.ncr"]


@pytest.fixture
def without_heif(monkeypatch):
    """Pillow as it is without pillow-heif."""
    monkeypatch.setattr(kinds, "PLUGINS", {})
    Image.init()
    for suffix in [s for s, kind in Image.EXTENSION.items() if kind == "HEIF"]:
        monkeypatch.delitem(Image.EXTENSION, suffix)


@pytest.mark.usefixtures("without_heif")
def test_of_a_folder_nothing_is_left_out_in_silence(two, photo, capsys):
    photo.save("in/nameless", "PNG")
    for name in ("IMG_1.HEIC", "b.CR2", "c.mov", "notes.txt", ".DS_Store", "a.xmp", "a.png.ncr"):
        (two / "in" / name).write_bytes(b"\0\5\26\7")
    arguments = ["encode", "in", "-o", "out", "--keep-suffix", "--effort", "0"]
    assert main(arguments) == 3
    assert sorted(p.name for p in (two / "out").iterdir()) == [
        "a.jpg.ncr",
        "a.png.ncr",
        "nameless.ncr",
    ]
    said = capsys.readouterr().err
    assert "in: 2 pictures cannot be read here: IMG_1.HEIC, b.CR2 (pip install pillow-heif" in said
    assert "in: left out as no pictures: c.mov\n" in said
    assert not any(name in said for name in ("notes", "DS_Store", "xmp", "a.png.ncr"))
    assert main([*arguments, "--force", "--quiet"]) == 3
    said = capsys.readouterr().err
    assert "c.mov" not in said and "IMG_1.HEIC" in said


@pytest.mark.usefixtures("without_heif")
def test_a_folder_of_pictures_that_cannot_be_read_fails(two, capsys):
    (two / "phone").mkdir()
    (two / "phone" / "a.heic").write_bytes(b"any")
    assert main(["encode", "phone"]) == 1
    assert "1 picture cannot be read here: a.heic" in capsys.readouterr().err


def test_a_cut_picture_is_coded_when_that_is_wanted(two, capsys):
    data = (two / "in" / "a.jpg").read_bytes()
    (two / "cut.jpg").write_bytes(data[: len(data) * 2 // 3])
    assert main(["encode", "cut.jpg"]) == 1
    assert "--salvage encodes the readable part" in capsys.readouterr().err
    assert not (two / "cut.ncr").exists()
    assert main(["encode", "cut.jpg", "--salvage"]) == 0
    assert "cut.jpg: warning: cut or damaged" in capsys.readouterr().err
    assert codec.info((two / "cut.ncr").read_bytes()).width == 112


@pytest.mark.parametrize(
    "arguments",
    [
        ["-q", "0"], ["--effort", "11"], ["--psnr=-1"], ["--ssim", "1"], ["--size", "0"], ["--bpp=-2"],
        ["--device", "no"], ["--roi", "0,0,5,5", "--effort", "0"], ["--lossless", "--roi", "0,0,5,5"],
        ["--lossless", "--time-budget", "5s"], ["--threads", "0"], ["--time-budget", "soon"],
    ],
)  # fmt: skip
def test_what_is_wrong_for_all_files_ends_the_batch_before_the_first(two, arguments, capsys):
    assert main(["encode", "in", "-o", "out", "--keep-suffix", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "a.jpg" not in said
    assert not (two / "out").exists()


def test_what_is_wrong_for_one_file_ends_that_one(two, photo, capsys):
    photo.crop((0, 0, 40, 40)).save("in/small.png")
    arguments = ["--keep-suffix", "--roi", "60,60,20,20"]
    assert main(["encode", "in", "-o", "out", *arguments]) == 3
    assert "in/small.png: --roi 60,60,20,20: outside" in capsys.readouterr().err.replace(
        os.sep, "/"
    )
    assert len(list((two / "out").iterdir())) == 2


def test_without_loss_every_sample_comes_back(two, photo, capsys):
    assert main(["encode", "in/a.png", "--lossless", "-v", "-o", "a.ncr"]) == 0
    assert "without loss" in capsys.readouterr().err
    assert np.array_equal(codec.decode((two / "a.ncr").read_bytes()), photo)


def test_hidden_colours_are_kept_when_that_is_wanted(two, photo, monkeypatch):
    asked = []
    real = codec.encode

    def encode(image, **options):
        asked.append(options.get("exact"))
        return real(image, **{k: v for k, v in options.items() if k != "exact"})

    monkeypatch.setattr("nacre.codec.encoder.encode", encode)
    assert main(["encode", "in/a.png", "--exact", "-o", "a.ncr"]) == 0
    assert main(["encode", "in/a.png", "-o", "b.ncr"]) == 0
    assert asked == [True, None]


def test_a_small_picture_is_coded_by_one_thread_unless_told(two, monkeypatch):
    seen = []
    real = codec.encode

    def encode(image, **options):
        seen.append(torch.get_num_threads())
        return real(image, **options)

    monkeypatch.setattr("nacre.codec.encoder.encode", encode)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert main(["encode", "in/a.png", "-o", "a.ncr"]) == 0
        assert main(["encode", "in/a.png", "-o", "b.ncr", "-j", "2"]) == 0
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 2]
