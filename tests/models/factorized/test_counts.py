"""Parameters and multiplications are those of bmshj2018-factorized in CompressAI 1.2.8.

Counted there without the density network of the bottleneck, whose place tables and medians take; here without
gains, medians and the scales of tables by channel. Multiplications by torch's counter on both sides.
"""

from __future__ import annotations

import pytest

from nacre.models import family as families
from nacre.models.parts.unfilled import unfilled

PARTS = ("analysis.", "synthesis.", "hyper_analysis.", "hyper_synthesis.")


@pytest.mark.parametrize(
    ("values", "parameters", "encode", "decode"),
    [
        ({"width": 128, "latent": 192}, 2_986_435, 42.176, 42.176),
        ({}, 7_011_011, 93.696, 93.696),
    ],
)
def test_counts(values, parameters, encode, decode):
    family = families.find("factorized")
    with unfilled():
        network = family.build(family.configure(values))
    own = {name: p.numel() for name, p in network.named_parameters()}
    assert sum(size for name, size in own.items() if name.startswith(PARTS)) == parameters
    assert sum(own.values()) < 1.002 * parameters
    found = network.multiplications()
    assert found["encode"] == pytest.approx(encode) and found["decode"] == pytest.approx(decode)
