"""Every picture is found, what is none is counted, nothing at all is an error."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from nacre.datasets.memory import open_store
from nacre.datasets.pictures import Count, read_pictures
from nacre.datasets.synthetic import SIDE, render
from nacre.entropy.errors import UsageError


def png(side=80, seed=0) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side + 10, 3), np.uint8)
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.png").write_bytes(png(seed=1))
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    (tmp_path / "small.png").write_bytes(png(10))
    (tmp_path / "notes.txt").write_text("not looked at")
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        member = tarfile.TarInfo("in/b.png")
        data = png(seed=2)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return tmp_path


def test_folders_and_shards_are_read_and_the_rest_counted(folder):
    count = Count()
    shapes = [p.shape for p in read_pictures([folder], 64, count)]
    assert shapes == [(80, 90, 3)] * 2
    assert (count.read, count.unreadable, count.too_small) == (2, 1, 1)


def test_nothing_to_train_on_is_an_error(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no")
    with pytest.raises(UsageError, match=r"no picture to train on.*1 unreadable"):
        list(read_pictures([tmp_path], 64, Count()))
    with pytest.raises(UsageError, match="no folder or shard"):
        list(read_pictures([tmp_path / "gone"], 64, Count()))
    (tmp_path / "cut.tar").write_bytes(b"x" * 100)
    with pytest.raises(UsageError, match="not a whole tar"):
        list(read_pictures([tmp_path / "cut.tar"], 64, Count()))


def test_a_store_holds_the_pictures_and_is_made_once(folder, tmp_path_factory, monkeypatch):
    cache = tmp_path_factory.mktemp("cache")
    store = open_store([folder], 64, cache)
    want = [np.asarray(Image.open(io.BytesIO(png(seed=seed)))) for seed in (1, 2)]
    assert np.array_equal(store.pixels, np.concatenate([w.ravel() for w in want]))
    assert store.sizes.tolist() == [[80, 90], [80, 90]]
    monkeypatch.setattr("nacre.datasets.memory.read_pictures", None)
    assert np.array_equal(open_store([folder], 64, cache).pixels, store.pixels)


def test_a_store_is_made_anew_when_a_source_changes(folder, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    open_store([folder], 64, cache)
    (folder / "c.png").write_bytes(png(seed=3))
    assert len(open_store([folder], 64, cache).sizes) == 3


def test_rendered_pictures_depend_on_the_seed_alone():
    first, again, other = render(3, 5), render(3, 5), render(3, 6)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    assert all(p.shape == (SIDE, SIDE, 3) and p.std() > 5 for p in first)
