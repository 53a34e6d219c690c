"""A classifier learns colours, standardises its input, and keeps the promises of its shapes."""

from __future__ import annotations

import pytest
import torch

from nacre.tools.tasks import ClassifierConfig, Fitting, TaskClassifier, accuracy, fit
from nacre.tools.tasks.fitting import augmented
from nacre.tools.tasks.labelled import read_folder

TINY = {"width": 16, "blocks": 1}


@pytest.mark.parametrize(
    ("more", "side", "first"),
    [
        ({"patch": 4}, 32, 8),
        ({"patch": 8, "stem": "steps"}, 32, 4),
        ({"patch": 1, "grow": 2}, 4, 8),
    ],
)
def test_stages_halve_the_positions_and_double_the_channels(more, side, first):
    network = TaskClassifier(ClassifierConfig(3, 5, **TINY, **more))
    features = network.features(torch.randn(2, 5, side, side))
    assert [f.shape for f in features] == [(2, 16, first, first), (2, 32, first // 2, first // 2)]
    assert network.classify(features).shape == (2, 3)


def test_colours_are_learned(coloured):
    train, test = (read_folder(coloured / part) for part in ("train", "test"))
    torch.manual_seed(0)
    network = TaskClassifier(ClassifierConfig(3, patch=16, **TINY))
    how = Fitting(epochs=12, batch=12, learning_rate=4e-3)
    fit(network, train.pixels(64), torch.tensor(train.labels), how)
    assert accuracy(network, test.pixels(64), torch.tensor(test.labels)) > 0.9


def test_scale_and_offset_of_an_input_do_not_matter():
    x = torch.rand(8, 3, 8, 8)
    one = TaskClassifier(ClassifierConfig(2, patch=4, **TINY))
    other = TaskClassifier(ClassifierConfig(2, patch=4, **TINY))
    other.load_state_dict(one.state_dict())
    one.standardise(x)
    other.standardise(50 * x + 7)
    torch.testing.assert_close(one(x), other(50 * x + 7), rtol=1e-3, atol=1e-3)


def test_channels_keep_their_worth_beside_each_other():
    x = torch.randn(8, 2, 8, 8) * torch.tensor([10.0, 0.1])[None, :, None, None] + 5
    network = TaskClassifier(ClassifierConfig(2, inputs=2, patch=4, **TINY))
    network.standardise(x)
    found = (x - network.mean) / network.deviation
    assert float(found.square().mean()) == pytest.approx(1, rel=1e-4)
    assert float(found[:, 0].std() / found[:, 1].std()) == pytest.approx(100, rel=0.2)


def test_augmentation_moves_and_mirrors_and_changes_no_value():
    x = torch.arange(2.0 * 36).reshape(2, 1, 6, 6)
    rng = torch.Generator().manual_seed(3)
    seen = [augmented(x, Fitting(shift=1), rng) for _ in range(30)]
    assert all(
        found.shape == x.shape and set(found.unique().tolist()) <= set(x.flatten().tolist())
        for found in seen
    )
    middles = {found[0, 0, 2, 2].item() for found in seen}
    mirrored = {x.flip(3)[0, 0, i, j].item() for i in (1, 2, 3) for j in (1, 2, 3)}
    moved = {x[0, 0, i, j].item() for i in (1, 2, 3) for j in (1, 2, 3)}
    assert len(middles) > 6 and middles <= moved | mirrored


@pytest.mark.parametrize(
    ("field", "value"),
    [("classes", 0), ("inputs", 10**9), ("width", 12), ("stem", "none"), ("blocks", 1.5)],
)
def test_impossible_numbers_are_refused(field, value):
    with pytest.raises(ValueError, match=field):
        ClassifierConfig(**{"classes": 2, field: value})


def test_steps_want_a_power_of_two():
    with pytest.raises(ValueError, match="power of 2"):
        ClassifierConfig(2, patch=12, stem="steps")
