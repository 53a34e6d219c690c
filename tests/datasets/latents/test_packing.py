"""Packing: the bytes are those of the input alone, whatever was killed or ran beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile

import numpy as np
import pytest

from nacre import codec
from nacre.datasets import pack
from nacre.datasets.latents import packing, shards
from nacre.datasets.latents.coding import code, prepared
from nacre.datasets.latents.index import numbered, read_index
from nacre.datasets.latents.processes import in_processes
from nacre.datasets.latents.sources import Item
from nacre.entropy.errors import ImageError, UsageError
from tests.datasets.latents.conftest import COUNT, SHARD, contents


def test_any_tar_program_reads_the_shards_in_the_order_of_the_input(packed, samples, tiny):
    index = read_index(packed)
    names = []
    assert len(index.shards) > 2
    for number, shard in enumerate(index.shards):
        assert (packed / shard).stat().st_size <= SHARD
        with tarfile.open(packed / shard) as tar:
            for member in tar:
                names.append(member.name)
                row = index.samples[len(names) - 1]
                assert (row.shard, row.offset, row.size) == (
                    number,
                    member.offset_data,
                    member.size,
                )
                data = tar.extractfile(member).read()
                assert codec.decode(data, model=tiny).size == row.picture
    assert names == [f"{key}.ncr" for key, _, _ in samples]


def test_the_index_says_what_the_samples_hold(packed, samples, tiny_model):
    index = read_index(packed)
    assert [row.label for row in index.samples] == [label for _, _, label in samples]
    assert index.model.id == tiny_model.id.hex() and index.plane == "y"
    y = index.planes["y"]
    assert (y.channels, y.stride, len(y.steps)) == (32, 16, 32)
    for row in index.samples:
        assert row.latent == (32, -(-row.picture[1] // 16), -(-row.picture[0] // 16))


class Killed(BaseException):
    pass


def test_a_run_that_is_killed_at_any_moment_is_resumed_to_the_same_bytes(
    packed, samples, tiny, tmp_path, monkeypatch
):
    """The folder is copied before and after every change of a file, and each copy is resumed."""
    moments = []
    run, coded = tmp_path / "run", {}

    def copied(*_):
        moments.append(tmp_path / f"moment-{len(moments)}")
        shutil.copytree(run, moments[-1])

    def around(place, name):
        real = getattr(place, name)

        def wrapped(*arguments):
            copied()
            found = real(*arguments)
            copied()
            return found

        monkeypatch.setattr(place, name, wrapped)

    def remembered(items, settings):
        for item in items:
            if item.key not in coded:
                coded[item.key] = code(item, settings)
            yield item, coded[item.key]

    monkeypatch.setattr(packing, "in_turn", remembered)
    with monkeypatch.context() as patches:
        monkeypatch, own = patches, monkeypatch
        for place, name in (
            (shards.SampleShards, "_note"), (os, "replace"), (os, "fsync"), (packing, "write_index"),
        ):  # fmt: skip
            around(place, name)
        pack(samples, run, shard_size=SHARD, model=tiny)
        monkeypatch = own
    assert contents(run) == contents(packed)
    assert len(moments) > 2 * COUNT
    for moment in moments:
        pack(samples, moment, shard_size=SHARD, model=tiny)
        assert contents(moment) == contents(packed), moment.name


def test_a_cut_journal_or_shard_is_resumed(packed, samples, tiny, tmp_path):
    def stopping(done):
        if done == COUNT - 2:
            raise Killed

    for cut in ("journal.jsonl", "part"):
        run = tmp_path / cut
        with pytest.raises(Killed):
            pack(samples, run, shard_size=SHARD, model=tiny, on_progress=stopping)
        path = run / cut if cut != "part" else next(run.glob("*.part"))
        os.truncate(path, path.stat().st_size - 700)
        pack(samples, run, shard_size=SHARD, model=tiny)
        assert contents(run) == contents(packed)


def test_a_real_kill_leaves_no_process_and_nothing_to_repair(packed, samples, tiny, tmp_path):
    source = tmp_path / "in" / "folder"
    source.mkdir(parents=True)
    for key, data, _ in samples:
        (source.parent / f"{key}.png").write_bytes(data)
    run = tmp_path / "run"
    script = (
        "import os, signal, sys\n"
        "from nacre.datasets.latents import shards\n"
        "real = shards.SampleShards._note\n"
        "def note(self, line):\n"
        "    real(self, line)\n"
        "    if len(self.lines) == 4: os.kill(os.getpid(), signal.SIGKILL)\n"
        "shards.SampleShards._note = note\n"
        "from nacre.tools.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    arguments = [
        "pack", str(source.parent), str(run), "--model", str(tiny), "-j", "1", "--shard-size", str(SHARD)
    ]  # fmt: skip
    killed = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True)
    assert killed.returncode < 0
    from nacre.tools.cli import main

    assert main(arguments) == 0
    assert {k: v for k, v in contents(run).items() if k.endswith(".tar")} == {
        k: v for k, v in contents(packed).items() if k.endswith(".tar")
    }
    assert main(arguments) == 0  # complete


def test_other_options_and_other_pictures_are_refused(packed, samples, tiny, tmp_path):
    with pytest.raises(UsageError, match="other options"):
        pack(samples, packed, quality=61, shard_size=SHARD, model=tiny)
    with pytest.raises(UsageError, match="other pictures: 'folder/10'"):
        pack(samples[:-1], packed, shard_size=SHARD, model=tiny)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    key, image, label = samples[3]
    others = [*samples[:3], (key, image, label + 1), *samples[4:]]
    with pytest.raises(UsageError, match=f"other labels: '{key}'"):
        pack(others, packed, shard_size=SHARD, model=tiny)
    with pytest.raises(UsageError, match=r"not empty: mine\.txt"):
        pack(samples, tmp_path / "full", model=tiny)

    def stopping(done):
        if done == 3:
            raise Killed

    with pytest.raises(Killed):
        pack(samples, tmp_path / "half", model=tiny, on_progress=stopping)
    with pytest.raises(UsageError, match="other options"):
        pack(samples, tmp_path / "half", model=tiny, size=32)
    with pytest.raises(UsageError, match="'folder/00' is not next"):
        pack(samples[1:], tmp_path / "half", model=tiny)


def test_two_processes_do_not_write_into_one_folder(samples, tiny, tmp_path):
    pytest.importorskip("fcntl")

    def second(done):
        if done == 2:
            with pytest.raises(UsageError, match="another process"):
                pack(samples, tmp_path / "run", model=tiny)

    pack(samples[:3], tmp_path / "run", model=tiny, on_progress=second)


def test_bad_pictures_are_named_and_the_others_packed(samples, tiny, tmp_path):
    bad = [
        ("none", b"no picture", 0), ("cut", samples[0][1][:-40], 1), ("flat", np.zeros((2, 2)), None),
    ]  # fmt: skip
    index = pack([*samples[:2], *bad, samples[2]], tmp_path / "run", model=tiny)
    assert [row.key for row in index.samples] == ["folder/00", "folder/01", "folder/02"]
    assert [found.key for found in index.bad] == ["none", "cut", "flat"]
    assert all(found.error for found in index.bad)
    assert read_index(tmp_path / "run") == index


def test_processes_change_nothing_and_a_picture_that_kills_one_is_bad(
    packed, samples, tiny, tmp_path
):
    run = tmp_path / "run"
    found = pack([*samples, ("deadly", Deadly(), 0)], run, shard_size=SHARD, jobs=2, model=tiny)
    assert [(bad.key, bad.error) for bad in found.bad] == [("deadly", "the process died")]
    assert found.samples == read_index(packed).samples
    for shard in found.shards:
        assert (run / shard).read_bytes() == (packed / shard).read_bytes()


class Deadly:
    """Ends the process that unpickles it."""

    def __reduce__(self):
        return os._exit, (9,)


def test_keys_are_relative_paths(samples, tiny, tmp_path):
    for number, key in enumerate(("/a", "../a", "a//b", "", "a\n", "a/", 3)):
        with pytest.raises(UsageError, match="a relative path wanted"):
            pack([(key, samples[0][1], 0)], tmp_path / str(number), model=tiny)
    with pytest.raises(UsageError, match="there twice"):
        pack([samples[0], samples[0]], tmp_path / "twice", model=tiny)


def test_long_and_foreign_keys_survive(samples, tiny, tmp_path):
    keys = ["k" * 300, "folder/" + "ä語" * 60, "v1.5/picture.new"]
    index = pack([(key, samples[0][1], 0) for key in keys], tmp_path / "run", model=tiny)
    with tarfile.open(tmp_path / "run" / index.shards[0]) as tar:
        assert [(m.name, m.offset_data) for m in tar] == [
            (f"{row.key}.ncr", row.offset) for row in index.samples
        ]
    assert [row.key for row in index.samples] == keys


def test_a_sample_larger_than_a_shard_has_one_of_its_own(samples, tiny, tmp_path):
    index = pack(samples[:3], tmp_path / "run", model=tiny, shard_size=1)
    assert [row.shard for row in index.samples] == [0, 1, 2]


def test_labels_are_numbers_or_places_among_sorted_names():
    assert numbered([5, None, 2]) == ({5: 5, None: None, 2: 2}, [])
    assert numbered(["b", "a", None]) == ({None: None, "a": 0, "b": 1}, ["a", "b"])
    assert numbered([7, "a"])[1] == ["7", "a"]


def test_pictures_are_turned_scaled_and_cut_as_by_torchvision(photo):
    turned = photo.copy()
    turned.getexif()[0x0112] = 6
    assert prepared(turned).shape == (112, 96, 3)
    assert prepared(photo, size=48).shape == (48, 56, 3)
    cut = prepared(photo, size=48, crop=32)
    from PIL import Image

    expected = photo.resize((56, 48), Image.Resampling.BICUBIC).crop((12, 8, 44, 40))
    np.testing.assert_array_equal(cut, np.asarray(expected))
    assert prepared(photo.convert("L"), size=200).shape == (200, 233, 3)
    with pytest.raises(ImageError, match="less than the crop of 97"):
        prepared(photo, crop=97)


def test_processes_are_as_many_as_are_asked_for():
    assert list(in_processes(1)(iter(()), None)) == []
    assert Item("k", None, b"data").loaded() == b"data"
