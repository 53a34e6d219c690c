"""The network as it is trained agrees with the files that are written."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from nacre import codec
from nacre.models.nacre import NacreConfig, NacreNetwork
from nacre.models.nacre.transforms import start_linear
from nacre.models.parts.rate import gaussian_bits
from nacre.models.zoo import load_model

SMALL = NacreConfig(
    width8=16, width16=24, latent=32, hyper=8, hyper_analysis_width=16, hyper_width=16, context=16,
    scale_width=8, blocks8=1, blocks16=1, knots=3,
)  # fmt: skip


def test_the_estimated_rate_is_the_size_of_the_file(photo):
    """Within what fitted tables win, which the estimate knows nothing of."""
    image, model = photo.crop((0, 0, 64, 64)), load_model()
    x = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
    for quality in (20, 60, 100):
        with torch.inference_mode():
            bits = model.network(x, torch.tensor([(quality - 1) / 99]), hard=True).bits.item()
        coded = 8 * codec.info(codec.encode(image, quality=quality)).coded_bytes
        assert abs(coded - bits) < 0.04 * bits + 64


def test_a_gaussian_costs_what_its_integral_says():
    x, scale = torch.arange(-60.0, 61.0), torch.tensor(3.0)
    assert torch.isclose(torch.exp2(-gaussian_bits(x, scale)).sum(), torch.tensor(1.0), atol=1e-4)


def test_gradients_reach_every_parameter():
    torch.manual_seed(0)
    model = NacreNetwork(SMALL)
    coded = model(torch.rand(2, 3, 64, 64), torch.tensor([0.2, 0.9]))
    (coded.x_hat.square().mean() + coded.bits.mean() / 4096).backward()
    without = [
        name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum()
    ]
    assert without == []


def test_scales_learn_from_whole_symbols_and_transforms_from_smooth_ones():
    """Another draw of the noise changes what the transforms learn, and nothing of what scales learn."""
    torch.manual_seed(0)
    model, x, t = NacreNetwork(SMALL), torch.rand(1, 3, 64, 64), torch.tensor([0.7])
    learned = []
    for seed in (1, 2):
        model.zero_grad()
        torch.manual_seed(seed)
        model(x, t).bits_of["y"].sum().backward()
        of_both = (model.analysis.gain.log, model.scales.step_leave[0].weight)
        learned.append([p.grad.clone() for p in of_both])
    (gain, scales), (other_gain, other_scales) = learned
    assert torch.equal(scales, other_scales) and scales.abs().sum() > 0
    assert not torch.equal(gain, other_gain)


def test_the_linear_start_is_a_transform_codec():
    """Near zero loss of energy before any training, at the finest quantisation."""
    torch.manual_seed(0)
    x = torch.rand(4, 3, 8, 8).repeat_interleave(16, 2).repeat_interleave(16, 3)[:, :, :64, :64]
    model = NacreNetwork(SMALL)
    start_linear(model.analysis, model.synthesis, x)
    with torch.inference_mode():
        y = model.analysis(x, torch.ones(4))
        x_hat = model.synthesis(y, torch.zeros(4, SMALL.context, 4, 4), torch.ones(4))
    assert (x_hat - x).square().mean() < 0.02 * x.var()


def test_multiplications_are_those_of_a_pass():
    """Counted by hooks while the parts run, against the arithmetic."""
    model, macs = NacreNetwork(SMALL), {"encode": 0, "decode": 0}
    want = model.multiplications()
    x, t, where = torch.rand(1, 3, 128, 128), torch.ones(1), {"encode", "decode"}

    def of_one_side(name, other):
        whole = getattr(model, name)

        def alone(*inputs):
            where.discard(other)
            found = whole(*inputs)
            where.add(other)
            return found

        setattr(model, name, alone)

    def count(conv, _, output):
        per_output = conv.in_channels // conv.groups * conv.kernel_size[0] ** 2
        for side in where:
            macs[side] += output[0].numel() * per_output

    for conv in model.modules():
        if isinstance(conv, nn.Conv2d):
            conv.register_forward_hook(count)
    for name in ("prepare", "analyse", "complete"):
        of_one_side(name, "decode")
    of_one_side("synthesise", "encode")
    model(x, t, hard=True)
    for side in macs:
        assert abs(macs[side] / 128**2 / 1000 - want[side]) < 1e-9
