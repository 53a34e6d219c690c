"""Parameters and multiplications of the first published systems are those of CompressAI 1.2.8.

Counted there without the density network of the bottleneck, whose place tables and medians take; here without
gains, medians and the scales of tables by channel. Multiplications by torch's counter on both sides.
"""

from __future__ import annotations

import pytest

from nacre.models import family as families
from nacre.models.parts.unfilled import unfilled

PARTS = ("analysis.", "synthesis.", "hyper_analysis.", "hyper_synthesis.")
LOW = {"width": 128, "latent": 192, "hyper": 128}


@pytest.mark.parametrize(
    ("name", "values", "parameters", "encode", "decode"),
    [
        ("factorized", {"width": 128, "latent": 192}, 2_986_435, 42.176, 42.176),
        ("factorized", {}, 7_011_011, 93.696, 93.696),
        ("hyperprior", LOW, 5_068_035, 44.904, 43.54),
        ("hyperprior", {}, 11_804_611, 100.266, 96.981),
        ("mean-scale", LOW, 7_020_195, 48.928, 47.564),
        ("mean-scale", {}, 17_549_987, 111.906, 108.621),
    ],
)
def test_counts(name, values, parameters, encode, decode):
    family = families.find(name)
    with unfilled():
        network = family.build(family.configure(values))
    own = {key: p.numel() for key, p in network.named_parameters()}
    assert sum(size for key, size in own.items() if key.startswith(PARTS)) == parameters
    assert sum(own.values()) < 1.002 * parameters
    found = network.multiplications()
    assert found["encode"] == pytest.approx(encode) and found["decode"] == pytest.approx(decode)
