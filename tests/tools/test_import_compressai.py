"""Imported models against CompressAI itself: symbols, pixels, bytes. `make test-compressai` runs it."""

from __future__ import annotations

import os
import subprocess
import textwrap

import numpy as np
import pytest

from nacre import codec
from nacre.codec.encoder import Encoder
from nacre.models.zoo import load_model
from nacre.tools.cli import main
from nacre.tools.export.samples import sample
from tests.models.laws import as_tensor, photo

REAL = os.environ.get("NACRE_COMPRESSAI_PYTHON")
pytestmark = pytest.mark.skipif(REAL is None, reason="make test-compressai runs it")
WIDTH, HEIGHT = 384, 256
TIE = 1e-3  # quantisation steps

# New weights are made to give symbols of several steps: what they give untouched is nearly all zero.
THERE = """
    import sys
    import numpy as np, torch
    import compressai.zoo as zoo

    name, quality, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    torch.manual_seed(quality)
    net = zoo.image_models[name](quality=quality, metric="mse", pretrained=False).eval()
    x = torch.from_numpy(np.load(folder + "/x.npy"))
    bottleneck = net.entropy_bottleneck
    has_hyper = hasattr(net, "h_s")
    with torch.no_grad():
        deviation = net.g_a(x).std()
        net.g_a[6].weight *= 4 / deviation
        net.g_s[0].weight *= deviation / 4
        net.g_s[6].weight *= 8
        net.g_s[6].bias += 0.5
        for matrix in bottleneck.matrices:
            matrix += 0.2 * torch.randn_like(matrix)
        if has_hyper:
            y = net.g_a(x)
            z = net.h_a(y.abs() if name == "bmshj2018-hyperprior" else y)
            net.h_a[4].weight *= 3 / z.std()
            last = net.h_s[4]
            last.weight *= 20
            last.bias[: net.M] += 4
    bottleneck._update_quantiles()
    net.update(force=True)
    with torch.inference_mode():
        y = net.g_a(x)
        if has_hyper:
            z = net.h_a(y.abs() if name == "bmshj2018-hyperprior" else y)
            median = bottleneck.quantiles[:, 0, 1][:, None, None]
            z_hat = (z - median).round() + median
            params = net.h_s(z_hat)
            mean = params.chunk(2, 1)[1] if name == "mbt2018-mean" else torch.zeros_like(y)
            found = {"z": z - median, "y": y - mean}
        else:
            found = {"y": y - bottleneck.quantiles[:, 0, 1][:, None, None]}
        coded = net.compress(x)
        x_hat = net.decompress(coded["strings"], coded["shape"])["x_hat"]
    np.savez(
        folder + "/found.npz",
        x_hat=(x_hat[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy(),
        coded_bytes=sum(len(s) for (s,) in coded["strings"]),
        **{plane: v.numpy().ravel() for plane, v in found.items()},
    )
    torch.save({"state_dict": net.state_dict()}, folder + "/checkpoint.pth.tar")
"""


@pytest.mark.parametrize("quality", [1, 8])
@pytest.mark.parametrize("name", ["bmshj2018-factorized", "bmshj2018-hyperprior", "mbt2018-mean"])
def test_an_imported_model_codes_as_compressai_does(name, quality, tmp_path):
    image = photo(WIDTH, HEIGHT)
    np.save(tmp_path / "x.npy", as_tensor(image).numpy())
    command = [
        REAL,
        "-W",
        "ignore",
        "-c",
        textwrap.dedent(THERE),
        name,
        str(quality),
        str(tmp_path),
    ]
    subprocess.run(command, check=True)
    theirs = np.load(tmp_path / "found.npz")
    weights = tmp_path / "imported.safetensors"
    arguments = [f"compressai:{name}", str(tmp_path / "checkpoint.pth.tar"), "-o", str(weights)]
    assert main(["models", "import", *arguments, "--lambda", "0.01"]) == 0
    model = load_model(weights)
    ours = sample(model.network, model.integers, as_tensor(image), 50)
    for plane, of_plane in ours.items():
        exact, symbols = theirs[plane], of_plane.symbols
        differs = symbols != np.rint(exact)
        from_tie = np.abs(exact - np.floor(exact) - 0.5)
        print(
            f"{plane}: {np.abs(symbols).mean():.2f} is a mean symbol, {differs.sum()} of {differs.size} differ"
        )
        assert np.abs(symbols).mean() > 0.5
        assert (from_tie[differs] < TIE).all()
    encoder = Encoder(image, model=weights)
    encoder.is_adaptive = False  # new weights show photographs so badly that cells would cost less
    data = encoder.encode(50, effort=0)
    coded = codec.info(data).coded_bytes
    levels = np.abs(np.asarray(codec.decode(data, model=weights)).astype(int) - theirs["x_hat"])
    spread = theirs["x_hat"].std()
    print(f"{levels.max()} levels of {spread:.0f}; {coded} bytes for {theirs['coded_bytes']}")
    assert levels.max() <= 1 and spread > 5
    assert abs(coded / theirs["coded_bytes"] - 1) < 0.01
