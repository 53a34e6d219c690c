"""Distances of features are what they say; a student learns, resumes, and reads the latents of real files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nacre import codec
from nacre.entropy.errors import UsageError, WeightsError
from nacre.models.family import level
from nacre.models.parts.rate import Coded
from nacre.models.zoo import load_model
from nacre.tools.cli import main
from nacre.tools.tasks import ClassifierConfig, Fitting, TaskCheckpoint, TaskClassifier, fit
from nacre.tools.tasks.labelled import read_folder
from nacre.tools.train.checkpoint import FILE, Checkpoint
from nacre.tools.train.objective import (
    FeatureObjective,
    PixelObjective,
    cosine_distance,
    objective_of,
    relative_error,
    tail_of,
)
from nacre.tools.train.recipe import ObjectiveChoice, read_recipe

TEACHER = '[objective]\nteacher = "teacher.safetensors"\n'


@pytest.fixture(scope="module")
def teacher(coloured, tmp_path_factory):
    """A classifier of the coloured discs, in a file."""
    train = read_folder(coloured / "train")
    torch.manual_seed(0)
    network = TaskClassifier(ClassifierConfig(3, patch=8, width=8, blocks=1))
    how = Fitting(epochs=6, batch=12, learning_rate=4e-3)
    fit(network, train.pixels(64), torch.tensor(train.labels), how)
    path = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    TaskCheckpoint(network, train.classes, 64).save(path)
    return path


@pytest.fixture
def train(place, teacher):
    """Trains with a section [objective] for some steps; gives the checkpoint of the run."""
    recipe = Path("tiny.toml").read_text().replace('held_out = ["pictures/0.png"]', "")
    Path("teacher.safetensors").write_bytes(teacher.read_bytes())

    def run(section: str, folder: str, steps: int, *options: str) -> Checkpoint:
        Path("own.toml").write_text(recipe + section)
        where = ["-o", folder, "--precision", "float32", "--steps", str(steps), *options]
        assert main(["train", "own.toml", *where]) == 0
        return Checkpoint.load(Path(folder) / FILE)

    return run


def equal(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def distance_of(a: Checkpoint, b: Checkpoint) -> float:
    """Mean over all weights; sums in another order may differ in the last bits."""
    pairs = zip(a.model.values(), b.model.values(), strict=True)
    return float(torch.cat([(x - y).abs().flatten() for x, y in pairs]).mean())


def test_distances_are_their_definitions():
    a, b = torch.randn(2, 3, 4, 5, 5).double()
    for k in range(3):
        u, v = a[k].mean((1, 2)), b[k].mean((1, 2))
        cosine = (u * v).sum() / (u.norm() * v.norm())
        torch.testing.assert_close(cosine_distance(a, b)[k], 1 - cosine)
        error = ((a[k] - b[k]) ** 2).sum() / a[k].numel() / b.var()
        torch.testing.assert_close(relative_error(a, b)[k], error)
    assert relative_error(7 * a, 7 * b) == pytest.approx(relative_error(a, b))
    assert cosine_distance(3 * a, a) == pytest.approx(torch.zeros(3), abs=1e-6)


@pytest.mark.parametrize("distance", ["cosine", "mse"])
def test_features_are_added_to_the_error_of_pixels(teacher, tiny_model, distance):
    task = TaskCheckpoint.load(teacher)
    choice = ObjectiveChoice(features="f", feature_weight=50.0, distance=distance)
    x = torch.rand(2, 3, 64, 64)
    t = torch.cat([level(20), level(80)])
    coded = tiny_model.network(x, t)
    coded.x_hat.requires_grad_()
    mse = torch.tensor([1.0, 2.0])
    objective = FeatureObjective(task, choice)
    found = objective(tiny_model.network, coded, x, t, mse)
    u, v = (task.network.features(p)[-1] for p in (coded.x_hat, x))
    wanted = cosine_distance(u, v) if distance == "cosine" else relative_error(u, v)
    torch.testing.assert_close(found, mse + 50 * wanted)
    found.sum().backward()
    assert float(coded.x_hat.grad.abs().sum()) > 0
    assert all(p.grad is None for p in task.network.parameters())
    assert objective.trained is None
    assert torch.equal(PixelObjective()(tiny_model.network, coded, x, t, mse), mse)


def test_a_weight_of_zero_changes_nothing(train):
    plain = train("", "plain", 3)
    none = train('[objective]\nfeatures = "teacher.safetensors"\nfeature_weight = 0.0\n', "none", 3)
    some = train('[objective]\nfeatures = "teacher.safetensors"\n', "some", 3)
    assert distance_of(plain, none) < 0.1 * distance_of(plain, some)


def test_a_tail_has_the_positions_of_the_teacher(teacher, tiny_model):
    network = TaskCheckpoint.load(teacher).network
    x = torch.rand(1, 3, 64, 64)
    plane = tiny_model.network.planes["y"]
    tail = tail_of(network, tiny_model.network)
    latent = torch.randn(1, plane.channels, 64 // plane.stride, 64 // plane.stride)
    shapes = [[f.shape for f in n.features(of)] for n, of in ((tail, latent), (network, x))]
    assert shapes[0] == shapes[1]
    assert equal(tail.stages[1].state_dict(), network.stages[1].state_dict())


def test_a_student_matches_features_then_is_distilled_and_reads_files(train, photo, coloured, tiny):
    first = train(TEACHER, "one", 20)
    start = train(TEACHER, "start", 1)
    teacher = TaskCheckpoint.load("teacher.safetensors").network
    behind = {f"stages.1.{k}": v for k, v in teacher.stages[1].state_dict().items()}
    assert all(torch.equal(first.objective[key], value) for key, value in behind.items())
    assert not equal(first.objective, start.objective) and not equal(first.model, start.model)
    export = ["export", "one", "-o", "student-codec.safetensors", "--name", "s", "--pictures", "2"]
    assert main(export) == 0

    labels = coloured / "train"
    distil = f'{TEACHER}distil = true\nlabels = "{labels.as_posix()}"\n'
    second = train(distil, "two", 2, "--init", f"one/{FILE}")
    assert equal(second.model, first.ema) and equal(second.ema, first.ema)
    changed = [
        key
        for key in second.objective
        if not torch.equal(second.objective[key], first.objective_ema[key])
    ]
    assert any(key.startswith("stages.1.") for key in changed)
    assert any(key.startswith("enter.") for key in changed)

    image = photo.crop((0, 0, 64, 64))
    data = codec.encode(image, quality=70, model="student-codec.safetensors", strip=True)
    model = load_model("student-codec.safetensors")
    student = TaskCheckpoint.load("two/student.safetensors")
    assert (student.reads, student.plane) == ("latents", "y")
    steps = model.network.step_sizes(level(70))["y"][0, :, None, None]
    latent = codec.latents(data, model="student-codec.safetensors")["y"] * steps
    own = model.network.eval()
    x = TaskCheckpoint(teacher, student.classes, 64).pixels(image)[None]
    with torch.no_grad():
        known = own(x, level(70), hard=True).known["y"] * steps
    torch.testing.assert_close(
        student.network(latent[None]), student.network(known), rtol=0.05, atol=0.05
    )
    with pytest.raises(UsageError, match="reads latents"):
        student.recognise(image)


def test_a_resumed_student_equals_an_uninterrupted_one(train):
    whole = train(TEACHER, "whole", 4)
    train(TEACHER, "parts", 2)
    parts = train(TEACHER, "parts", 2)
    assert equal(whole.model, parts.model)
    assert equal(whole.objective, parts.objective) and equal(
        whole.objective_ema, parts.objective_ema
    )


def test_recipes_that_make_no_sense_are_refused(tmp_path, monkeypatch, tiny, tiny_model):
    monkeypatch.chdir(tmp_path)
    for section, match in (
        ('features = "a"\nteacher = "b"', "one of them"),
        ('teacher = "b"\ndistil = true', "wants teacher and labels"),
    ):
        Path("bad.toml").write_text(f'[data]\npictures = ["p"]\n[objective]\n{section}\n')
        with pytest.raises(UsageError, match=match):
            read_recipe(Path("bad.toml"))
    with pytest.raises(WeightsError, match="no task checkpoint"):
        objective_of(ObjectiveChoice(teacher=str(tiny)), tiny_model.network)


def test_structural_similarity_takes_the_place_of_a_share_of_the_error():
    drawn = torch.Generator().manual_seed(0)
    x = torch.rand(2, 3, 192, 192, generator=drawn)
    x_hat = (x + 0.1 * torch.randn(x.shape, generator=drawn)).requires_grad_()
    coded = Coded(x_hat, {})
    mse = (x_hat - x).square().mean((1, 2, 3)) * 255**2
    t = torch.zeros(2)
    half, whole = (
        objective_of(ObjectiveChoice(ms_ssim_share=share), None)(None, coded, x, t, mse)
        for share in (0.5, 1.0)
    )
    torch.testing.assert_close(half, (mse + whole) / 2)
    again = objective_of(ObjectiveChoice(ms_ssim_share=1.0), None)
    exact = again(None, Coded(x, {}), x, t, torch.zeros(2))
    torch.testing.assert_close(exact, torch.zeros(2), rtol=0, atol=1e-3)
    half.sum().backward()
    assert x_hat.grad.isfinite().all() and x_hat.grad.abs().sum() > 0


def test_structural_similarity_wants_large_crops(place):
    Path("own.toml").write_text(
        Path("tiny.toml").read_text() + "[objective]\nms_ssim_share = 0.5\n"
    )
    with pytest.raises(UsageError, match=r"own\.toml: ms_ssim_share wants crops of 192"):
        read_recipe(Path("own.toml"))
