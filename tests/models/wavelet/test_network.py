"""The wavelet family: its start, signed bytes, and channels that are ordered and may be missing."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from nacre import codec
from nacre.codec import tiles
from nacre.codec.search import modes
from nacre.entropy.errors import WeightsError
from nacre.models import family as families
from nacre.models.parts import wavelets
from nacre.models.wavelet import WaveletConfig
from nacre.models.wavelet.transforms import keep_first_channels
from nacre.models.weights_file import write_weights
from nacre.tools.export.calibration import quantise_on
from nacre.tools.export.fitting import fit
from nacre.tools.export.samples import sample_all
from tests.models import laws

SMALL = {
    "latent": 12, "hyper": 6, "scale_width": 8, "width": 16, "blocks": 1, "hyper_width": 8, "context": 8,
    "knots": 2,
}  # fmt: skip
T = torch.tensor([0.6])


def started(**values):
    """A network that starts from the principal components of a photograph."""
    torch.manual_seed(0)
    family = families.find("wavelet")
    network = family.build(family.configure({**SMALL, **values}))
    network.start(laws.as_tensor(laws.photo(256, 256)))
    network.load_state_dict({k: v.half().float() for k, v in network.state_dict().items()})
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize("levels", [3, 4])
@torch.inference_mode()
def test_a_started_network_is_a_linear_transform_codec(levels):
    """Before any training it shows what the strongest principal components of the packet hold."""
    network = started(levels=levels)
    x = laws.as_tensor(laws.photo(256, 256))
    bands = wavelets.analysis(x - 0.5, "9/7", levels)
    flat = bands[0].flatten(1)
    basis = torch.linalg.svd(flat, full_matrices=False).U[:, :12]
    best = (basis @ (basis.T @ flat)).view(bands.shape)
    want = wavelets.synthesis(best, "9/7", levels) + 0.5
    y = network.analyse(network.prepare(x), T)["y"]
    found = network.synthesis(y, T, torch.zeros(1, 8, *y.shape[2:]))
    assert (found - want).square().mean() < 0.02 * (want - x).square().mean()
    deviation = (y / network.analysis.gain(T)).square().mean((0, 2, 3)).sqrt()
    assert (deviation[1:] < 1.05 * deviation[:-1]).all()  # by worth


def test_training_and_coding_see_the_same_latent():
    """The folded form of the encoder against the plain one."""
    network, x = started(), laws.as_tensor(laws.photo(96, 136))
    with torch.no_grad():
        fast = network.prepare(x.contiguous(memory_format=torch.channels_last))
    with torch.enable_grad():
        plain = network.prepare(x)
    assert (fast - plain).abs().max() < 1e-5 * plain.abs().max()


@torch.inference_mode()
def test_every_latent_fits_a_signed_byte():
    network = started()
    network.analysis.gain.log += 3
    x = torch.rand(1, 3, 64, 64).round()
    y = network.analyse(network.prepare(x), torch.ones(1))["y"].round()
    assert 100 < y.abs().max() <= 127


def test_dropped_channels_are_the_last_ones():
    torch.manual_seed(0)
    y = torch.ones(400, 10, 2, 3)
    kept = keep_first_channels(y, 0.5)
    assert set(kept.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(kept, kept[:, :, :1, :1].expand_as(y))
    channels = kept[:, :, 0, 0]
    assert (channels[:, 1:] <= channels[:, :-1]).all() and channels[:, 0].all()
    counts = channels.sum(1).int().tolist()
    assert set(counts) == set(range(1, 11)) and 180 < counts.count(10) < 260
    assert torch.equal(keep_first_channels(y, 0.0), y)


def test_channels_are_dropped_while_training_only():
    network = started(drop=1.0, hyperprior=False)
    prepared = network.prepare(laws.as_tensor(laws.photo(64, 64))).expand(16, -1, -1, -1)
    assert (network.analyse(prepared, T)["y"] != 0).all()
    assert (network.train().analyse(prepared, T)["y"] == 0).any()


@pytest.mark.parametrize("hyperprior", [False, True])
def test_fewer_channels_decode_too(hyperprior, tmp_path, monkeypatch):
    """A file that ends behind a layer shows what the channels up to there hold."""
    monkeypatch.setattr(tiles, "SMALLEST_PART_BYTES", 0)
    monkeypatch.setattr(modes, "WORST_ERROR", float("inf"))
    network, image = started(hyperprior=hyperprior), laws.photo(160, 120)
    pictures = [laws.as_tensor(laws.photo(128, 128))]
    integers = quantise_on(network, pictures)
    tables = fit(network, sample_all(network, integers, pictures))
    weights = tmp_path / "a.safetensors"
    write_weights(weights, "a", "wavelet", network, integers, tables)
    data = codec.encode(image, quality=60, model=weights, effort=0)
    at, ends = 8, []
    for kind, size in codec.info(data).chunks:
        at += size
        ends += [at] if kind == "LATN" else []
    assert len(ends) == 4
    x, errors = np.asarray(image).astype(float), []
    for layer, end in enumerate(ends):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", codec.CutFileWarning)
            shown = np.asarray(codec.decode(data[:end], model=weights)).astype(float)
        errors.append(np.square(shown - x).mean())
        if not hyperprior:
            want = decoded_of(network, image, 3 * (layer + 1))
            assert np.abs(shown - want).max() <= 1
    assert errors[0] > 1.2 * errors[1] > errors[2] > errors[3]


@torch.inference_mode()
def decoded_of(network, image, channels: int) -> np.ndarray:
    """What a decoder shows of the first channels, the others zero; (H, W, 3) in 0..255."""
    x, t = laws.as_tensor(image), torch.tensor([59 / 99])
    y = network.analyse(network.prepare(x), t)["y"].round()
    y[:, channels:] = 0
    x_hat = network.synthesise({"y": y}, t)[0].clamp(0, 1)
    return (255 * x_hat).permute(1, 2, 0).numpy()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"wavelet": "db2"}, "wavelet is 'db2': expected one of"),
        ({"levels": 0}, "levels is 0: expected one of"),
        ({"hyper_stride": 6}, r"hyper_stride is 6: expected one of \(4, 8\)"),
        ({"passes": 3}, "passes is 3"),
        ({"drop": 1.5}, "drop is 1.5"),
        ({"drop": float("nan")}, "drop is nan"),
        ({"latent": 193, "width": 256}, r"latent is 193: expected 4 \(layers\) to 192"),
        ({"latent": 100, "width": 96}, "latent is 100"),
        ({"latent": 3}, "latent is 3"),
        ({"blocks": 0}, "blocks is 0: expected a number from 1 to 64"),
        ({"float_scales": True}, "scales are integers"),
    ],
)
def test_impossible_configurations_are_refused(values, said):
    family = families.find("wavelet")
    with pytest.raises(WeightsError, match=said):
        family.build(family.configure(values))


def test_reductions_are_those_of_the_paper():
    """arXiv:2412.09405: 48 and 12 channels of 192; its encoder has 9,264 and 2,316 parameters."""
    for latent, parameters in ((48, 9264), (12, 2316)):
        config = WaveletConfig(latent=latent)
        assert config.bands / config.latent == {48: 4, 12: 16}[latent]
        network = families.find("wavelet").build(config)
        assert sum(p.numel() for p in network.analysis.project.parameters()) == parameters
