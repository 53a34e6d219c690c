"""Streams samples over ranks and workers, each exactly once, also in a resumed epoch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch.distributed
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from nacre.datasets.latents.order import Numbers, Shuffle, order
from nacre.entropy.errors import UsageError

if TYPE_CHECKING:
    from nacre.datasets.latents.dataset import LatentDataset

State = dict[str, Any]


class LatentStream(IterableDataset[Any]):
    """An epoch of a data set: `DataLoader(stream, batch_size=None, num_workers=...)`, or a plain loop.

    Seed and epoch determine the order: all samples shuffled, without a buffer (`shuffle` "samples"); shards in
    random order with the samples of each shuffled ("shards"), for disks and networks with slow seeks; or the
    order of packing (None). Batch k goes to rank k modulo `world_size`, and within a rank to the workers in
    turn, so that `DataLoader` gives one sequence for any number of workers. Without `batch_size` a batch is one
    sample and is not collated.

    Ranks come from torch.distributed or the environment (RANK, WORLD_SIZE), unless given. Every sample is on
    exactly one rank, so ranks may differ by a batch; `drop_uneven` leaves out the last batches, which makes
    ranks equal.

    `state_dict` tells the place in the epoch, and after `load_state_dict` the next loop begins there; ranks and
    batch size may have changed. With workers, use `loader`, which counts the batches that it has given. A loop
    that reaches the end moves to the next epoch.
    """

    def __init__(
        self,
        dataset: LatentDataset,
        shuffle: Shuffle,
        seed: int,
        epoch: int,
        batch_size: int | None,
        *,
        rank: int | None,
        world_size: int | None,
        drop_uneven: bool,
    ) -> None:
        if shuffle not in ("samples", "shards", None):
            raise UsageError(f'shuffle {shuffle!r}: "samples", "shards" or None wanted')
        if batch_size is not None and batch_size < 1:
            raise UsageError(f"batch_size {batch_size}: at least 1")
        found = _place()
        self.rank = found[0] if rank is None else rank
        self.world_size = found[1] if world_size is None else world_size
        if not 0 <= self.rank < self.world_size:
            raise UsageError(f"rank {self.rank} of {self.world_size}")
        self.dataset, self.shuffle, self.seed = dataset, shuffle, seed
        self.batch_size, self.drop_uneven = batch_size, drop_uneven
        self.begin = 0  # samples of the epoch, on all ranks, that the next loop skips
        self._given = 0  # samples of the epoch given so far, on all ranks
        self.set_epoch(epoch)

    def set_epoch(self, epoch: int) -> None:
        """The next loop begins this epoch."""
        self.epoch, self.begin, self._given = epoch, 0, 0
        self.dataset.set_epoch(epoch)

    def __len__(self) -> int:
        """The number of batches (samples without a batch size) of the next loop on this rank."""
        return len(self._own_batches(self.begin))

    def __iter__(self) -> Iterator[Any]:
        return (batch for batch in self.batches() if batch is not None)

    def batches(self) -> Iterator[Any]:
        """The batches of a loop, with None for a batch whose samples were all left out."""
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        begin, self.begin = self.begin, 0
        left, unit = order(self.shuffle, self._shards(), self.seed, self.epoch)[begin:], self._unit
        self._given = begin
        for turn, batch in enumerate(self._own_batches(begin)[number::workers]):
            found = [self.dataset[int(k)] for k in left[batch * unit : (batch + 1) * unit]]
            # In a worker the count covers all workers up to its next batch: its own place in the order.
            self.count(begin, (turn + 1) * workers)
            yield found[0] if self.batch_size is None else self.dataset.collate(found)
        self.set_epoch(self.epoch + 1)

    def count(self, begin: int, batches: int) -> None:
        """Record that each rank has given `batches` batches since `begin`."""
        self._given = min(begin + batches * self._unit * self.world_size, len(self.dataset))

    def state_dict(self) -> State:
        """The place in the epoch, in samples on all ranks; plain numbers."""
        return {
            "seed": self.seed, "shuffle": self.shuffle, "samples": len(self.dataset),
            "epoch": self.epoch, "given": self._given,
        }  # fmt: skip

    def load_state_dict(self, state: State) -> None:
        """Raises UsageError for the state of another data set or order."""
        own = self.state_dict()
        for name in ("seed", "shuffle", "samples"):
            if state[name] != own[name]:
                raise UsageError(f"the state has {name} {state[name]!r}, the stream {own[name]!r}")
        self.set_epoch(state["epoch"])
        self.begin = self._given = state["given"]

    def loader(self, workers: int = 0, **options: Any) -> LatentLoader:
        """A loader whose state counts the batches that it has given; options are passed to `DataLoader`."""
        return LatentLoader(self, workers, options)

    @property
    def _unit(self) -> int:
        return self.batch_size or 1

    def _shards(self) -> Numbers:
        return self.dataset.shard_of(slice(None))  # type: ignore[no-any-return]

    def _own_batches(self, begin: int) -> range:
        """The batches of this rank, counted from `begin`."""
        count = -(-(len(self.dataset) - begin) // self._unit)
        if self.drop_uneven:
            count = (len(self.dataset) - begin) // self._unit // self.world_size * self.world_size
        return range(self.rank, count, self.world_size)


class _Batches(IterableDataset[Any]):
    """A stream for worker processes: one item for each batch, so that they can be counted."""

    def __init__(self, stream: LatentStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[Any]:
        return self._stream.batches()


class LatentLoader:
    """Batches of a stream from worker processes, in the order of the stream; the state counts them here."""

    def __init__(self, stream: LatentStream, workers: int, options: dict[str, Any]) -> None:
        if options.get("persistent_workers"):
            raise UsageError("persistent_workers: workers begin anew with every epoch")
        self.stream = stream
        self._loader: DataLoader[Any] = DataLoader(
            _Batches(stream), batch_size=None, num_workers=workers, **options
        )

    def __len__(self) -> int:
        return len(self.stream)

    def __iter__(self) -> Iterator[Any]:
        stream = self.stream
        begin, epoch = stream.begin, stream.epoch
        for number, batch in enumerate(self._loader, 1):
            stream.begin = 0  # the workers have a copy
            stream.count(begin, number)
            if batch is not None:
                yield batch
        stream.set_epoch(epoch + 1)

    def state_dict(self) -> State:
        return self.stream.state_dict()

    def load_state_dict(self, state: State) -> None:
        self.stream.load_state_dict(state)


def _place() -> tuple[int, int]:
    """Rank and number of ranks of this process."""
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
