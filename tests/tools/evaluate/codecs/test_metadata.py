"""A file counts pixels alone: metadata of the picture reaches no codec."""

from __future__ import annotations

import sys
import textwrap

import pytest
from PIL import Image, ImageCms

from nacre.tools.evaluate.codecs import compressai
from nacre.tools.evaluate.codecs.base import CodecMissing
from nacre.tools.evaluate.codecs.registry import create
from nacre.tools.evaluate.measure import open_picture

SECRET = b"SECRET-" * 40
HERE = ["nacre", "jpeg", "webp", "jpeg2000", "avif", "jxl", "heic", "x264", "x265", "svtav1"]
COPIES_ITS_INPUT = """
    import json, shutil, sys
    for i, line in enumerate(sys.stdin):
        r = json.loads(line)
        if i:
            shutil.copy(r["source"], r["target"])
        print(json.dumps({"seconds": 0.1} if i else {"version": "1", "qualities": 6}), flush=True)
"""


def burdened(photo: Image.Image) -> Image.Image:
    """The pixels of `photo` with every kind of metadata that Pillow keeps beside them."""
    image = photo.copy()
    image.getexif()[0x010E] = SECRET.decode()  # ImageDescription
    image.info.update(
        icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + SECRET,
        exif=image.getexif().tobytes(),
        xmp=b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>",
        comment=SECRET,
        dpi=(301, 301),
        gamma=0.5,
        transparency=(1, 2, 3),
        photoshop={1028: SECRET},
    )
    return image


@pytest.mark.parametrize("name", HERE)
def test_metadata_changes_no_file(name, photo):
    try:
        codec = create(name)
    except CodecMissing as error:
        pytest.skip(str(error))
    quality = codec.qualities[len(codec.qualities) // 2]
    assert codec.encode(burdened(photo), quality) == codec.encode(photo, quality)


def test_metadata_reaches_no_external_program(photo, tmp_path):
    (tmp_path / "bpgenc").write_text(
        f"#!{sys.executable}\nimport shutil; shutil.copy('in.png', 'out.bpg')"
    )
    (tmp_path / "bpgenc").chmod(0o755)
    codec = create(f"bpg@encoder={tmp_path / 'bpgenc'},decoder={tmp_path / 'bpgenc'}")
    assert codec.encode(burdened(photo), 22) == codec.encode(photo, 22)


def test_metadata_reaches_no_worker_of_compressai(photo, tmp_path, monkeypatch):
    (tmp_path / "worker.py").write_text(textwrap.dedent(COPIES_ITS_INPUT))
    monkeypatch.setattr(compressai, "WORKER", tmp_path / "worker.py")
    codec = create(f"compressai:mbt2018-mean@python={sys.executable}")
    assert codec.encode(burdened(photo), 2) == codec.encode(photo, 2)


@pytest.mark.parametrize("suffix", ["png", "tiff", "webp", "jpg"])
def test_an_opened_picture_is_pixels_alone(photo, tmp_path, suffix):
    image = burdened(photo)
    kept = {key: image.info[key] for key in ("icc_profile", "exif", "dpi")}
    image.save(tmp_path / f"a.{suffix}", **kept)
    with Image.open(tmp_path / f"a.{suffix}") as written:
        assert written.info
        pixels = written.convert("RGB").tobytes()
    found = open_picture(tmp_path / f"a.{suffix}")
    assert found.info == {} and not found.getexif()
    assert found.tobytes() == pixels
