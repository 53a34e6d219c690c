import numpy as np
import pytest
import torch
from PIL import Image

from nacre import codec
from nacre.codec import encoder, strips, tiles
from nacre.codec.areas import Area
from nacre.codec.container import Limits
from nacre.codec.encoder import Encoder
from nacre.codec.run import Run
from nacre.codec.search import progress, refine, target
from nacre.codec.search.anneal import anneal
from nacre.codec.search.progress import Budget, Progress
from nacre.codec.search.refine import Effort
from nacre.entropy.errors import LimitError, UsageError
from nacre.models.family import level
from nacre.models.zoo import load_model

QUALITY = 40


@pytest.fixture(scope="module")
def run():
    return Run.to_encode({})


def all_planes(run, pixels, t):
    """Of a picture that is one tile."""
    (analysed,) = strips.BlockAnalysis(run, pixels).bands(t, 100)
    return tiles.complete(run, analysed, t)


def cost(image: Image.Image, data: bytes, quality: int = QUALITY) -> float:
    """Bits and lambda times squared error of a file, a pixel."""
    pixels = np.asarray(image, float)
    error = np.mean((pixels - np.asarray(codec.decode(data), float)) ** 2)
    price = float(load_model().network.lmbda(level(quality)))
    return 8 * len(data) / (image.width * image.height) + price * error


def test_cost_falls_from_effort_to_effort(photo):
    """By how much depends on the weights: tools/studies/efforts.py measures it."""
    costs = [cost(photo, codec.encode(photo, quality=QUALITY, effort=e)) for e in (0, 1, 2, 5)]
    assert max(costs[1:]) < costs[0]
    assert costs[3] < costs[1]


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("quality", [1, 100])
def test_cost_is_never_higher_than_without(photo, mode, quality):
    image = photo.convert(mode).resize((61, 45))
    plain, refined = (codec.encode(image, quality=quality, effort=e) for e in (0, 1))
    assert cost(image, refined, quality) <= cost(image, plain, quality) * 1.0001


def test_a_move_that_makes_it_worse_is_not_kept(photo, monkeypatch):
    monkeypatch.setattr(refine.Descent, "choose", lambda self, step: torch.ones_like(step.mean))
    plain, refined = (codec.encode(photo, quality=QUALITY, effort=e) for e in (0, 1))
    assert refined == plain


