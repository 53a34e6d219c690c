"""S2LIC has the parameters of its public model file, and looks as far as its halo says.

Neither the paper's abstract nor the model file gives a count of parameters or of multiplications, so these are
counted here from the layers of the model file. Of the contexts only a picture is public (parts/interaction.py).
"""

from __future__ import annotations

import pytest
import torch

from nacre.models.parts.unfilled import unfilled
from nacre.models.s2lic import S2licConfig, S2licNetwork
from nacre.models.s2lic.transforms import S2licAnalysis, S2licSynthesis, align, halos

SMALL = S2licConfig(latent=4, slices=2, head_width=1, width=4, heads2=1, heads4=2, heads8=4, window=4,
                    enhancement=2, growth=1)  # fmt: skip


def conv(channels_in: int, channels_out: int, side: int) -> int:
    return channels_in * channels_out * side * side + channels_out


def windowed(depth: int, heads: int, n: int = 192) -> int:
    """Blocks: queries and values with bias, keys without, the bias network, two norms, an MLP of 4 n."""
    attention = 2 * conv(n, n, 1) + n * n + heads + (3 * 512 + 512 * heads) + conv(n, n, 1)
    return depth * (attention + 4 * n + conv(n, 4 * n, 1) + conv(4 * n, n, 1))


def dense(channels_in: int, channels_out: int) -> int:
    return sum(conv(channels_in + 32 * k, 32, 3) for k in range(4)) + conv(
        channels_in + 128, channels_out, 3
    )


def test_the_published_shape_has_63_8_million_parameters():
    with unfilled():
        network = S2licNetwork(S2licConfig(float_scales=True))
    count = {name: sum(p.numel() for p in m.parameters()) for name, m in network.named_children()}
    enhancement = dense(3, 64) + 2 * conv(64, 64, 1) + conv(64, 64, 3) + dense(64, 3)
    blocks = windowed(1, 4) + windowed(2, 8) + windowed(3, 16)
    halves = 2 * conv(192, 192, 3)
    assert count["analysis"] == enhancement + conv(3, 192, 5) + halves + blocks + conv(192, 320, 3)
    ends = conv(320, 192, 3) + conv(192, 12, 3)
    assert count["synthesis"] == enhancement + halves + blocks + ends
    assert count["hyper_analysis"] == conv(320, 192, 3) + 4 * conv(192, 192, 3)
    inside = conv(320, 1280, 3) + conv(320, 480, 3) + conv(480, 1920, 3)
    assert count["hyper_synthesis"] == conv(192, 320, 3) + inside + conv(480, 640, 3)
    fusion = sum(p.numel() for p in network.means.fusion.parameters())
    inside = conv(320, 256, 1) + conv(256, 128, 1) + conv(128, 64, 1)
    assert fusion == 2 * conv(640, 320, 1) + 18 * conv(736, 320, 1) + 20 * inside
    rounding = sum(p.numel() for p in network.means.rounding.parameters())
    inside = conv(224, 128, 3) + conv(128, 32, 3)
    assert rounding == 2 * sum(conv(320 + 32 * k, 224, 3) + inside for k in range(1, 11))
    assert network.parameter_count() == pytest.approx(63.81e6, rel=0.001)


def test_multiplications_are_counted():
    with unfilled():
        network = S2licNetwork(S2licConfig(float_scales=True))
    kmac = network.multiplications()
    assert kmac["encode"] == pytest.approx(718, rel=0.01)
    assert kmac["decode"] == pytest.approx(716, rel=0.01)


def test_the_halo_is_13_positions_and_windows_start_at_multiples_of_4():
    c = S2licConfig()
    assert (halos(c), align(c)) == ((12, 13), 4)


@torch.no_grad()
def test_the_halos_are_how_far_the_transforms_look():
    """A row that is no number, at each place among the windows, makes no number of all that looks at it."""
    far, period = max(halos(SMALL)), align(SMALL)
    places = 2 * far + 2 * period
    analysis, synthesis = S2licAnalysis(SMALL).double(), S2licSynthesis(SMALL).double()
    farthest = [0, 0]
    for at in range(far, places - far):
        y = torch.zeros(1, 4, places, 2, dtype=torch.float64)
        x = torch.zeros(1, 3, 16 * places, 32, dtype=torch.float64)
        y[..., at, :] = torch.nan
        x[..., 16 * at : 16 * at + 16, :] = torch.nan
        rows_y = analysis(x).isnan().any(3).any(1)[0].nonzero()
        rows_x = synthesis(y).isnan().any(3).any(1)[0].nonzero() // 16
        for k, rows in enumerate((rows_y, rows_x)):
            farthest[k] = max(farthest[k], int((rows - at).abs().max()))
    assert tuple(farthest) == halos(SMALL)


@torch.no_grad()
def test_what_enters_and_leaves_stays_in_float32_under_autocast():
    """At high qualities y is in the hundreds, where bfloat16 has steps of a half or more."""
    torch.manual_seed(0)
    network = S2licNetwork(SMALL)
    with torch.autocast("cpu", torch.bfloat16):
        assert network.analysis(torch.rand(1, 3, 32, 32)).dtype == torch.float32
        assert network.synthesis(torch.randn(1, 4, 2, 2)).dtype == torch.float32
        mean = network.means(0, torch.randn(1, 8, 2, 2), torch.zeros(1, 4, 2, 2), {})
    assert mean.dtype == torch.float32


@torch.no_grad()
def test_as_published_both_turns_of_a_slice_see_the_same():
    """Of y: a non-anchor sees no anchor of its slice, but with `local_depth` it does."""
    torch.manual_seed(0)
    features, y = torch.randn(1, 8, 6, 6), torch.randn(1, 4, 6, 6)
    for depth in (0, 2):
        means = S2licNetwork(S2licConfig(**{**vars(SMALL), "local_depth": depth})).means
        first, second = (means(1, features, y * scale, {}) for scale in (1, 2))
        assert torch.equal(first, second) == (depth == 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"latent": 321},
        {"window": 7},
        {"heads8": 7},
        {"head_width": 5},
        {"slices": 1},
        {"depth4": 0},
    ],
)
def test_impossible_shapes_are_refused(wrong):
    with pytest.raises(ValueError, match=r"latent|window|heads|head_width|slices|depth4"):
        S2licConfig(**wrong)
