"""Makes the frozen files of tests/vectors; the commit that runs it says why the format moved.

python tests/make_vectors.py [--weights]      # --weights: a new tiny model too
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
import warnings
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from nacre import codec
from nacre.codec import encoder, tiles
from nacre.codec.container import Head, Stream
from nacre.codec.pictures.colour import ImageWarning
from nacre.models.nacre import NacreConfig, NacreNetwork
from nacre.models.weights_file import write_weights
from nacre.tools.export.calibration import quantise_on
from nacre.tools.export.fitting import fit
from nacre.tools.export.samples import sample_all

HERE = Path(__file__).parent
FOLDER = HERE / "vectors"
PHOTO = HERE.parent / "tools" / "demo" / "beacon-street.png"
CONFIG = NacreConfig(
    width8=16, width16=24, latent=32, hyper=8, hyper_analysis_width=16, hyper_width=16, context=16,
    scale_width=8, blocks8=1, blocks16=1, knots=2,
)  # fmt: skip


def pictures() -> torch.Tensor:
    """(16, 3, 128, 128) pieces of the demo photograph, in [0, 1]."""
    whole = (
        torch.from_numpy(np.array(Image.open(PHOTO).convert("RGB"))).permute(2, 0, 1).float() / 255
    )
    return torch.stack(
        [whole[:, y : y + 128, x : x + 128] for y in range(0, 512, 128) for x in range(0, 512, 128)]
    )


def train(model: NacreNetwork, x: torch.Tensor, steps: int = 150) -> None:
    """Enough for the scales to follow the symbols."""
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(steps):
        t = torch.rand(len(x))
        lmbda = model.lmbda(t)
        coded = model(x, t)
        mse = (coded.x_hat - x).square().mean((1, 2, 3)) * 255**2
        loss = ((coded.bits / 128**2 + lmbda * mse) / (60 * lmbda).sqrt().clamp(min=0.3)).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()


def make_weights(path: Path) -> None:
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    model, x = NacreNetwork(CONFIG), pictures()
    model.start(x)
    train(model, x)
    model.load_state_dict({k: v.half().float() for k, v in model.state_dict().items()})
    model.eval().requires_grad_(False)
    singles = list(x.split(1))
    scales = quantise_on(model, singles)
    write_weights(path, "tiny", model, scales, fit(model, sample_all(model, scales, singles)))


def with_metadata(image: Image.Image) -> Image.Image:
    image = image.copy()
    exif = Image.Exif()
    exif[0x0112] = 6
    image.info.update(icc_profile=b"a profile", exif=exif.tobytes(), xmp=b"<x/>")
    return image


def transparent(image: Image.Image) -> Image.Image:
    image = image.copy()
    image.putalpha(image.convert("L").point(lambda v: 0 if v < 100 else v))
    return image


def mixed(image: Image.Image) -> Image.Image:
    """A photograph with text in it, and a field of noise: cells of all modes."""
    rng, image = np.random.default_rng(1), image.copy()
    ImageDraw.Draw(image).rectangle((0, 0, 63, 31), "yellow")
    for y in range(0, 32, 10):
        ImageDraw.Draw(image).text((2, y), "@#%& 0123 WMX", "blue", ImageFont.load_default(9))
    specks = rng.integers(0, 256, (32, 64, 3)).astype(np.uint8)
    image.paste(Image.fromarray(specks), (32, 64))
    return image


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    weights = FOLDER / "tiny.safetensors"
    if "--weights" in sys.argv[1:]:
        make_weights(weights)
    whole = Image.open(PHOTO).convert("RGB")
    colour = whole.crop((250, 180, 346, 244))
    cases = {  # picture, quality, log2 of the tile, smallest part in bytes
        "colour-q60": (colour, 60, 10, tiles.SMALLEST_PART_BYTES),
        "grey-q30-odd-sides": (whole.convert("L").crop((250, 180, 321, 233)), 30, 10, 3072),
        "one-pixel-q100": (whole.crop((300, 200, 301, 201)), 100, 10, 3072),
        "tiles-and-layers-q80": (whole.crop((240, 180, 340, 270)), 80, 6, 40),
        "sixteen-bits-q70": (np.asarray(colour.convert("L")).astype(np.uint16) * 250, 70, 10, 3072),
        "transparent-q40": (transparent(colour), 40, 10, 3072),
        "metadata-q10": (with_metadata(colour), 10, 10, 3072),
        "mixed-cells-q50": (mixed(whole.crop((200, 130, 330, 250))), 50, 6, 40),
        "lossless": (transparent(colour.crop((0, 0, 50, 40))), "lossless", 10, 3072),
        "lossless-sixteen-bits": (
            np.asarray(colour.crop((0, 0, 40, 33))).astype(np.uint16) * 250,
            "lossless",
            10,
            3072,
        ),
    }
    facts = {}
    for name, (image, quality, tile_log2, smallest) in cases.items():
        with (
            patch.object(encoder, "Head", functools.partial(Head, tile_log2=tile_log2)),
            patch.object(tiles, "SMALLEST_PART_BYTES", smallest),
        ):
            data = codec.encode(image, quality=quality, effort=0, model=weights)
        (FOLDER / f"{name}.ncr").write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ImageWarning)  # 16-bit colour in PNG
            decoded = codec.decode(data, model=weights)
        decoded.info.clear()
        decoded.save(FOLDER / f"{name}.png", optimize=True)
        checksum = Stream.from_bytes(data).end.checksum
        facts[name] = {
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "symbols": checksum,
        }
    (FOLDER / "facts.json").write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
