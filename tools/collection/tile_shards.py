"""Tar shards of training tiles: filled one after the other, shuffled inside, the same bytes every time."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path

MAX_SHARD_BYTES = 64_000_000


class ShardWriter:
    """photos-000.tar and so on: a shard is written when it is full, its tiles shuffled."""

    def __init__(self, out: Path, shard_bytes: int) -> None:
        self.out, self.shard_bytes = out, shard_bytes
        self.tiles, self.shards = 0, 0
        self._members: list[tuple[str, bytes]] = []
        self._bytes = 2 * tarfile.RECORDSIZE

    def add(self, members: Iterable[tuple[str, bytes]]) -> None:
        """All tiles of one photograph, which stay in one shard."""
        new = list(members)
        size = sum(tarfile.BLOCKSIZE * (2 + len(data) // tarfile.BLOCKSIZE) for _, data in new)
        if self._members and self._bytes + size > self.shard_bytes:
            self._flush()
        self._members += new
        self._bytes += size
        self.tiles += len(new)

    def finish(self) -> None:
        """Write the last shard and remove those of an earlier, longer run."""
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
    """A plain tar file that is the same whenever and by whom it is made."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in members:
            head = tarfile.TarInfo(name)
            head.size = len(data)
            tar.addfile(head, io.BytesIO(data))
    return out.getvalue()


def content_of(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return file.read() if file else b""


def write_whole(path: Path, content: bytes) -> None:
    """All or nothing, so that a stopped run leaves no half file."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)


def shuffled(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
