"""The network of inter frames starts as its image model, and keeps the laws of contexts."""

from __future__ import annotations

import pytest
import torch

from nacre.entropy.errors import UnsupportedStream
from nacre.models.clip import ClipConfig, ClipNetwork
from nacre.models.parts.condition import Condition
from nacre.models.zoo import load_model
from nacre.tools.cli import main
from tests.models import laws


@pytest.fixture
def network(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("NACRE_MODELS", str(tmp_path / "models"))
    assert main(["models", "add", str(tiny)]) == 0
    torch.manual_seed(0)
    return ClipNetwork(ClipConfig(base=load_model(tiny).id.hex(), width=16))


def condition(network, side: int) -> Condition:
    shape = torch.Size((1, network.image_model().network.config.latent, side, side))
    features = network.image_model().network.config.width8
    return Condition(
        torch.randn(shape), torch.randn(1, features, 2 * side, 2 * side), torch.randn(shape),
        torch.randn(shape).mul(3).round(),
    )  # fmt: skip


def test_no_turn_sees_a_later_one(network):
    laws.causality(network.given(condition(network, 12)).eval().requires_grad_(False))


@torch.no_grad()
def test_transforms_start_as_those_of_the_image_model(network, tiny_model):
    x, t, images = torch.rand(1, 3, 64, 64), torch.tensor([0.4]), tiny_model.network
    bound = network.given(condition(network, 4))
    y = bound.analyse(bound.prepare(x), t)["y"]
    assert torch.equal(y, images.analyse(images.prepare(x), t)["y"])
    features = torch.randn(1, images.config.context, 4, 4)
    shown = bound.shown(y, torch.cat([features, y, y], 1))
    assert torch.equal(bound.synthesise(shown, t), images.synthesis(y, features, t))


@torch.no_grad()
def test_a_frame_like_its_prediction_costs_little_from_the_start(network, tiny_model):
    network.start(torch.zeros(0))
    x, t, images = laws.as_tensor(laws.photo(128, 128)), torch.tensor([0.6]), tiny_model.network
    features = images.prepare(x)
    latent = images.analyse(features, t)["y"]
    same = Condition(latent, features, latent, torch.zeros_like(latent))
    alone, given = (n(x, t, hard=True).bits for n in (network, network.given(same)))
    assert given < 0.5 * alone


def test_gradients_reach_what_is_trained(network):
    given = network.given(condition(network, 8)).train()
    coded = given(torch.rand(1, 3, 128, 128), torch.tensor([0.5]))
    (coded.x_hat.square().mean() + coded.bits.mean() / 128**2).backward()
    without = {
        name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum()
    }
    # Behind a last layer that starts at zero nothing is learned in the first step.
    assert all(name.startswith("leave8.0.") for name in without)
    assert all(p.grad is None for p in network.image_model().network.parameters())


def test_without_previous_pictures_it_is_stem(network, tiny):
    config = ClipConfig(base=load_model(tiny).id.hex(), width=16, motion=False)
    found = ClipNetwork(config).given(condition(network, 4)).condition(torch.Size((1, 1, 4, 4)))
    assert not found.latent.any() and not found.features.any() and found.previous.any()


def test_an_image_model_that_is_not_installed_is_named():
    with pytest.raises(UnsupportedStream, match="0123456789abcdef"):
        ClipNetwork(ClipConfig(base="0123456789abcdef"))


def test_impossible_numbers_are_refused():
    with pytest.raises(ValueError, match="hexadecimal"):
        ClipConfig(base="12")


@torch.no_grad()
def test_a_latent_in_steps_of_another_quality_is_the_same_latent(network):
    y_hat = torch.randn(1, network.base.config.latent, 2, 3)
    low, high = torch.tensor([0.3]), torch.tensor([0.7])
    moved = network.in_steps_of(high, y_hat, low)
    assert torch.allclose(
        moved * network.base.synthesis.ungain(high), y_hat * network.base.synthesis.ungain(low)
    )
    assert (moved.abs() > y_hat.abs()).float().mean() > 0.9  # steps are finer
    assert torch.equal(network.in_steps_of(low, y_hat, low), y_hat)


def test_a_model_names_its_image_model_where_the_recipe_does_not():
    network = ClipNetwork(ClipConfig(width=16))
    assert network.config.base == load_model().id.hex() == network.image_model().id.hex()
