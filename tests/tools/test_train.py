"""Training learns, resumes as if nothing had happened, survives being killed, and is shared by processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nacre import codec
from nacre.entropy.errors import WeightsError
from nacre.models.nacre import NacreNetwork
from nacre.models.zoo import load_model
from nacre.tools.cli import main
from nacre.tools.train.checkpoint import FILE, Checkpoint, network_state
from nacre.tools.train.recipe import read_recipe
from nacre.tools.train.trainer import Options, Place, Trainer, relative_loss

RECIPE = """
[data]
pictures = ["pictures"]
held_out = ["pictures"]
synthetic_share = {synthetic}
synthetic_pictures = 3

[model]
width8 = 16
width16 = 24
latent = 32
hyper = 8
hyper_analysis_width = 16
hyper_width = 16
context = 16
scale_width = 8
blocks8 = 1
blocks16 = 1
knots = 2

[steps]
batch = 4
crop = 64
learning_rate = 1e-3
warmup_steps = 5
ema = {ema}

[routine]
checkpoint_minutes = {checkpoint}
log_steps = 10
"""


@pytest.fixture
def place(tmp_path, monkeypatch, photo) -> Path:
    """A folder with pictures and a recipe, the current one."""
    monkeypatch.chdir(tmp_path)
    Path("pictures").mkdir()
    for i in range(2):
        photo.resize((300, 280)).rotate(90 * i).save(f"pictures/{i}.png")
    write_recipe()
    return tmp_path


def write_recipe(synthetic=0.1, ema=0.9, checkpoint=5.0) -> None:
    Path("tiny.toml").write_text(RECIPE.format(synthetic=synthetic, ema=ema, checkpoint=checkpoint))


def train(folder: str, *options: str) -> Checkpoint:
    assert main(["train", "tiny.toml", "-o", folder, "--precision", "float32", *options]) == 0
    return Checkpoint.load(Path(folder) / FILE)


def test_a_batch_spans_the_qualities_and_most_are_low(place, monkeypatch):
    """Drawn as u squared: half of them under a quarter, one in each part of u."""
    seen, forward = [], NacreNetwork.forward
    monkeypatch.setattr(
        NacreNetwork,
        "forward",
        lambda self, x, t, **options: seen.append(t) or forward(self, x, t, **options),
    )
    train("run", "--steps", "5")
    batches = [t for t in seen if len(t) == 4]
    assert len(batches) == 5
    for t in batches:
        assert (t.sqrt() * 4).floor().tolist() == [0, 1, 2, 3]


def test_a_per_cent_counts_alike_in_busy_and_smooth_crops():
    cost = torch.tensor([20.0, 2.0, 0.01], requires_grad=True)
    relative_loss(cost).sum().backward()
    busy, smooth, empty = (cost.grad * cost).tolist()  # what a per cent of each is worth
    assert 0.9 * busy < smooth < busy
    assert empty < 0.1 * smooth


def test_the_loss_falls(place):
    write_recipe(synthetic=0.0)
    history = train("run", "--steps", "60").history
    assert history[-1]["loss"] < 0.92 * history[0]["loss"]
    assert Path("run/log.csv").read_text().startswith("step,seconds,loss")


def test_a_resumed_run_equals_an_uninterrupted_one(place):
    whole = train("whole", "--steps", "12")
    train("parts", "--steps", "5")
    parts = train("parts", "--steps", "7")
    assert parts.step == whole.step == 12
    for key, value in whole.model.items():
        assert torch.equal(value, parts.model[key]), key
    assert all(torch.equal(whole.ema[key], parts.ema[key]) for key in whole.ema)


def test_a_fall_ends_the_run_wherever_it_was_split(place):
    train("run", "--steps", "6")
    found = train("run", "--fall", "8", "--steps", "3")
    assert found.fall == {"start": 6, "steps": 8}
    found = train("run")
    assert found.step == 14
    assert found.optimiser["param_groups"][0]["lr"] < 1e-4
    assert train("run", "--fall", "2").step == 16  # and again from there


def test_a_time_limit_ends_cleanly(place):
    start = time.monotonic()
    assert train("run", "--time-limit", "1s").step > 0
    assert time.monotonic() - start < 30


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_keeps_its_checkpoint(place, kind):
    write_recipe(checkpoint=0.0)
    command = [sys.executable, "-m", "nacre", "train", "tiny.toml", "-o", "run"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while not Path("run/log.csv").exists() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(kind)
        process.wait(60)
    found = Checkpoint.load(Path("run") / FILE)
    assert found.step >= 9  # the log's first line is of step 10, a checkpoint comes every step
    assert not list(Path("run").glob("*.png"))
    assert train("run", "--steps", "1").step == found.step + 1


def test_a_step_that_is_not_finite_changes_nothing(place, monkeypatch):
    from nacre.tools.train import trainer

    before = train("run", "--steps", "3")
    honest = trainer.weighted_loss
    monkeypatch.setattr(trainer, "weighted_loss", lambda *a: honest(*a) * float("nan"))
    after = train("run", "--steps", "2")
    assert all(torch.equal(before.model[key], after.model[key]) for key in before.model)


def test_export_makes_a_model_that_codes(place, photo, capsys):
    train("run", "--steps", "60")
    assert (
        main(["export", "run", "-o", "mine.safetensors", "--name", "mine", "--pictures", "2"]) == 0
    )
    assert "integer scale network" in capsys.readouterr().out
    card = json.loads(Path("mine.json").read_text())
    assert card["training"]["steps"] == 60
    data = codec.encode(photo, model="mine.safetensors", quality=90)
    assert load_model("mine.safetensors").name == "mine"
    back = np.asarray(codec.decode(data, model="mine.safetensors")).astype(float)
    assert np.abs(back - np.asarray(photo)).mean() < 20
    assert main(["export", "run", "-o", "mine.safetensors"]) == 1  # exists


def test_export_averages_the_run_with_other_weights(place):
    one, other = train("one", "--steps", "3"), train("other", "--steps", "9")
    export = ["export", "one", "-o", "mine.safetensors", "--pictures", "1", "--force"]
    average = ["--average", "other/checkpoint.pt=0.25"]
    assert main([*export, *average]) == 0
    found = network_state(Path("mine.safetensors"))
    for key, value in found.items():
        expected = 0.75 * one.ema[key] + 0.25 * other.ema[key]
        assert torch.allclose(value, expected, rtol=2e-3, atol=1e-6)  # float16
    assert json.loads(Path("mine.json").read_text())["training"]["averaged_with"] == [
        ["checkpoint.pt", 0.25]
    ]
    assert main([*export, *average, "--average", "one/checkpoint.pt=0.8"]) == 2  # over 1


def test_other_weights_can_be_started_from(place):
    train("run", "--steps", "4")
    assert main(["export", "run", "-o", "mine.safetensors", "--pictures", "1"]) == 0
    for start in ("run/checkpoint.pt", "mine.safetensors"):
        found = train(f"from-{start[:4]}", "--init", start, "--steps", "1")
        assert found.start == f"weights of {Path(start).name}"
    Path("tiny.toml").write_text(
        Path("tiny.toml").read_text().replace("latent = 32", "latent = 48")
    )
    assert main(["train", "tiny.toml", "-o", "other", "--init", "mine.safetensors"]) == 1


def test_two_processes_learn_what_one_does(place):
    write_recipe(synthetic=0.0, ema=0.0)
    one = train("one", "--steps", "30")
    command = [
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "nacre",
    ]
    options = ["train", "tiny.toml", "-o", "two", "--steps", "30", "--precision", "float32"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, *command, *options], check=True, env=environment, timeout=120)
    two = Checkpoint.load(Path("two") / FILE)
    assert torch.equal(one.crops_rng, two.crops_rng)  # the same crops were drawn
    start, ends = one.history[0], [run.history[-1]["loss"] for run in (one, two)]
    assert ends[0] < start["loss"]
    assert abs(ends[0] - ends[1]) < 0.03 * ends[0]  # the noise of the rate is each process's own


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("batch = 4", "batch = 0"), "tiny.toml: steps.batch is 0"),
        (('pictures = ["pictures"]', 'pictures = ["gone"]'), "no folder or shard gone"),
    ],
)
def test_a_wrong_recipe_is_a_wrong_command(place, capsys, change, said):
    Path("tiny.toml").write_text(Path("tiny.toml").read_text().replace(*change))
    assert main(["train", "tiny.toml", "-o", "run", "--steps", "1"]) == 2
    assert said in capsys.readouterr().err


def test_what_is_no_checkpoint_is_refused(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"nothing")
    with pytest.raises(WeightsError):
        Checkpoint.load(tmp_path / "a.pt")


def test_a_picture_to_train_on_may_be_any(place):
    Image.new("L", (200, 200), 90).save("pictures/grey.png")
    Path("pictures/bad.png").write_bytes(b"no")
    assert train("run", "--steps", "2").step == 2


def noise_of(monkeypatch, rank: int, folder: str, steps: int) -> list[float]:
    """Train as one of two processes, without the other; a number of the noise of each step."""
    found, forward = [], NacreNetwork.forward

    def spied(self, x, t, hard=False):
        if not hard:
            state = torch.get_rng_state()
            found.append(float(torch.rand(1)))
            torch.set_rng_state(state)
        return forward(self, x, t, hard)

    with monkeypatch.context() as patch:
        patch.setattr(NacreNetwork, "forward", spied)
        patch.setattr(torch.nn.parallel, "DistributedDataParallel", lambda model: model)
        patch.setattr(torch.distributed, "broadcast", lambda *_: None)
        options = Options(Path(folder), step_limit=steps, say=lambda _: None)
        Trainer(read_recipe(Path("tiny.toml")), options, Place(torch.device("cpu"), rank, 2)).run()
    return found


def test_after_a_resume_every_process_has_the_noise_that_it_would_have_had(place, monkeypatch):
    whole = {rank: noise_of(monkeypatch, rank, f"whole{rank}", 4) for rank in (0, 1)}
    assert len({*whole[0], *whole[1]}) == 8  # each process and each step has its own
    first = noise_of(monkeypatch, 0, "run", 2)
    shutil.copytree("run", "other")
    assert first + noise_of(monkeypatch, 0, "run", 2) == whole[0]
    assert noise_of(monkeypatch, 1, "other", 2) == whole[1][2:]


def test_a_checkpoint_that_holds_the_state_of_a_generator_is_resumed(place):
    """As all did that were written before noise was derived from the step."""
    train("run", "--steps", "2")
    path = Path("run") / FILE
    stored = torch.load(path, weights_only=True)
    torch.save({**stored, "torch_rng": torch.get_rng_state()}, path)
    assert train("run", "--steps", "1").step == 3
