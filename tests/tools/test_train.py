"""Training learns, resumes as if nothing had happened, survives being killed, and is shared by processes."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import runpy
import shutil
import signal
import socket
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from nacre.entropy.errors import WeightsError
from nacre.models.nacre import NacreNetwork
from nacre.tools.cli import main
from nacre.tools.train import trainer
from nacre.tools.train.checkpoint import FILE, Checkpoint
from nacre.tools.train.recipe import read_recipe
from nacre.tools.train.trainer import Options, Place, Trainer


def change_recipe(*changes: tuple[str, str]) -> None:
    recipe = Path("tiny.toml").read_text()
    for before, after in changes:
        assert before in recipe
        recipe = recipe.replace(before, after)
    Path("tiny.toml").write_text(recipe)


UNMEASURED = ('held_out = ["pictures/0.png"]', "")  # saves the evaluations
WITH_RENDERED = ("synthetic_share = 0.0", "synthetic_share = 0.1")


def train(folder: str, *options: str) -> Checkpoint:
    assert main(["train", "tiny.toml", "-o", folder, "--precision", "float32", *options]) == 0
    return Checkpoint.load(Path(folder) / FILE)


@pytest.fixture
def command():
    """Starts `nacre` in a process of its own that need not import torch again."""
    context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
    if os.name == "posix":
        context.set_forkserver_preload(["torch._dynamo", "nacre.tools.train.trainer"])
    started = []

    def start(arguments: list[str], **environment: str):
        worker = Path(__file__).with_name("command_process.py")
        values = {"arguments": arguments, "environment": environment}
        process = context.Process(target=runpy.run_path, args=(str(worker), values))
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def together(command):
    """Trains in two processes that find each other as those of torchrun do; once for each number of steps."""

    def run(folder: str, *steps: str) -> None:
        for count in steps:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = str(free.getsockname()[1])
            arguments = ["train", "tiny.toml", "-o", folder, "--steps", count]
            processes = [
                command(
                    [*arguments, "--precision", "float32", "-j", "1"],
                    RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port,
                )
                for rank in range(2)
            ]  # fmt: skip
            for process in processes:
                process.join(120)
                assert process.exitcode == 0

    return run


def test_a_batch_spans_the_qualities_and_most_are_low(place, monkeypatch):
    """Drawn as u squared: half of them under a quarter, one in each part of u."""
    change_recipe(UNMEASURED)
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


def test_the_loss_falls(learned):
    history = Checkpoint.load(learned / "run" / FILE).history
    assert history[-1]["loss"] < 0.92 * history[0]["loss"]
    assert (learned / "run" / "log.csv").read_text().startswith("step,seconds,loss")


def test_a_resumed_run_equals_an_uninterrupted_one(place):
    change_recipe(WITH_RENDERED)
    whole = train("whole", "--steps", "8")
    train("parts", "--steps", "3")  # within the warm-up
    parts = train("parts", "--steps", "5")
    assert parts.step == whole.step == 8
    for key, value in whole.model.items():
        assert torch.equal(value, parts.model[key]), key
    assert all(torch.equal(whole.ema[key], parts.ema[key]) for key in whole.ema)


def test_a_fall_ends_the_run_wherever_it_was_split(place):
    change_recipe(UNMEASURED)
    train("run", "--steps", "6")
    found = train("run", "--fall", "8", "--steps", "3")
    assert found.fall == {"start": 6, "steps": 8}
    found = train("run")
    assert found.step == 14
    assert found.optimiser["param_groups"][0]["lr"] < 1e-4
    assert train("run", "--fall", "2").step == 16  # and again from there


def test_a_fall_over_the_last_part_of_a_time_limit_ends_before_it(place, monkeypatch):
    change_recipe(UNMEASURED, ("log_steps = 10", "log_steps = 1"))
    ticks = itertools.count(0, 0.05)  # seconds: one tick for each step
    monkeypatch.setattr(trainer, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    found = train("run", "--time-limit", "3s", "--fall", "2s")
    assert found.fall is not None and found.fall["start"] > 0
    assert found.step == sum(found.fall.values())


def test_a_fall_over_a_time_wants_a_limit(place, capsys):
    assert main(["train", "tiny.toml", "--fall", "2m"]) == 2
    assert "--time-limit" in capsys.readouterr().err


def test_a_time_limit_ends_cleanly(place):
    start = time.monotonic()
    assert train("run", "--time-limit", "1s").step > 0
    assert time.monotonic() - start < 30


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_keeps_its_checkpoint(place, command, kind):
    change_recipe(("checkpoint_minutes = 5.0", "checkpoint_minutes = 0.0"), ("= 10", "= 2"))
    process = command(["train", "tiny.toml", "-o", "run", "--precision", "float32"])
    while not Path("run/log.csv").exists() and process.is_alive():
        time.sleep(0.01)
    os.kill(process.pid, kind)
    process.join(60)
    assert process.exitcode == (0 if kind == signal.SIGTERM else -signal.SIGKILL)
    found = Checkpoint.load(Path("run") / FILE)
    assert found.step >= 1  # the log's first line is of step 2, a checkpoint comes every step
    assert not list(Path("run").glob("*.png"))
    assert train("run", "--steps", "1").step == found.step + 1


def test_a_step_that_is_not_finite_changes_nothing(place, learned, monkeypatch):
    from nacre.tools.train import trainer

    shutil.copytree(learned / "run", "run")
    before, honest = Checkpoint.load(Path("run") / FILE), trainer.weighted_loss
    monkeypatch.setattr(trainer, "weighted_loss", lambda *a: honest(*a) * float("nan"))
    after = train("run", "--steps", "2")
    assert after.step == before.step + 2
    assert all(torch.equal(before.model[key], after.model[key]) for key in before.model)


@pytest.mark.parametrize("start", [f"run/{FILE}", "mine.safetensors"])
def test_other_weights_can_be_started_from(place, learned, start):
    found = train("new", "--init", str(learned / start), "--steps", "1")
    assert found.start == f"weights of {Path(start).name}"
    assert found.step == 1


def test_weights_of_another_configuration_are_refused(place, learned):
    change_recipe(("latent = 32", "latent = 48"))
    for start in (f"run/{FILE}", "mine.safetensors"):
        assert main(["train", "tiny.toml", "-o", "other", "--init", str(learned / start)]) == 1


def test_two_processes_learn_what_one_does_and_resume_as_if_nothing_had_happened(place, together):
    change_recipe(("ema = 0.9", "ema = 0.0"), ("pictures/0.png", "pictures"))
    one = train("one", "--steps", "30")
    together("two", "30")
    two = Checkpoint.load(Path("two") / FILE)
    assert torch.equal(one.crops_rng, two.crops_rng)  # the same crops were drawn
    start, ends = one.history[0], [run.history[-1]["loss"] for run in (one, two)]
    assert ends[0] < start["loss"]
    assert abs(ends[0] - ends[1]) < 0.03 * ends[0]  # the noise of the rate is each process's own
    together("parts", "23", "7")
    parts = Checkpoint.load(Path("parts") / FILE)
    assert parts.step == 30
    assert all(torch.equal(two.model[key], parts.model[key]) for key in two.model)


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
    change_recipe(UNMEASURED)
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
    change_recipe(UNMEASURED)
    whole = {rank: noise_of(monkeypatch, rank, f"whole{rank}", 4) for rank in (0, 1)}
    assert len({*whole[0], *whole[1]}) == 8  # each process and each step has its own
    first = noise_of(monkeypatch, 0, "run", 2)
    shutil.copytree("run", "other")
    assert first + noise_of(monkeypatch, 0, "run", 2) == whole[0]
    assert noise_of(monkeypatch, 1, "other", 2) == whole[1][2:]


def test_a_checkpoint_that_holds_the_state_of_a_generator_is_resumed(place):
    """As all did that were written before noise was derived from the step."""
    change_recipe(UNMEASURED)
    train("run", "--steps", "2")
    path = Path("run") / FILE
    stored = torch.load(path, weights_only=True)
    torch.save({**stored, "torch_rng": torch.get_rng_state()}, path)
    assert train("run", "--steps", "1").step == 3


def test_held_out_figures_do_not_depend_on_chance(place):
    """Wavelet models leave out channels by chance while they learn."""
    recipe = Path("tiny.toml").read_text()
    start, end = recipe.index("[model]"), recipe.index("[steps]")
    wavelet = '[model]\nfamily = "wavelet"\nlatent = 8\nwidth = 8\nblocks = 1\n'
    wavelet += "hyperprior = false\ndrop = 1.0\n\n"
    Path("tiny.toml").write_text(recipe[:start] + wavelet + recipe[end:])
    options = Options(Path("run"), say=lambda _: None)
    trainer = Trainer(read_recipe(Path("tiny.toml")), options, Place(torch.device("cpu")))
    trainer.ema.load_state_dict(trainer.model.state_dict())
    trainer.evaluate()
    trainer.evaluate()
    assert trainer.history[0] == trainer.history[1]
