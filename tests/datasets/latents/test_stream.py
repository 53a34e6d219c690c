"""Streams: every sample exactly once, over ranks, workers and a resume, in an order that never changes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from torch.utils.data import DataLoader

from nacre.datasets import LatentDataset
from nacre.datasets.latents import stream as streams
from nacre.datasets.latents.order import order
from nacre.datasets.latents.stream import LatentStream
from nacre.entropy.errors import UsageError
from tests.datasets.latents.conftest import COUNT

KEYS = [f"folder/{k:02}" for k in range(COUNT)]


class Numbers:
    """A data set whose samples are their numbers; those of `damaged` are left out."""

    def __init__(self, count, damaged=()):
        self.count, self.damaged, self.epoch = count, set(damaged), 0

    def __len__(self):
        return self.count

    def __getitem__(self, number):
        return None if number in self.damaged else number

    def shard_of(self, numbers):
        return (np.arange(self.count) // 5)[numbers]

    def set_epoch(self, epoch):
        self.epoch = epoch

    @staticmethod
    def collate(samples):
        return [sample for sample in samples if sample is not None] or None


def stream(
    count=23, *, damaged=(), shuffle="samples", batch_size=None, rank=0, world_size=1, drop=False
):
    return LatentStream(
        Numbers(count, damaged), shuffle, 7, 0, batch_size, rank=rank, world_size=world_size, drop_uneven=drop
    )  # fmt: skip


def flat(found):
    return [k for batch in found for k in (batch if isinstance(batch, list) else [batch])]


@pytest.mark.parametrize("shuffle", ["samples", "shards", None])
def test_an_order_has_every_sample_once_and_differs_by_seed_and_epoch(shuffle):
    shards = np.arange(60) // 7
    orders = [order(shuffle, shards, seed, epoch).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(found) == list(range(60)) for found in orders)
    assert len({tuple(found) for found in orders}) == (1 if shuffle is None else 4)
    if shuffle == "shards":  # each shard is read through before the next
        changes = np.diff(shards[orders[0]]) != 0
        assert changes.sum() == shards.max()


def test_an_order_is_the_same_for_ever():
    assert order("samples", np.zeros(8, np.int64), 1, 2).tolist() == [1, 3, 7, 2, 6, 4, 5, 0]


@pytest.mark.parametrize("batch_size", [None, 1, 4])
@pytest.mark.parametrize("world_size", [1, 3])
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_sample_is_on_one_rank_and_one_worker(batch_size, world_size, workers, monkeypatch):
    seen = []
    for rank in range(world_size):
        in_turn = list(stream(batch_size=batch_size, rank=rank, world_size=world_size))
        of_workers = []
        for id in range(workers):
            info = SimpleNamespace(id=id, num_workers=workers)
            with monkeypatch.context() as patches:
                patches.setattr(streams, "get_worker_info", lambda info=info: info)
                of_workers.append(
                    list(stream(batch_size=batch_size, rank=rank, world_size=world_size))
                )
        dealt = [of_workers[k % workers][k // workers] for k in range(len(in_turn))]
        assert dealt == in_turn  # what DataLoader makes of it
        seen += flat(in_turn)
    assert sorted(seen) == list(range(23))


@pytest.mark.parametrize("shuffle", ["samples", "shards", None])
@pytest.mark.parametrize("after", [0, 1, 3, 5])
@pytest.mark.parametrize("then", [(1, 4), (2, 3), (3, 1)])
def test_a_resumed_epoch_has_every_sample_once_also_with_other_ranks(shuffle, after, then):
    seen, states = [], []
    for rank in range(2):
        first = stream(shuffle=shuffle, batch_size=2, rank=rank, world_size=2)
        batches = iter(first)
        seen += flat(next(batches) for _ in range(after))
        states.append(first.state_dict())
    assert states[0] == states[1]
    world_size, batch_size = then
    for rank in range(world_size):
        second = stream(shuffle=shuffle, batch_size=batch_size, rank=rank, world_size=world_size)
        second.load_state_dict(states[0])
        assert len(second) == len(list(second))
        second.load_state_dict(states[0])
        seen += flat(second)
        assert second.epoch == 1
    assert sorted(seen) == list(range(23))


def test_a_resumed_epoch_goes_on_in_the_same_order():
    whole = list(stream(batch_size=3))
    first = stream(batch_size=3)
    batches = iter(first)
    begun = [next(batches) for _ in range(4)]
    second = stream(batch_size=3)
    second.load_state_dict(first.state_dict())
    assert begun + list(second) == whole
    assert list(second) == list(first_of_epoch(1))


def first_of_epoch(epoch):
    found = stream(batch_size=3)
    found.set_epoch(epoch)
    return found


def test_a_loop_that_is_left_begins_anew():
    found = stream()
    begun = next(iter(found))
    assert next(iter(found)) == begun
    assert len(list(found)) == 23


@pytest.mark.parametrize("workers", [None, 0, 2])
def test_a_resumed_loop_that_is_left_begins_anew(packed, tiny, workers):
    found = LatentDataset(packed, model=tiny, dtype="int8").iterable(shuffle=None)
    found.load_state_dict({**found.state_dict(), "given": 8})
    loop = found if workers is None else found.loader(workers)
    assert next(iter(loop)).key == KEYS[8]
    assert next(iter(loop)).key == KEYS[0]


def test_ranks_can_be_made_even():
    for count, size in ((23, 4), (24, 4), (7, 4)):
        counts = {
            len(list(stream(count, batch_size=size, rank=r, world_size=2, drop=True)))
            for r in (0, 1)
        }
        assert counts == {count // size // 2}


def test_samples_that_are_left_out_count_as_given():
    damaged = {int(k) for k in order("samples", np.arange(23) // 5, 7, 0)[4:9]}
    found = stream(damaged=damaged, batch_size=3)
    batches = iter(found)
    seen = flat(next(batches) for _ in range(3))
    second = stream(damaged=damaged, batch_size=3)
    second.load_state_dict(found.state_dict())
    seen += flat(second)
    assert sorted(seen) == sorted(set(range(23)) - damaged)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_counts_what_came_out_of_its_workers(packed, tiny, workers):
    dataset = LatentDataset(packed, model=tiny, dtype="int8", size=(3, 3))
    first = dataset.iterable(batch_size=2, seed=3)
    loader = first.loader(workers)
    assert len(loader) == 6
    seen = []
    for number, batch in enumerate(loader):
        assert batch.latent.shape[1:] == (32, 3, 3)
        seen.append(batch.key)
        if number == 2:
            state = loader.state_dict()  # workers are ahead of it
            break
    assert state["given"] == 6
    again = dataset.iterable(batch_size=2, seed=3).loader(2 - workers)
    again.load_state_dict(state)
    seen += [batch.key for batch in again]
    assert [key for keys in seen for key in keys] == [s.key for s in dataset.iterable(seed=3)]
    assert again.state_dict() == {**state, "epoch": 1, "given": 0}


def test_a_plain_loader_gives_every_sample_once_and_the_state_of_a_worker_is_its_own(packed, tiny):
    dataset = LatentDataset(packed, model=tiny, dtype="int8")
    plain = DataLoader(dataset.iterable(), batch_size=None, num_workers=2)
    assert sorted(sample.key for sample in plain) == KEYS


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_worker_that_keeps_its_own_state_resumes_there(after, monkeypatch):
    """As StatefulDataLoader of torchdata does it."""
    seen = []
    for id in range(3):
        info = SimpleNamespace(id=id, num_workers=3)
        monkeypatch.setattr(streams, "get_worker_info", lambda info=info: info)
        first, second = stream(batch_size=2), stream(batch_size=2)
        batches = iter(first)
        seen += flat(next(batches) for _ in range(after))
        second.load_state_dict(first.state_dict())
        seen += flat(second)
    assert sorted(seen) == list(range(23))


def test_states_of_others_and_impossible_options_are_refused():
    state = stream().state_dict()
    with pytest.raises(UsageError, match="the state has samples 23, the stream 24"):
        stream(24).load_state_dict(state)
    with pytest.raises(UsageError, match="shuffle"):
        stream(shuffle=None).load_state_dict(state)
    for options in ({"shuffle": "all"}, {"batch_size": 0}, {"rank": 2, "world_size": 2}):
        with pytest.raises(UsageError):
            stream(**options)
    with pytest.raises(UsageError, match="persistent_workers"):
        stream().loader(2, persistent_workers=True)