def test_the_same_picture_gives_the_same_file(photo, monkeypatch):
    monkeypatch.setitem(refine.EFFORTS, 4, Effort(3, 1))
    first, second = (codec.encode(photo, effort=4) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("depth", [8, 16])
def test_the_cost_of_a_tile_is_that_of_the_file(photo, run, depth):
    """What the search believes is what the decoder shows: no other way of padding, rounding or scaling."""
    pixels = np.asarray(photo)[:83, :77]
    if depth == 16:
        pixels = pixels.astype(np.uint16) * 257
    data = Encoder(pixels).encode(QUALITY)
    t = run.level(QUALITY)
    with torch.no_grad():
        tile = tiles.encode_tile(run, all_planes(run, pixels, t), QUALITY)
        found = Encoder(pixels)._target(Area(0, 6, 0, 5), t, 1.0).cost(tile) - tile.bits
    shown = codec.Opened(data).picture().pixels.astype(float)
    error = np.square((shown - pixels) * 255 / strips.PEAKS[depth]).sum()
    assert found == pytest.approx(error * float(run.network.lmbda(t)) / 3, rel=1e-3)


def test_a_gradient_in_windows_is_that_of_the_whole(photo, run, monkeypatch):
    image = np.asarray(photo.resize((400, 300)))
    t = run.level(QUALITY)
    with torch.no_grad():
        shown = tiles.encode_tile(run, all_planes(run, image, t), QUALITY).decoded.shown
        goal, moved = Encoder(image)._target(Area(0, 19, 0, 25), t, 1.0), frozenset({"y"})
        whole = goal.gradient(shown, moved)["y"]
        monkeypatch.setattr(target, "WINDOW_PIXELS", 8 * 16)
        assert torch.allclose(goal.gradient(shown, moved)["y"], whole, atol=1e-3)


def test_annealing_in_windows_leaves_no_position_out(photo, run, monkeypatch):
    monkeypatch.setattr(target, "WINDOW_PIXELS", 4 * 16)
    t = run.level(QUALITY)
    with torch.no_grad():
        planes = all_planes(run, np.asarray(photo), t)
        goal = Encoder(photo)._target(Area(0, 6, 0, 7), t, 1.0)
        moved = anneal(goal, planes, 2, Progress(Budget()))
    assert moved.keys() == planes.keys() == {"y", "z"}
    assert all((moved[name] != plane).any(1).all() for name, plane in planes.items())


def test_a_search_that_is_stopped_gives_a_valid_file(photo):
    told = []

    def goes_on(share: float) -> bool:
        told.append(share)
        return len(told) < 5

    data = codec.encode(photo, quality=QUALITY, effort=9, goes_on=goes_on)
    assert len(told) <= 6 and told == sorted(told) and told[0] >= 0 and told[-1] <= 1
    assert cost(photo, data) <= cost(photo, codec.encode(photo, quality=QUALITY, effort=0))


def test_time_ends_a_search():
    times = iter([0.0, 1.0, 5.0, 11.0, 12.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress.time, "perf_counter", lambda: next(times))
        part = Progress(Budget(seconds=10)).section(0.5, 1.0)
        assert part.at(0.0) == 0.0
        assert part.at(0.5) == 0.5
        assert part.at(0.6) == 1.0
        assert part.at(0.6) == 1.0 and part.budget.is_over


def test_a_budget_that_is_spent_at_once_is_effort_0(photo):
    data = codec.encode(photo, quality=QUALITY, time_budget=0)
    assert data == codec.encode(photo, quality=QUALITY, effort=0)


@pytest.mark.parametrize("effort", [-1, 10, True, 1.0, "3"])
def test_an_effort_that_is_none_is_refused(photo, effort):
    with pytest.raises(UsageError, match="from 0 to 9"):
        codec.encode(photo, effort=effort)


def test_a_region_of_interest_is_shown_better_than_the_rest(photo):
    roi = np.full((photo.height, photo.width), 0.1, np.float32)
    roi[:, :48] = 1
    plain, data = (
        codec.encode(photo, quality=QUALITY, effort=3, roi=r) for r in (np.ones_like(roi), roi)
    )
    pixels = np.asarray(photo, float)

    def errors(data: bytes) -> np.ndarray:
        """In the region, and away from it."""
        error = (pixels - np.asarray(codec.decode(data), float)) ** 2
        return np.array([error[:, :48].mean(), error[:, 64:].mean()])

    assert len(data) < len(plain)
    inside, outside = errors(data) / errors(plain)
    assert outside > max(inside, 1)


@pytest.mark.parametrize(
    "roi",
    [np.ones((3, 4)), np.zeros((96, 112)), np.full((96, 112), -1.0), np.full((96, 112), np.nan)],
)
def test_a_region_of_interest_that_is_none_is_refused(photo, roi):
    with pytest.raises(UsageError, match="roi"):
        codec.encode(photo, roi=roi, effort=1)


def test_a_region_of_interest_needs_a_search(photo):
    with pytest.raises(UsageError, match="effort of 1"):
        codec.encode(photo, roi=np.ones((96, 112)), effort=0)


def test_bytes_are_no_weights(photo):
    with pytest.raises(UsageError, match="weights as floats"):
        codec.encode(photo, roi=np.full((96, 112), 255, np.uint8))


def test_memory_of_a_search_counts_towards_the_limit(photo):
    limits = Limits(memory_bytes=8 << 20)
    codec.encode(photo, effort=0, limits=limits)
    with pytest.raises(LimitError, match="the limit is 8"):
        codec.encode(photo, effort=1, limits=limits)


def test_a_caller_in_inference_mode_is_served(photo):
    with torch.inference_mode():
        data = codec.encode(photo, quality=QUALITY)
    assert data == codec.encode(photo, quality=QUALITY)


def test_tiles_are_refined_one_by_one(photo, monkeypatch):
    head = encoder.Head
    monkeypatch.setattr(encoder, "Head", lambda *a, **k: head(*a, **k, tile_log2=6))
    costs = [cost(photo, codec.encode(photo, quality=QUALITY, effort=e)) for e in (0, 1)]
    assert codec.info(codec.encode(photo, effort=1)).tiles == 4
    assert costs[1] < costs[0]
