"""Every picture is found, what is none is counted, nothing at all is an error."""

from __future__ import annotations

import io
import os
import tarfile

import numpy as np
import pytest
from PIL import Image

from nacre.codec.pictures.colour import Picture
from nacre.codec.pictures.formats import file_bytes
from nacre.datasets.memory import open_store, store_of
from nacre.datasets.pictures import Count, read_pictures, rgb8
from nacre.datasets.synthetic import SIDE, render
from nacre.entropy.errors import UsageError


def png(side=80, seed=0) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side + 10, 3), np.uint8)
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def write_tar(path, *members: tuple[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.png").write_bytes(png(seed=1))
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    (tmp_path / "small.png").write_bytes(png(10))
    (tmp_path / "notes.txt").write_text("not looked at")
    write_tar(tmp_path / "shard.tar", ("in/b.png", png(seed=2)))
    return tmp_path


def read(folder, min_side=64) -> tuple[list[np.ndarray], Count]:
    count = Count()
    return list(read_pictures([folder], min_side, count)), count


def test_folders_and_shards_are_read_and_the_rest_counted(folder):
    found, count = read(folder)
    assert [p.shape for p in found] == [(80, 90, 3)] * 2
    assert (count.read, count.unreadable, count.too_small, count.repeated) == (2, 1, 1, 0)


def test_nothing_to_train_on_is_an_error(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no")
    with pytest.raises(UsageError, match=r"no picture to train on.*1 unreadable"):
        read(tmp_path)
    with pytest.raises(UsageError, match="no folder or shard"):
        read(tmp_path / "gone")


RAMP = np.arange(80 * 90).reshape(80, 90)
GREY_16 = (RAMP * 9).astype(np.uint16)
COLOUR = np.stack([RAMP % 256, RAMP // 3 % 256, RAMP // 29], 2).astype(np.uint8)


def rounded(samples_16: np.ndarray) -> np.ndarray:
    return np.round(samples_16 / 257)[..., None].repeat(3, 2)


def saved(image: Image.Image, format: str) -> bytes:
    out = io.BytesIO()
    image.save(out, format)
    return out.getvalue()


def with_alpha() -> Image.Image:
    """Half of it hidden, the colours below them noise."""
    pixels = np.random.default_rng(0).integers(0, 256, (80, 90, 4), np.uint8)
    pixels[:, :45] = (200, 100, 50, 255)
    pixels[:, 45:, 3] = 0
    return Image.fromarray(pixels)


ODD = {
    "16-bit-grey": (saved(Image.fromarray(GREY_16), "PNG"), rounded(GREY_16)),
    "16-bit-colour": (
        file_bytes(Picture(GREY_16[..., None].repeat(3, 2)), "PNG"),
        rounded(GREY_16),
    ),
    "float": (
        saved(Image.fromarray((GREY_16 / 65535).astype(np.float32)), "TIFF"),
        rounded(GREY_16),
    ),
    "1-bit": (
        saved(Image.fromarray(RAMP % 3 == 0), "PNG"),
        255.0 * (RAMP % 3 == 0)[..., None].repeat(3, 2),
    ),
    "palette": (
        saved(Image.fromarray(COLOUR // 64 * 64).quantize(256, dither=0), "PNG"),
        None,
    ),
    "cmyk": (saved(Image.fromarray(COLOUR).convert("CMYK"), "TIFF"), COLOUR.astype(float)),
    "alpha": (saved(with_alpha(), "PNG"), np.full((80, 90, 3), (200.0, 100.0, 50.0))),
    "grey-and-alpha": (
        saved(Image.fromarray(COLOUR[..., :1].repeat(2, 2) | np.uint8([0, 255])), "PNG"),
        COLOUR[..., :1].repeat(3, 2).astype(float),
    ),
}


@pytest.mark.parametrize("kind", ODD)
def test_every_kind_of_picture_becomes_rgb_of_8_bits(kind, tmp_path):
    """An odd picture among plain ones takes its own bytes in the store and moves no other."""
    data, want = ODD[kind]
    for name, content in (("a.png", png(seed=1)), ("b.img", data), ("c.png", png(seed=2))):
        (tmp_path / name).write_bytes(content)
    suffix = ".tif" if data[:2] in (b"II", b"MM") else ".png"
    (tmp_path / "b.img").rename(tmp_path / f"b{suffix}")
    store = open_store([tmp_path], 64, tmp_path / "cache")
    assert store.pixels.dtype == np.uint8
    assert store.sizes.tolist() == [[80, 90]] * 3
    first, odd, last = store.pixels.reshape(3, 80, 90, 3)
    assert np.array_equal(first, decoded(png(seed=1)))
    assert np.array_equal(last, decoded(png(seed=2)))
    want = decoded_rgb(data) if want is None else want
    assert np.abs(odd - want).max() <= (1 if kind in ("cmyk", "float") else 0)


def decoded_rgb(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(float)


def test_colours_under_full_transparency_do_not_reach_training():
    hidden = rgb8(with_alpha())[:, 45:]
    assert np.abs(hidden - np.array([200.0, 100.0, 50.0])).max() == 0


def test_pictures_lie_as_in_the_file(tmp_path):
    """As the encoder codes them: the orientation of EXIF is not applied."""
    image, exif = Image.fromarray(COLOUR), Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.png", exif=exif)
    found, _ = read(tmp_path)
    assert np.array_equal(found[0], COLOUR)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_a_cut_picture_is_counted_and_not_read(tmp_path, kind):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 90, 3), np.uint8))
    data = saved(noise, kind)
    (tmp_path / f"a.{kind.lower()}").write_bytes(data[: len(data) // 2])
    (tmp_path / "b.png").write_bytes(png(seed=2))
    found, count = read(tmp_path)
    assert len(found) == 1 and count.unreadable == 1


def test_what_only_looks_like_a_file_is_passed_over(folder):
    (folder / "folder.png").mkdir()
    (folder / "folder.tar").mkdir()
    os.symlink(folder / "nowhere.png", folder / "dangling.png")
    assert len(read(folder)[0]) == 2


def test_a_file_that_cannot_be_opened_is_counted(folder, monkeypatch):
    from pathlib import Path

    honest = Path.read_bytes

    def read_bytes(path):
        if path.name == "a.png":
            raise PermissionError("no")
        return honest(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    found, count = read(folder)
    assert len(found) == 1 and count.unreadable == 2


def test_a_picture_counts_once_wherever_it_is_found_again(folder):
    (folder / "copy.png").write_bytes(png(seed=1))
    write_tar(folder / "copies.tar", ("x.png", png(seed=1)), ("y.png", png(seed=2)))
    count = Count()
    found = list(read_pictures([folder, folder / "shard.tar"], 64, count))
    assert len(found) == 2 and count.repeated == 4
    assert "4 repeated" in str(count)


def test_the_last_member_of_a_name_is_the_one_that_counts(tmp_path):
    """As tar itself unpacks an archive that was appended to."""
    write_tar(tmp_path / "a.tar", *(("a.png", png(seed=seed)) for seed in (1, 2)))
    found, count = read(tmp_path)
    assert len(found) == 1 and np.array_equal(found[0], decoded(png(seed=2)))
    assert count.repeated == 1


@pytest.mark.parametrize("at", [100, 512, 700, -11000, -10240, -9900])
def test_a_cut_or_damaged_shard_is_refused(tmp_path, at):
    """Inside a header, inside a member, behind the last member: none may end the set in silence."""
    path = tmp_path / "a.tar"
    write_tar(path, ("a.png", png(seed=1)), ("b.png", png(seed=2)))
    whole = path.read_bytes()
    members = whole.rstrip(b"\0")
    end = -(-len(members) // 512) * 512
    path.write_bytes(whole[: at if at > 0 else end + 10240 + at])
    with pytest.raises(UsageError, match="not a whole tar"):
        read(tmp_path)


def test_a_damaged_header_in_the_middle_of_a_shard_is_refused(tmp_path):
    path = tmp_path / "a.tar"
    write_tar(path, ("a.png", png(seed=1)), ("b.png", png(seed=2)))
    data = bytearray(path.read_bytes())
    data[data.index(b"b.png")] ^= 1
    path.write_bytes(data)
    with pytest.raises(UsageError, match="not a whole tar"):
        read(tmp_path)


def test_a_store_holds_the_pictures_and_is_made_once(folder, tmp_path_factory, monkeypatch):
    cache = tmp_path_factory.mktemp("cache")
    store = open_store([folder], 64, cache)
    want = [decoded(png(seed=seed)) for seed in (1, 2)]
    assert np.array_equal(store.pixels, np.concatenate([w.ravel() for w in want]))
    assert store.sizes.tolist() == [[80, 90], [80, 90]]
    monkeypatch.setattr("nacre.datasets.memory.read_pictures", None)
    assert np.array_equal(open_store([folder], 64, cache).pixels, store.pixels)


def test_a_store_is_made_anew_when_a_picture_changes_and_not_for_other_files(folder):
    """A run's folder may lie among its pictures: checkpoints and logs are not pictures."""
    cache = folder / "run"
    open_store([folder], 64, cache)
    (folder / "notes.txt").write_text("another text")
    open_store([folder], 64, cache)
    assert len(list(cache.glob("*.u8"))) == 1
    (folder / "c.png").write_bytes(png(seed=3))
    assert len(open_store([folder], 64, cache).sizes) == 3


@pytest.mark.parametrize("damage", ["cut", "longer", "gone", "index"])
def test_a_store_whose_bytes_do_not_fit_its_index_is_made_anew(folder, tmp_path_factory, damage):
    cache = tmp_path_factory.mktemp("cache")
    want = np.array(open_store([folder], 64, cache).pixels)
    (pixels,), (index,) = cache.glob("*.u8"), cache.glob("*.json")
    if damage == "gone":
        pixels.unlink()
    elif damage == "index":
        index.write_text("{")
    else:
        pixels.write_bytes(want.tobytes()[:-1] if damage == "cut" else want.tobytes() + b"\0")
    assert np.array_equal(open_store([folder], 64, cache).pixels, want)


def test_a_store_that_fails_leaves_nothing_behind(tmp_path, tmp_path_factory):
    (tmp_path / "bad.png").write_bytes(b"no")
    cache = tmp_path_factory.mktemp("cache")
    with pytest.raises(UsageError):
        open_store([tmp_path], 64, cache)
    assert not list(cache.iterdir())


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((64, 64, 3), np.uint16),
        np.zeros((64, 64, 3), np.float32),
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((0, 64, 3), np.uint8),
    ],
)
def test_no_array_of_another_kind_gets_into_a_store(picture):
    with pytest.raises(UsageError, match="of 8 bits"):
        store_of([np.zeros((64, 64, 3), np.uint8), picture])


def test_rendered_pictures_depend_on_the_seed_alone():
    first, again, other = render(3, 5), render(3, 5), render(3, 6)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    assert all(p.shape == (SIDE, SIDE, 3) and p.std() > 5 for p in first)
