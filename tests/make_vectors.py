"""Makes the frozen files of tests/vectors; the commit that runs it says why the format moved.

python tests/make_vectors.py
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from nacre import codec
from nacre.models.config import ImageConfig
from nacre.models.image import ImageModel
from nacre.models.transforms import start_linear
from nacre.models.weights_file import write_weights
from nacre.tools.train import export

HERE = Path(__file__).parent
FOLDER = HERE / "vectors"
PHOTO = HERE.parent / "tools" / "demo" / "beacon-street.png"
CONFIG = ImageConfig(
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


def train(model: ImageModel, x: torch.Tensor, steps: int = 150) -> None:
    """Enough for the scales to follow the symbols."""
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(steps):
        t = torch.rand(len(x))
        lmbda = torch.tensor([model.config.lmbda(float(v)) for v in t])
        coded = model(x, t)
        mse = (coded.x_hat - x).square().mean((1, 2, 3)) * 255**2
        loss = ((coded.bits / 128**2 + lmbda * mse) / (60 * lmbda).sqrt().clamp(min=0.3)).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()


def main() -> None:
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    model, x = ImageModel(CONFIG), pictures()
    start_linear(model.analysis, model.synthesis, x)
    train(model, x)
    model.load_state_dict({k: v.half().float() for k, v in model.state_dict().items()})
    model.eval().requires_grad_(False)
    singles = list(x.split(1))
    scales = export.quantise_on(model, singles)
    samples = [
        export.sample(model, scales, one, t) for one in singles for t in export.CALIBRATION_T
    ]
    FOLDER.mkdir(exist_ok=True)
    weights = FOLDER / "tiny.safetensors"
    write_weights(weights, "tiny", model, scales, export.fit(model, samples))
    whole = Image.open(PHOTO).convert("RGB")
    cases = {
        "colour-q60": (whole.crop((250, 180, 346, 244)), 60),
        "grey-q30-odd-sides": (whole.convert("L").crop((250, 180, 321, 233)), 30),
        "one-pixel-q100": (whole.crop((300, 200, 301, 201)), 100),
    }
    facts = {}
    for name, (image, quality) in cases.items():
        data = codec.encode(image, quality=quality, model=weights)
        (FOLDER / f"{name}.ncr").write_bytes(data)
        decoded = codec.decode(data, model=weights)
        decoded.save(FOLDER / f"{name}.png", optimize=True)
        facts[name] = {"bytes": len(data), "crc32": zlib.crc32(data)}
    (FOLDER / "facts.json").write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
