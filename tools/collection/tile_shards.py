"""Writes tar shards of training tiles: shuffled, and equal bytes for equal tiles."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path

MAX_SHARD_BYTES = 64_000_000


class ShardWriter:
    """Writes photos-000.tar and so on, each when it is full, with shuffled tiles."""

    def __init__(self, out: Path, shard_bytes: int) -> None:
        self.out, self.shard_bytes = out, shard_bytes
        self.tiles, self.shards = 0, 0
        self._members: list[tuple[str, bytes]] = []
        self._bytes = 2 * tarfile.RECORDSIZE

    def add(self, members: Iterable[tuple[str, bytes]]) -> None:
        """Add the tiles of one photograph; they stay in one shard."""
        new = list(members)
        size = sum(tarfile.BLOCKSIZE * (2 + len(data) // tarfile.BLOCKSIZE) for _, data in new)
        if self._members and self._bytes + size > self.shard_bytes:
            self._flush()
        self._members += new
        self._bytes += size
        self.tiles += len(new)

    def finish(self) -> None:
        """Write the last shard; remove further shards of an earlier run."""
        if self._members:
            self._flush()
        for old in sorted(self.out.glob("photos-[0-9][0-9][0-9].tar")):
            if int(old.stem[-3:]) >= self.shards:
                old.unlink()

    def _flush(self) -> None:
        content = tar_of(sorted(self._members, key=lambda member: shuffled(member[0])))
        target = self.out / f"photos-{self.shards:03d}.tar"
        if not target.exists() or target.read_bytes() != content:
            write_whole(target, content)
        self.shards += 1
        self._members, self._bytes = [], 2 * tarfile.RECORDSIZE


def tar_of(members: Iterable[tuple[str, bytes]]) -> bytes:
    """A tar file without times and owners: equal bytes for equal members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in members:
            head = tarfile.TarInfo(name)
            head.size = len(data)
            tar.addfile(head, io.BytesIO(data))
    return out.getvalue()


def content_of(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """The bytes of a member; empty for a folder."""
    file = tar.extractfile(member)
    return file.read() if file else b""


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)


def shuffled(key: str) -> str:
    """A sort key that shuffles names, equally in every run."""
    return hashlib.sha256(key.encode()).hexdigest()
