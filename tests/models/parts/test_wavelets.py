"""Wavelet packets: perfect reconstruction, the filters of the literature, the reach that halos rely on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nacre.models.parts import wavelets
from nacre.models.parts.wavelets import WAVELETS, analysis, synthesis

# As published: the low and the high filter of the analysis, centred, and their names in PyWavelets.
FILTERS = {
    "9/7": (
        [0.0378284555, -0.0238494650, -0.1106244044, 0.3774028556, 0.8526986790],
        [0.0645388826, -0.0406894176, -0.4180922732, 0.7884856164],
        "bior4.4",
    ),
    "5/3": ([-0.1767766953, 0.3535533906, 1.0606601718], [-0.3535533906, 0.7071067812], "bior2.2"),
}  # fmt: skip


@pytest.mark.parametrize("wavelet", WAVELETS)
@pytest.mark.parametrize("levels", [1, 3, 4])
@pytest.mark.parametrize("sides", [(1,), (7,), (1, 2), (5, 3), (1, 1, 2), (2, 3, 1)])
def test_reconstruction_is_perfect(wavelet, levels, sides):
    """In one, two and three dimensions, down to a single position."""
    if len(sides) == 3 and levels == 4:
        levels = 2
    x = torch.randn(2, 3, *(2**levels * side for side in sides))
    bands = analysis(x, wavelet, levels)
    assert bands.shape == (2, 3 * 2 ** (levels * len(sides)), *sides)
    assert (synthesis(bands, wavelet, levels) - x).abs().max() < 1e-5


def test_other_sides_are_refused():
    with pytest.raises(ValueError, match="no multiples of 8"):
        analysis(torch.zeros(1, 1, 8, 12), "haar", 3)


def mirrored(x: np.ndarray, i: int) -> float:
    """The sample of a signal that is mirrored at its first and its last sample."""
    period = 2 * (len(x) - 1)
    i %= period
    return float(x[min(i, period - i)])


def filtered(x: np.ndarray, half: list[float], start: int) -> np.ndarray:
    """Every second sample from `start` on, by a symmetric filter given up to its middle."""
    taps = [*half, *half[-2::-1]]
    return np.array(
        [
            sum(tap * mirrored(x, at + k - len(half) + 1) for k, tap in enumerate(taps))
            for at in range(start, len(x), 2)
        ]
    )


def packet_by_filters(x: np.ndarray, wavelet: str, levels: int) -> np.ndarray:
    """(bands, n): every band is filtered and split again, one sample after the other."""
    low, high, _ = FILTERS[wavelet]
    bands = [x]
    for _ in range(levels):
        bands = [
            part for band in bands for part in (filtered(band, low, 0), filtered(band, high, 1))
        ]
    return np.stack(bands)


@pytest.mark.parametrize("wavelet", FILTERS)
def test_bands_are_those_of_the_filters(wavelet):
    """On both axes, with borders that are mirrored at every level."""
    x = np.random.default_rng(0).normal(size=(16, 24))
    by_column = np.stack([packet_by_filters(column, wavelet, 3) for column in x.T], -1)
    want = np.stack([[packet_by_filters(row, wavelet, 3) for row in band] for band in by_column])
    want = want.transpose(0, 2, 1, 3).reshape(64, 2, 3)  # (bands, bands, rows, columns)
    found = analysis(torch.from_numpy(x)[None, None], wavelet, 3)[0]
    assert np.abs(found.numpy() - want).max() < 1e-8


def test_haar_is_sums_and_differences():
    x = torch.arange(8.0)[None, None]
    low, high = analysis(x, "haar", 1)[0]
    assert torch.allclose(low, torch.tensor([1.0, 5, 9, 13]) / 2**0.5)
    assert torch.allclose(high, torch.full((4,), 0.5**0.5))


@pytest.mark.parametrize("wavelet", FILTERS)
def test_bands_are_those_of_pywavelets(wavelet):
    """But for the sign of the high band, and where a convolution begins."""
    pywt = pytest.importorskip("pywt")
    x = np.random.default_rng(0).normal(size=40)
    low, high = pywt.dwt(x, FILTERS[wavelet][2], mode="reflect")
    found = analysis(torch.from_numpy(x)[None, None], wavelet, 1)[0].numpy()
    skipped = len(FILTERS[wavelet][0]) // 2
    assert np.abs(found[0] - low[skipped : skipped + 20]).max() < 1e-8
    assert np.abs(found[1] + high[skipped : skipped + 20]).max() < 1e-8


@pytest.mark.parametrize("wavelet", WAVELETS)
@pytest.mark.parametrize("levels", [1, 3, 4])
def test_no_position_sees_beyond_the_halo(wavelet, levels):
    halo, factor = WAVELETS[wavelet].halo, 2**levels
    count = 4 * halo + 5
    middle = count // 2
    by_sample = analysis(torch.eye(count * factor)[:, None], wavelet, levels)  # (samples, bands, n)
    samples = by_sample[..., middle].abs().amax(1).nonzero()[:, 0] // factor
    assert middle - halo <= samples.min() and samples.max() <= middle + halo
    by_band = torch.zeros(factor, factor, count)
    by_band[range(factor), range(factor), middle] = 1
    seen = synthesis(by_band, wavelet, levels)[:, 0].abs().amax(0).nonzero()[:, 0] // factor
    assert middle - halo <= seen.min() and seen.max() <= middle + halo


def test_a_constant_has_one_band():
    """On which the analysis of the wavelet family relies."""
    for wavelet in wavelets.WAVELETS:
        bands = analysis(torch.ones(1, 1, 16, 16), wavelet, 3)
        assert torch.allclose(bands[:, 0], torch.tensor(8.0), atol=1e-4)
        assert bands[:, 1:].abs().max() < 1e-5
