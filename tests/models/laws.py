"""The laws that every family keeps, for a tiny configuration with random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from nacre import codec
from nacre.codec import encoder, strips, tiles
from nacre.codec.areas import spans
from nacre.codec.container import Stream
from nacre.codec.run import Run
from nacre.codec.search import modes
from nacre.entropy.walk import walk
from nacre.models import family as families
from nacre.models.family import Network
from nacre.models.weights_file import write_weights
from nacre.tools.export.calibration import quantise_on
from nacre.tools.export.fitting import fit
from nacre.tools.export.samples import sample_all

PHOTO = Path(__file__).parents[2] / "tools" / "demo" / "beacon-street.png"


def photo(width: int, height: int) -> Image.Image:
    return Image.open(PHOTO).convert("RGB").crop((100, 100, 100 + width, 100 + height))


def as_tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255


def build(family: str, values: dict, seed: int = 0) -> Network:
    """A network with random weights, rounded as a file rounds them."""
    torch.manual_seed(seed)
    found = families.find(family)
    network = found.build(found.configure(values)).eval().requires_grad_(False)
    network.load_state_dict({k: v.half().float() for k, v in network.state_dict().items()})
    return network


def write_tiny(path: Path, family: str, values: dict) -> Path:
    """A weights file of a network with random weights, its tables fitted to a photograph."""
    network, seen = build(family, values), [as_tensor(photo(128, 128))]
    integers = quantise_on(network, seen)
    tables = fit(network, sample_all(network, integers, seen))
    write_weights(path, family, family, network, integers, tables)
    return path


def gradients_reach_every_parameter(network: Network, but: tuple[str, ...] = ()) -> None:
    """By the loss of training; `but` names parameters that start where nothing reaches them."""
    network.train().requires_grad_(True)
    coded = network(torch.rand(2, 3, 128, 128), torch.tensor([0.2, 0.9]))
    (coded.x_hat.square().mean() + coded.bits.mean() / 128**2).backward()
    without = [
        name
        for name, p in network.named_parameters()
        if (p.grad is None or not p.grad.abs().sum()) and not name.startswith(but or "\0")
    ]
    assert without == []


@torch.inference_mode()
def causality(network: Network, side: int = 12) -> None:
    """A symbol of a later turn changes no mean and no row of an earlier one or of its own.

    Symbols are random. Each turn in its turn gets other symbols, and all that was predicted up to it stays.
    What follows must change somewhere, or the contexts would see nothing.
    """
    shapes = network.shapes(side, side)
    rng = torch.Generator().manual_seed(1)
    symbols = {
        name: torch.randint(-3, 4, shape, generator=rng).float() for name, shape in shapes.items()
    }
    others = {
        name: torch.randint(-3, 4, shape, generator=rng).float() for name, shape in shapes.items()
    }

    def predicted(first_other: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        steps = walk(network.prior(shapes, torch.tensor([0.5])), torch.device("cpu"))
        step, found = next(steps), []
        while True:
            found.append((step.mean.clone(), step.rows.clone()))
            source = symbols if step.number < first_other else others
            try:
                step = steps.send(step.of(source))
            except StopIteration:
                return found

    turns = len(network.schedule)
    want = predicted(turns)
    for number in range(turns):
        found = predicted(number)
        for turn in range(number + 1):
            assert torch.equal(found[turn][0], want[turn][0]), f"mean of turn {turn} saw {number}"
            assert torch.equal(found[turn][1], want[turn][1]), f"rows of turn {turn} saw {number}"
        if number + 1 < turns:
            after = zip(found[number + 1], want[number + 1], strict=True)
            assert not all(torch.equal(ours, theirs) for ours, theirs in after)


def files(weights: Path, monkeypatch) -> None:
    """A file of several tiles and layers is read back: whole, in part, as latents; and searched."""
    # Random weights show photographs so badly that these would be stored.
    monkeypatch.setattr(modes, "WORST_ERROR", float("inf"))
    head = encoder.Head
    monkeypatch.setattr(encoder, "Head", lambda *a, **k: head(*a, **k, tile_log2=6))
    monkeypatch.setattr(tiles, "SMALLEST_PART_BYTES", 0)
    image = photo(150, 117)  # two rows of three tiles
    data = codec.encode(image, quality=50, model=weights, effort=0)
    stream = Stream.from_bytes(data)
    assert {part.tile for part in stream.latents} == set(range(6))
    coded: list[dict[str, torch.Tensor]] = []
    with monkeypatch.context() as patch:
        crc = tiles.symbol_checksum
        patch.setattr(tiles, "symbol_checksum", lambda s, order: coded.append(s) or crc(s, order))
        whole = np.asarray(codec.decode(data, model=weights))
    assert whole.shape == (117, 150, 3)
    for name in coded[0]:
        rows = [torch.cat([tile[name] for tile in coded[k : k + 3]], 3) for k in (0, 3)]
        symbols = codec.latents(data, planes=[name], only_symbols=True, model=weights)[name]
        assert torch.equal(symbols, torch.cat(rows, 2)[0])
        assert codec.latents(data, planes=[name], model=weights)[name].shape == symbols.shape
    part = codec.decode(data, model=weights, region=codec.Region(60, 40, 40, 50))
    assert np.abs(np.asarray(part).astype(int) - whole[40:90, 60:100]).max() <= 1
    searched = codec.encode(image.crop((0, 0, 70, 60)), quality=50, model=weights, effort=2)
    assert codec.decode(searched, model=weights).size == (70, 60)


@torch.inference_mode()
def no_seams(weights: Path, monkeypatch) -> None:
    """Analysis and synthesis in four blocks give what they give at once: the halo is wide enough.

    The picture reaches beyond the halo on both sides of a seam.
    """
    run = Run.to_encode({"model": weights})
    reach, t = run.network.reach, torch.tensor([0.7])
    count = 2 * reach.halo + 6 + reach.align
    side = count * reach.stride
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)

    def analysed() -> dict[str, torch.Tensor]:
        return strips.join(list(strips.BlockAnalysis(run, pixels).bands(t, side)), 2)

    def synthesised(planes: dict[str, torch.Tensor]) -> np.ndarray:
        size = strips.size_of(planes)
        return np.concatenate([p.copy() for p in strips.synthesise(run, [planes], size, t, 3)])

    whole = analysed()
    prior = run.network.prior(run.network.shapes(count, count), t)
    shown = prior.shown(run.network.complete(whole, t))
    decoded = synthesised(shown)
    halves = spans(count, count // 2 + 1, reach.halo, reach.align)
    assert len(halves) == 2
    monkeypatch.setattr(strips, "blocks", lambda *_: (halves, halves))
    for name, plane in analysed().items():
        assert (plane - whole[name]).abs().max() < 1e-4 * whole[name].abs().max()
    assert np.abs(synthesised(shown).astype(int) - decoded).max() <= 1
