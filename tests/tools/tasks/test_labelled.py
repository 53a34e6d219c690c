"""Labels are sub-folders; a folder without train and test is split by the seed alone."""

from __future__ import annotations

import pytest
import torch

from nacre.entropy.errors import UsageError
from nacre.tools.tasks.labelled import read_folder, train_and_test


def test_train_and_test_are_taken_where_they_are(coloured):
    train, test = train_and_test(coloured)
    assert train.classes == test.classes == ("blue", "green", "red")
    assert (len(train), len(test)) == (36, 12)
    assert all(
        path.parent.name == train.classes[k]
        for path, k in zip(train.paths, train.labels, strict=True)
    )


def test_a_split_has_every_picture_once_and_every_class(coloured):
    whole = set(read_folder(coloured / "train").paths)
    splits = [train_and_test(coloured / "train", seed) for seed in (0, 0, 1)]
    for train, test in splits:
        assert set(train.paths) | set(test.paths) == whole
        assert not set(train.paths) & set(test.paths)
        assert [test.labels.count(k) for k in range(3)] == [2, 2, 2]
    assert splits[0] == splits[1] != splits[2]


def test_a_limit_counts_each_class(coloured):
    some = read_folder(coloured / "train").limited(2)
    assert some.labels == (0, 0, 1, 1, 2, 2)
    assert some.pixels(32).shape == (6, 3, 32, 32) and some.pixels(32).dtype == torch.uint8


def test_faults_are_named(coloured, tmp_path):
    with pytest.raises(UsageError, match="for each class wanted"):
        read_folder(coloured / "train" / "red")
    with pytest.raises(UsageError, match="not a folder"):
        read_folder(tmp_path / "none")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(b"no picture")
    with pytest.raises(UsageError, match=r"x\.png"):
        read_folder(tmp_path).pixels(8)
