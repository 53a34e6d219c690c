"""Shards: their size, their order and what an earlier run left."""

from __future__ import annotations

import tarfile

from nacre.tools.collection.tile_shards import ShardWriter, tar_of


def write(folder, shard_bytes: int, photographs: int) -> list[list[str]]:
    """Names in each shard of so many photographs with two tiles of 3000 bytes each."""
    shards = ShardWriter(folder, shard_bytes)
    for i in range(photographs):
        shards.add((f"source/{i:02d}-{k}.avif", bytes([i]) * 3000) for k in range(2))
    shards.finish()
    assert shards.tiles == 2 * photographs
    names = []
    for shard in sorted(folder.glob("*")):
        assert shard.stat().st_size <= shard_bytes
        with tarfile.open(shard) as tar:
            names.append(tar.getnames())
    return names


def test_shards_stay_below_their_size_and_keep_photographs_together(tmp_path):
    shards = write(tmp_path, 65_536, 20)
    assert len(shards) > 2 and sum(map(len, shards)) == 40
    whole = [{name[:-7] for name in names} for names in shards]
    assert sum(map(len, whole)) == 20
    assert any(names != sorted(names) for names in shards)


def test_a_shorter_run_leaves_no_shard_of_a_longer_one(tmp_path):
    assert len(write(tmp_path, 65_536, 20)) > len(write(tmp_path, 65_536, 3)) == 1


def test_a_shard_that_did_not_change_is_not_written_again(tmp_path):
    write(tmp_path, 65_536, 3)
    before = (tmp_path / "photos-000.tar").stat().st_mtime_ns
    write(tmp_path, 65_536, 3)
    assert (tmp_path / "photos-000.tar").stat().st_mtime_ns == before


def test_the_bytes_depend_on_names_and_contents_alone():
    assert tar_of([("a", b"1")]) == tar_of([("a", b"1")]) != tar_of([("a", b"2")])
