"""Counts of the published networks, how far the transforms look, and shapes of planes."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from nacre.entropy.errors import WeightsError
from nacre.entropy.walk import drive, walk
from nacre.models import family as families
from nacre.models.mlic import FAMILY, V2, MlicConfig, MlicNetwork
from nacre.models.mlic.context import RESIDUAL_WIDTHS, turns
from nacre.models.parts.unfilled import unfilled
from tests.models import laws
from tests.models.mlic.test_laws import BOTH, PLUS_PLUS


def published(**parts: bool) -> MlicNetwork:
    with unfilled():
        return MlicNetwork(MlicConfig(float_scales=True, **parts))


def test_mlic_plus_plus_has_the_parameters_of_its_release():
    """83.5 M: README of github.com/JiangWeibeta/MLIC. The gain units and quality tables are ours."""
    network = published()
    tables = network.gain, network.ungain, network.hyper_scale
    ours = sum(p.numel() for table in tables for p in table.parameters())
    assert network.parameter_count() - ours == pytest.approx(83.5e6, rel=0.0005)


def weights(*widths: int, kernel: int = 3) -> int:
    return sum(a * b for a, b in pairwise(widths)) * kernel**2


def test_mlic_plus_plus_has_the_multiplications_of_the_first_release():
    """1283 thousand for a pixel and 116.7 M parameters: the table of HPCM and the first release.

    That release had residual networks of four layers whose widths follow their input, and a first block of
    the synthesis that was narrower. Both are at stride 16 or 8 and are counted here by hand.
    """
    c, network = MlicConfig(), published()
    of_context = 0
    for turn in turns(c):
        enter, leave = c.latent + turn.channels.stop, len(turn.channels)
        step = enter - leave
        wide = enter, enter - step // 4, enter - step // 2, enter - step * 3 // 4, leave
        of_context += weights(*wide) - weights(enter, *RESIDUAL_WIDTHS, leave)
    first_block = weights(c.latent, c.width, c.width) + weights(c.latent, c.width, kernel=1)
    first_block -= weights(c.latent, c.latent, c.latent)
    up = 2 * (weights(c.width, 4 * c.width) - weights(c.latent, 4 * c.width))
    more = of_context + first_block + up
    once = network.multiplications()["forward"]
    assert once == pytest.approx(1153.0, abs=0.1)
    assert once + more / 16**2 / 1000 == pytest.approx(1283, rel=0.001)
    assert network.parameter_count() + more == pytest.approx(116.7e6, rel=0.0005)


def test_mlic_v2_has_nearly_the_published_parameters():
    """84.3 M: table 1 of CMIC (AAAI 2026). Ours has 1.3 % less, for lack of the network of selective coding."""
    assert published(**V2).parameter_count() == pytest.approx(84.3e6, rel=0.015)


def reached(v: torch.Tensor) -> tuple[int, int]:
    """First and last row that a not-a-number got to: it reaches all that looks at it."""
    rows = v.isnan().any(3).any(1)[0].nonzero()[:, 0]
    return int(rows[0]), int(rows[-1])


@BOTH
@torch.inference_mode()
def test_transforms_look_as_far_as_the_halo(values):
    network = laws.build("mlic", {**values, "width": 4, "latent": 16}).double()
    halo, t = network.reach.halo, torch.tensor([0.5], dtype=torch.double)
    side, middle = 2 * halo + 3, halo + 1
    y = torch.randn(1, 16, side, 3, dtype=torch.double)
    y[:, :, middle] = torch.nan
    first, last = reached(network.synthesise({"y": y}, t))
    assert 16 * (middle - halo) <= first < 16 * (middle - halo + 1)
    assert 16 * (middle + halo) <= last < 16 * (middle + halo + 1)
    x = torch.rand(1, 3, 16 * side, 48, dtype=torch.double)
    x[:, :, 16 * middle : 16 * middle + 16] = torch.nan
    first, last = reached(network.analyse(x, t)["y"])
    assert first >= middle - halo and last <= middle + halo


@BOTH
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 2), (5, 3)])
@torch.inference_mode()
def test_any_tile_has_finite_means(values, height, width):
    network = laws.build("mlic", values)
    prior = network.prior(network.shapes(height, width), torch.tensor([1.0]))
    symbols = lambda step: 100 * torch.randn(step.mean.shape).round()  # noqa: E731
    known = drive(walk(prior, torch.device("cpu")), symbols)
    assert known["y"].shape == (1, 32, height, width)
    assert all(plane.isfinite().all() for plane in known.values())


@BOTH
def test_autocast_changes_little(values):
    network = laws.build("mlic", values)
    x, t = laws.as_tensor(laws.photo(64, 64)), torch.tensor([0.5])
    with torch.no_grad():
        exact = network(x, t, hard=True)
        with torch.autocast("cpu", torch.bfloat16):
            fast = network(x, t, hard=True)
    assert (fast.x_hat - exact.x_hat).abs().max() < 0.1 * exact.x_hat.abs().max()


def test_the_published_form_gives_scales_and_codes_no_files():
    network = laws.build("mlic", {**PLUS_PLUS, "float_scales": True})
    assert network.scales is None
    assert network(torch.rand(1, 3, 64, 64), torch.tensor([0.5])).bits.isfinite().all()
    with pytest.raises(WeightsError, match="codes no files"):
        network.quantise(lambda: None)


def test_halves_are_odd_positions_then_even_ones():
    odd, even = turns(MlicConfig())[:2]
    assert odd.channels == even.channels == range(32)
    device = torch.device("cpu")
    assert odd.where(2, 3, device)[0, 0].tolist() == [[False, True, False], [True, False, True]]
    assert torch.equal(even.where(2, 3, device), ~odd.where(2, 3, device))
    assert [turn.layer for turn in turns(MlicConfig())] == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5


@pytest.mark.parametrize(
    "values",
    [
        {"slices": 7}, {"slices": 0}, {"window": 4}, {"heads": 5}, {"heads": 0}, {"width": 0},
        {"knots": 1}, {"lambda_min": 0.0}, {"rotary": True, "heads": 16},
    ],
)  # fmt: skip
def test_impossible_configurations_are_refused(values):
    with pytest.raises(ValueError, match=r"expected|make no|by fours|knots"):
        MlicConfig(**values)


def test_the_family_is_found_by_name():
    assert families.find("mlic") is FAMILY
