"""The network has the published size, knows regions in training alone, and reaches no further than it says."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nacre.entropy.errors import WeightsError
from nacre.models import catalogue
from nacre.models.parts.regions import Regions, colour_regions
from nacre.models.segpic import FAMILY, SegpicConfig
from nacre.tools.train.recipe import read_recipe
from tests.models import laws
from tests.models.segpic.test_laws import TINY

RECIPES = Path(__file__).parents[3] / "tools" / "recipes"
PARAMETERS = 83_480_547  # of the public code, without the tables of its factorised priors


def test_counts_are_the_published_ones():
    """Ours lacks the networks that code prototypes, 504,832, and has the quality tables, 8,320."""
    (published,) = FAMILY.published
    ours = catalogue.row(FAMILY, published)["as_published"]
    assert ours["parameters"] == PARAMETERS - 504_832 + 8_320
    assert ours["parameters"] / 1e6 == pytest.approx(published.parameters, rel=0.01)
    assert ours["kmac_per_pixel"] == pytest.approx(published.kmac, rel=0.01)


def test_the_recipe_is_the_published_configuration():
    assert read_recipe(RECIPES / "segpic.toml").model.config == SegpicConfig()


def decoded(network, regions=None):
    torch.manual_seed(1)
    x = laws.as_tensor(laws.photo(64, 48))
    with torch.inference_mode():
        return network(x, torch.tensor([0.6]), hard=True, regions=regions).x_hat


def test_regions_are_privileged():
    """Training knows the regions it is given, or those of the colours; coding knows windows alone."""
    network = laws.build("segpic", TINY)
    coded = decoded(network)
    x = laws.as_tensor(laws.photo(64, 48))
    halves = Regions((torch.arange(64) // 32).expand(1, 48, 64), 2)
    given, drawn = decoded(network, halves), decoded(network, colour_regions(x))
    assert not torch.allclose(given, coded) and not torch.allclose(given, drawn)
    assert torch.equal(decoded(network), coded)
    network.train()
    assert torch.equal(decoded(network), drawn)
    assert torch.equal(decoded(network, halves), given)


def test_windows_are_a_special_case_of_regions():
    """Labels that number the windows give what windows give."""
    network = laws.build("segpic", {**TINY, "region_window": 32})
    rows, columns = torch.arange(48) // 32, torch.arange(64) // 32
    labels = (2 * rows[:, None] + columns)[None]
    assert torch.allclose(decoded(network, Regions(labels, 4)), decoded(network), atol=1e-5)


def test_analysis_reaches_no_further_than_the_halo():
    """A position depends on no pixel beyond the halo: the gradient of every place of a window says so."""
    network = laws.build("segpic", {**TINY, "window4": 4, "region_window": 32})
    reach, positions = network.reach, 40
    stride = reach.stride
    x = torch.rand(1, 3, positions * stride, positions * stride, requires_grad=True)
    y = network.analyse(x, torch.tensor([0.5]))["y"]
    furthest = 0
    for at in range(20, 20 + reach.align):
        (gradient,) = torch.autograd.grad(y[0, :, at, at].sum(), x, retain_graph=True)
        rows = gradient.abs().sum((0, 1, 3)).nonzero().flatten() // stride
        furthest = max(furthest, at - int(rows.min()), int(rows.max()) - at)
    assert reach.halo // 2 < furthest <= reach.halo


def test_scales_in_floats_are_not_exported():
    network = laws.build("segpic", {**TINY, "float_scales": True})
    with pytest.raises(WeightsError, match="float_scales"):
        network.quantise(lambda: None)


@pytest.mark.parametrize(
    "values",
    [
        {"width": 0}, {"hyper": 257}, {"heads": 5}, {"region_window": 24}, {"slices": 321}, {"support": -1},
        {"knots": 1}, {"lambda_min": 2.0}, {"lambda_min": 0.0}, {"window4": 33}, {"dictionary_entries": 5000},
        {"lambda_max": float("nan")},
    ],
)  # fmt: skip
def test_impossible_numbers_are_refused(values):
    with pytest.raises(WeightsError):
        FAMILY.configure(values)
