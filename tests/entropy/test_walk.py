"""The walk visits every element once, and no turn sees symbols that are not yet decoded."""

from __future__ import annotations

import torch

from nacre.entropy.schedule import Turn, checkerboard, quarters, whole
from nacre.entropy.walk import drive, walk

CPU = torch.device("cpu")


class Recorder:
    """A prior that keeps what it is shown; the mean of turn k is k."""

    def __init__(self, schedule, **shapes):
        self.schedule, self.shapes = schedule, {k: torch.Size(v) for k, v in shapes.items()}
        self.known, self.seen = [], []

    def mean(self, turn, known):
        self.known.append({k: v.clone() for k, v in known.items()})
        return torch.full(self._shape(turn), float(turn))

    def rows(self, turn, seen):
        self.seen.append({k: v.clone() for k, v in seen.items()})
        return torch.zeros(self._shape(turn), dtype=torch.uint8)

    def settle(self, turn, known):
        return known

    def _shape(self, turn):
        own, shape = self.schedule[turn], self.shapes[self.schedule[turn].plane]
        return (shape[0], len(own.channels), *shape[2:])


def uneven():
    """A hyper-latent, a small group by checkerboard, the rest in four turns of their own."""
    rest = [
        Turn("y", range(2, 7), t.layer, t.patterns[:1]) for t in quarters("y", 5, first_layer=1)
    ]
    return (whole("z", 3), *checkerboard("y", range(0, 2)), *rest)


def test_a_turn_sees_what_was_decoded_before_and_nothing_else():
    prior = Recorder(uneven(), z=(1, 3, 2, 2), y=(1, 7, 5, 6))
    truth = {k: torch.randint(-20, 20, v).float() for k, v in prior.shapes.items()}
    found = drive(walk(prior, CPU), lambda step: step.of(truth))
    known = {k: torch.zeros(v) for k, v in prior.shapes.items()}
    seen = {k: torch.zeros(v) for k, v in prior.shapes.items()}
    for k, turn in enumerate(prior.schedule):
        assert all(torch.equal(prior.known[k][p], known[p]) for p in known)
        assert all(torch.equal(prior.seen[k][p], seen[p]) for p in seen)
        where = turn.where(*prior.shapes[turn.plane][2:], CPU)
        own = truth[turn.plane][:, turn.slice]
        for planes, values in ((known, own + k), (seen, own)):
            part = planes[turn.plane][:, turn.slice]
            part[where] = values[where]
    assert all(torch.equal(found[p], known[p]) for p in known)


def test_each_turn_is_asked_for_its_own_channels_alone():
    prior, asked = Recorder(uneven(), z=(1, 3, 2, 2), y=(1, 7, 5, 6)), []

    def answer(step):
        asked.append((step.turn.plane, step.mean.shape[1]))
        return torch.zeros_like(step.mean)

    drive(walk(prior, CPU), answer)
    assert asked == [("z", 3), ("y", 2), ("y", 2), *[("y", 5)] * 4]


def test_settling_changes_what_later_turns_know_and_what_comes_out():
    class Corrected(Recorder):
        def settle(self, turn, known):
            return {**known, "y": known["y"] + 1} if turn == 0 else known

    prior = Corrected(checkerboard("y", range(1)), y=(1, 1, 2, 2))
    found = drive(walk(prior, CPU), lambda step: torch.zeros_like(step.mean))
    assert torch.equal(prior.known[1]["y"], torch.ones(1, 1, 2, 2))
    assert found["y"].flatten().tolist() == [1, 1, 1, 1]


def test_gradients_pass_through_the_walk():
    prior = Recorder(uneven(), z=(2, 3, 2, 2), y=(2, 7, 5, 6))
    leaves = {k: torch.randn(v).requires_grad_() for k, v in prior.shapes.items()}
    found = drive(walk(prior, CPU), lambda step: step.of(leaves))
    sum(plane.sum() for plane in found.values()).backward()
    assert all(torch.equal(leaf.grad, torch.ones_like(leaf)) for leaf in leaves.values())
