"""What comes out of files on the command line: parts, cut files, arrays, transparency, 16 bits, profiles."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nacre import codec
from nacre.codec import threads
from nacre.tools.cli import main


@pytest.fixture
def layered(folder, photo, monkeypatch) -> bytes:
    """A file in several tiles and layers, as a.ncr."""
    from nacre.codec import encoder, tiles

    head = encoder.Head
    monkeypatch.setattr(encoder, "Head", lambda *a, **k: head(*a, **k, tile_log2=6))
    monkeypatch.setattr(tiles, "SMALLEST_PART_BYTES", 0)
    data = codec.encode(np.concatenate([np.asarray(photo)] * 8), quality=50, effort=0)
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
    for text, code in (("1,2,3", 2), ("a,b,c,d", 2), ("0,0,500,5", 1), ("-1,0,5,5", 1)):
        assert main(["decode", "a.ncr", "-o", "b.png", f"--region={text}"]) == code
    assert not Path("b.png").exists()


def test_a_cut_file_is_decoded_with_a_warning_or_refused(layered, capsys):
    Path("cut.ncr").write_bytes(layered[:-100])
    assert main(["decode", "cut.ncr", "-o", "cut.png"]) == 0
    assert "cut.ncr: warning: the file is cut" in capsys.readouterr().err
    assert Image.open("cut.png").size == codec.decode(layered).size
    assert main(["decode", "cut.ncr", "-o", "strict.png", "--strict"]) == 1
    assert not Path("strict.png").exists()


def test_a_preview_is_coarser_and_reads_the_first_layer_alone(layered, photo, capsys):
    assert main(["decode", "a.ncr", "-o", "whole.png"]) == 0
    assert main(["decode", "a.ncr", "-o", "preview.png", "--preview", "-v"]) == 0
    assert int(capsys.readouterr().err.split(" of ")[0].split()[-1]) < len(layered)
    whole, preview = (np.asarray(Image.open(f"{n}.png")).astype(int) for n in ("whole", "preview"))
    original = np.concatenate([np.asarray(photo)] * 8).astype(int)
    assert np.abs(preview - original).mean() > np.abs(whole - original).mean()


def test_arrays_go_in_and_out_row_by_row(folder, photo):
    np.save("a.npy", np.asarray(photo))
    assert main(["encode", "a.npy", "-q", "50", "-o", "a.ncr"]) == 0
    with threads.suited(photo.width * photo.height):  # as in the command
        assert Path("a.ncr").read_bytes() == codec.encode(photo, quality=50)
        shown = np.asarray(codec.decode(Path("a.ncr").read_bytes()))
    assert main(["decode", "a.ncr", "-o", "b.npy"]) == 0
    back = np.load("b.npy")
    assert (back == shown).all()
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


def smooth(channels: int) -> np.ndarray:
    """uint16 (64, 80, channels): more levels than 8 bits hold."""
    y, x = np.mgrid[0:64, 0:80]
    planes = [20000 + 100 * x + 40 * y, 30000 + 150 * y, 9000 + 200 * x, 400 * x + 20000]
    return np.dstack(planes[:channels]).astype(np.uint16)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_colour_comes_back_as_16_bits(folder, suffix, channels, capsys):
    from nacre.codec.pictures import deep

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


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_region_is_of_what_is_shown(folder, photo, orientation):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    photo.save("a.png", exif=exif)
    assert main(["encode", "a.png", "-q", "90", "--effort", "0"]) == 0
    assert main(["decode", "a.ncr", "-o", "whole.png"]) == 0
    assert main(["decode", "a.ncr", "-o", "part.png", "--region", "10,20,40,70"]) == 0
    whole, part = (ImageOps.exif_transpose(Image.open(f"{n}.png")) for n in ("whole", "part"))
    assert part.size == (40, 70)
    wanted = np.asarray(whole.crop((10, 20, 50, 90))).astype(int)
    assert np.abs(np.asarray(part).astype(int) - wanted).max() <= 1


def test_a_region_goes_by_the_block_of_exif(folder, photo):
    """Readers do, should the head of the file say something else."""
    import dataclasses

    from nacre.codec.container import Meta, MetaKind, Stream

    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save("a.png", exif=exif)
    assert main(["encode", "a.png", "--effort", "0"]) == 0
    stream = Stream.from_bytes(Path("a.ncr").read_bytes())
    assert stream.head.orientation == 6
    blocks = [block for block in stream.metadata if block.kind != MetaKind.EXIF]
    exif[0x0112] = 1
    block = Meta(MetaKind.EXIF, exif.tobytes().removeprefix(b"Exif\0\0"))
    other = dataclasses.replace(stream, metadata=(*blocks, block))
    Path("b.ncr").write_bytes(other.to_bytes())
    assert main(["decode", "a.ncr", "-o", "a-part.png", "--region", "0,0,96,112"]) == 0
    assert main(["decode", "b.ncr", "-o", "b-part.png", "--region", "0,0,96,112"]) == 1
    assert main(["decode", "b.ncr", "-o", "b-part.png", "--region", "0,0,112,96"]) == 0


def test_a_file_that_cannot_be_written_fails_alone(folder, photo, capsys):
    import shutil

    Path("coded").mkdir()
    assert main(["encode", "in/one.png", "-o", "coded/b.ncr", "--effort", "0"]) == 0
    Image.new("L", (17000, 2)).save("wide.png")
    assert main(["encode", "wide.png", "-o", "coded/a.ncr", "--lossless"]) == 0
    assert main(["decode", "coded", "-o", "out", "--format", "webp"]) == 3
    assert Path("out/b.webp").is_file() and not Path("out/a.webp").exists()
    assert "coded/a.ncr: Pillow cannot write this picture as WEBP" in capsys.readouterr().err
    shutil.rmtree("out")
    assert main(["decode", "coded", "-o", "out", "--region", "0,0,50,50"]) == 3
    assert Path("out/b.png").is_file()
    assert main(["decode", "coded", "-o", "out", "--format", "psd"]) == 2


@pytest.mark.parametrize("suffix", [".webp", ".avif", ".gif", ".jpg", ".bmp"])
def test_16_bit_grey_is_rounded_for_what_holds_8_bits(folder, capsys, suffix):
    wide = smooth(1)[..., 0]
    Image.fromarray(wide).save("a.png")
    assert main(["encode", "a.png", "-q", "90", "--effort", "0"]) == 0
    assert main(["decode", "a.ncr", "-o", "b" + suffix]) == 0
    assert "a.ncr: warning:" in capsys.readouterr().err
    found = np.asarray(Image.open("b" + suffix).convert("L")).astype(float)
    assert np.abs(found - wide / 257).mean() < 3


def test_a_tiff_comes_back_as_a_tiff(folder, photo, capsys):
    """Of any kind: its own layout is not that of the file that is written."""
    photo.quantize(64).save("p.tif", tiffinfo={271: "a camera"})
    photo.convert("1").save("fax.tif", compression="group4")
    photo.save("lzw.tif", compression="tiff_lzw")
    photo.convert("YCbCr").save("ycc.tif")
    for name in ("p", "fax", "lzw", "ycc"):
        assert main(["encode", f"{name}.tif", "-q", "95", "--effort", "0"]) == 0
        assert main(["decode", f"{name}.ncr", "-o", f"{name}-b.tif"]) == 0
        with Image.open(f"{name}.tif") as image, Image.open(f"{name}-b.tif") as back:
            difference = np.asarray(image.convert("RGB"), int) - np.asarray(back.convert("RGB"))
            assert np.abs(difference).mean() < 6
            assert back.getexif().get(271) == image.getexif().get(271)
    assert capsys.readouterr().err == ""


def test_arrays_say_what_stays_behind(folder, photo, capsys):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save("a.png", exif=exif)
    assert main(["encode", "a.png", "--effort", "0"]) == 0
    assert main(["decode", "a.ncr", "-o", "a.npy"]) == 0
    assert "written without EXIF, orientation" in capsys.readouterr().err
