"""Runs the training loop, on CPU or GPU, in one process or several."""

from __future__ import annotations

import copy
import csv
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from nacre.datasets import odd
from nacre.datasets.crops import Crops, to_device
from nacre.datasets.memory import open_store, store_of
from nacre.datasets.pairs import Pairs
from nacre.datasets.synthetic import SIDE, render
from nacre.entropy.errors import UsageError, WeightsError
from nacre.tools.train.checkpoint import FILE, Checkpoint, network_state, objective_state
from nacre.tools.train.gpu import GraphedGradients, compile_blocks
from nacre.tools.train.held_out import EVALUATED_SIDE, evaluated, middles, summary
from nacre.tools.train.loss import rate_and_error, relative_loss, weighted_loss
from nacre.tools.train.noise import noise_seed
from nacre.tools.train.objective import load_trained, objective_of, trained_state
from nacre.tools.train.recipe import Recipe
from nacre.tools.train.schedule import Fall, Pace, Schedule
from nacre.tools.train.stop import StopSignals

START_CROPS = 64  # crops whose principal components start the transforms


@dataclass(frozen=True)
class Place:
    """The rank, the number of processes, the device and the precision of a run."""

    device: torch.device
    rank: int = 0
    processes: int = 1
    use_bfloat16: bool = False

    def autocast(self) -> AbstractContextManager[object]:
        return (
            torch.autocast(self.device.type, torch.bfloat16) if self.use_bfloat16 else nullcontext()
        )


@dataclass(frozen=True)
class Options:
    """Choices of the command line; the recipe holds all others."""

    folder: Path
    time_limit_seconds: float | None = None
    step_limit: int | None = None
    init: Path | None = None
    fall_steps: int | None = None
    fall_seconds: float | None = None  # the last ones before `time_limit_seconds`
    compile: bool = False
    say: Callable[[str], None] = print


class Trainer:
    """A run, started from a recipe or resumed from the checkpoint in its folder."""

    has_one_network = True  # False where each batch has a network of its own

    def __init__(self, recipe: Recipe, options: Options, place: Place) -> None:
        self.recipe, self.options, self.place = recipe, options, place
        if recipe.steps.batch % place.processes:
            raise UsageError(
                f"batch {recipe.steps.batch} cannot be shared by {place.processes} processes"
            )
        options.folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(recipe.steps.seed)
        self.model = recipe.model.build()
        self.objective = objective_of(recipe.objective, self.model)
        if self.objective.trained is not None and place.processes > 1:
            raise UsageError("a student is trained by one process")
        self._check_crop()
        self._open_data()
        self.step, self.seconds, self.start = 0, 0.0, "linear"
        self.schedule = Schedule(recipe.steps.learning_rate, recipe.steps.warmup_steps)
        self.history: list[dict[str, float]] = []
        found = self._resume()
        self.model = self.model.to(place.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.objective.to(place.device)
        self.ema = copy.deepcopy(self.model).eval()  # nothing is left to chance
        self.objective_ema = copy.deepcopy(self.objective)
        if options.compile:
            compile_blocks(self.model)
        if found is not None:
            self.ema.load_state_dict(found.ema)
            load_trained(self.objective_ema, found.objective_ema, options.folder / FILE)
        self.optimiser = torch.optim.AdamW(
            self.learned,
            recipe.steps.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=0.0,
            fused=True,
        )
        self.schedule.warm_from = self.step
        if found is not None and found.optimiser:
            self.optimiser.load_state_dict(found.optimiser)
            self.schedule.warm_from = found.warm_from
        if options.fall_steps is not None and (
            self.schedule.fall is None or self.schedule.has_ended(self.step)
        ):
            self.schedule.fall = Fall(self.step, options.fall_steps)
        self._first_step = self.step
        self._graph: GraphedGradients | None = None
        self._parallel: nn.Module = self.model
        if place.processes > 1:
            self._parallel = nn.parallel.DistributedDataParallel(self.model)

    def _open_data(self) -> None:
        """Set the crops to train on, and (n, 3, side, side) held-out pictures."""
        data, steps = self.recipe.data, self.recipe.steps
        photos = open_store(data.pictures, steps.crop, self.options.folder)
        drawn = []
        if data.synthetic_share:
            drawn = render(data.synthetic_pictures, steps.seed)
            drawn += [p for _, p in odd.draw(data.odd_pictures, steps.seed, SIDE)]
        if steps.crop > SIDE and drawn:
            raise UsageError(f"rendered pictures are {SIDE} pixels a side: no crop may be larger")
        self._say(
            f"{photos.summary}; {photos.megapixels:.1f} megapixels, {len(drawn)} rendered pictures"
        )
        self.crops = Crops(
            photos,
            store_of(drawn),
            data.synthetic_share,
            data.shrink_share,
            str(self.place.device),
            steps.seed,
        )
        held_out = torch.zeros(0, 3, EVALUATED_SIDE, EVALUATED_SIDE)
        if data.held_out:
            held_out = middles(open_store(data.held_out, EVALUATED_SIDE, self.options.folder))
        self.held_out = held_out.to(self.place.device)

    def _resume(self) -> Checkpoint | None:
        """Load the checkpoint in the folder, else the weights of --init, else set the linear start."""
        path = self.options.folder / FILE
        if path.exists():
            found = Checkpoint.load(path)
            self._load(found.model, path)
            load_trained(self.objective, found.objective, path)
            self.step, self.seconds, self.start = found.step, found.seconds, found.start
            self.schedule.fall = Fall(**found.fall) if found.fall else None
            self.history = found.history
            self._source.rng.set_state(found.crops_rng)
            self._say(f"resumed at step {self.step} after {self.seconds / 3600:.2f} hours")
            return found
        if self.options.init is not None:
            init = self.options.init
            self._load(network_state(init), init)
            self.start = f"weights of {init.name}"
            if state := objective_state(init):
                load_trained(self.objective, state, init)
                return None
        elif self.recipe.steps.linear_start:
            self._start()
        if self.objective.trained is not None:
            self.objective.start(self.model, self._first_crops())
        return None

    def _start(self) -> None:
        self.model.start(self._first_crops())

    def _first_crops(self) -> Tensor:
        side = self.recipe.steps.crop
        return self.crops.cut(self.crops.draw(START_CROPS, side), side).cpu()

    @property
    def learned(self) -> list[nn.Parameter]:
        """The parameters that the optimiser changes."""
        beside = self.objective.trained
        return [*self.model.parameters(), *(beside.parameters() if beside is not None else ())]

    @property
    def _source(self) -> Crops | Pairs:
        """The source of batches; a checkpoint stores the state of its generator."""
        return self.crops

    def _check_crop(self) -> None:
        strides = [plane.stride for plane in self.model.planes.values()]
        for side in (self.recipe.steps.crop, EVALUATED_SIDE):
            if any(side % stride for stride in strides):
                raise UsageError(f"crops of {side} pixels are no multiple of the strides {strides}")

    def _load(self, state: dict[str, Tensor], path: Path) -> None:
        try:
            self.model.load_state_dict(state)
        except RuntimeError as error:
            raise WeightsError(f"{path} is of another configuration than the recipe") from error

    def _say(self, line: str) -> None:
        if self.place.rank == 0:
            self.options.say(line)

    def _batch(self) -> tuple[Tensor, Tensor, nn.Module]:
        """The crops of this process, their qualities, and the network that codes them."""
        steps, place = self.recipe.steps, self.place
        share = steps.batch // place.processes
        mine = slice(place.rank * share, (place.rank + 1) * share)
        x = self.crops.cut(self.crops.draw(steps.batch, steps.crop).part(mine), steps.crop)
        t = to_device(self._qualities(self.crops.rng)[mine], place.device)
        return x, t, self._parallel

    def _qualities(self, rng: torch.Generator) -> Tensor:
        """(batch,) quality inputs, stratified: every batch, and so every gradient, covers all qualities."""
        steps = self.recipe.steps
        even = torch.arange(steps.batch) + torch.rand(steps.batch, generator=rng)
        return (even / steps.batch) ** steps.quality_power

    def train_step(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Do one step; return loss, bpp, MSE and gradient norm, detached.

        The update is skipped if the norm is not finite.
        """
        x, t, network = self._batch()
        # This seeds the generators of the GPU, too.
        torch.manual_seed(noise_seed(self.recipe.steps.seed, self.place.rank, self.step))
        if not self._is_graphed:
            means = self._gradients(network, x, t)
        else:
            if self._graph is None:
                self._graph = GraphedGradients(
                    partial(self._gradients, network), x, t, self.learned
                )
            means = self._graph(x, t)
        return (*means, self._update())

    @property
    def _is_graphed(self) -> bool:
        """Whether the gradients of all steps are replayed as one CUDA graph."""
        place = self.place
        return self.has_one_network and place.device.type == "cuda" and place.processes == 1

    def _gradients(self, network: nn.Module, x: Tensor, t: Tensor) -> Tensor:
        """Set the gradients of a batch; return (3,) loss, bpp and MSE, detached."""
        with self.place.autocast():
            coded = network(x, t)
            bpp, mse = rate_and_error(coded, x)
            distortion = self.objective(self.model, coded, x, t, mse)
        loss = weighted_loss(bpp, distortion, self.model.lmbda(t))
        self.optimiser.zero_grad(set_to_none=True)
        relative_loss(loss).mean().backward()  # type: ignore[no-untyped-call]
        return torch.stack([loss.detach().mean(), bpp.detach().mean(), mse.detach().mean()])

    def _update(self) -> Tensor:
        """Do one step of the optimiser and of the averages; return the norm of the gradient."""
        steps = self.recipe.steps
        norm = nn.utils.clip_grad_norm_(self.learned, steps.clip_norm)
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.rate(self.step)
        # The fused optimiser skips the step itself: reading the norm here would make the CPU wait for the GPU.
        self.optimiser.found_inf = (~torch.isfinite(norm)).float()  # type: ignore[attr-defined]
        self.optimiser.step()
        self.step += 1
        decay = min(steps.ema, self.step / (self.step + 20))
        with torch.no_grad():
            torch._foreach_lerp_(
                (*self.ema.parameters(), *self.objective_ema.parameters()),
                (*self.model.parameters(), *self.objective.parameters()),
                1 - decay,
            )
        return norm

    def run(self) -> None:
        """Train until a limit, the end of a fall, or a signal; save a checkpoint."""
        with StopSignals() as stop:
            self._run(stop)
        self.save()  # before the evaluation: a scheduler may kill the process during it
        self.evaluate()
        self.save()
        self._say(f"stopped at step {self.step}")

    def _run(self, stop: StopSignals) -> None:
        routine, limit, before = self.recipe.routine, self.options.step_limit, self.seconds
        sums, count = torch.zeros(4, device=self.place.device), 0
        if not self.history:
            self.evaluate()
        began = saved = evaluated = time.monotonic()
        pace = Pace()
        while not self.schedule.has_ended(self.step):
            sums += torch.stack(self.train_step())
            count += 1
            now = time.monotonic()
            self.seconds = before + now - began
            if self.step % routine.log_steps == 0:
                pace.report(self.step, now - began)
                self._fall_in_time(pace, now - began)
                self._log((sums / count).tolist(), count, now - began)
                sums.zero_()
                count = 0
            if now - saved > 60 * routine.checkpoint_minutes:
                self.save()
                saved = time.monotonic()
            if now - evaluated > 60 * routine.evaluate_minutes:
                self.evaluate()
                evaluated = time.monotonic()
            if limit is not None and self.step - self._first_step >= limit:
                break
            if self._should_stop(stop.asked, now - began):
                break

    def _fall_in_time(self, pace: Pace, seconds: float) -> None:
        """Begin the fall that `fall_seconds` asks for, once no more time is left."""
        wanted, limit = self.options.fall_seconds, self.options.time_limit_seconds
        if wanted is None or limit is None or self.schedule.fall is not None:
            return
        if limit - seconds <= wanted and (steps := pace.steps_in(limit - seconds)):
            self.schedule.fall = Fall(self.step, steps)

    def _should_stop(self, is_asked: bool, seconds: float) -> bool:
        """Whether a signal came or the time is over; rank 0 decides for all processes."""
        limit = self.options.time_limit_seconds
        answer = is_asked or (limit is not None and seconds > limit)
        if self.place.processes == 1:
            return answer
        shared = torch.tensor(float(answer), device=self.place.device)
        torch.distributed.broadcast(shared, 0)
        return bool(shared)

    def _log(self, means: list[float], count: int, seconds: float) -> None:
        if self.place.rank:
            return
        loss, bpp, mse, norm = means
        done = self.step - self._first_step
        speed = done / seconds
        left = ""
        if self.options.time_limit_seconds is not None:
            left = f", {max(0.0, self.options.time_limit_seconds - seconds) / 60:.0f} min left"
        self._say(
            f"step {self.step}: loss {loss:.4f}, {bpp:.3f} bpp, MSE {mse:.1f}, norm {norm:.1f}, "
            f"rate {self.schedule.rate(self.step):.1e}, {speed:.2f} steps/s{left}"
        )
        row = {
            "step": self.step, "seconds": round(self.seconds, 1), "loss": loss, "bpp": bpp, "mse": mse,
            "norm": norm, "learning_rate": self.schedule.rate(self.step), "steps_per_second": speed,
        }  # fmt: skip
        _append_csv(self.options.folder / "log.csv", row)

    def evaluate(self) -> None:
        """Evaluate the averaged weights on the held-out pictures; print and record the result."""
        if self.place.rank or not len(self.held_out):
            return
        measured = self._measured()
        row = {"step": self.step, "hours": self.seconds / 3600, **measured}
        self.history.append(row)
        self._say(f"held out at step {self.step}: {summary(measured)}")
        _append_csv(self.options.folder / "held-out.csv", row)

    def _measured(self) -> dict[str, float]:
        return evaluated(self.ema, self.held_out)

    def save(self) -> None:
        if self.place.rank:
            return
        Checkpoint(
            recipe=self.recipe.to_json(),
            step=self.step,
            seconds=self.seconds,
            model=self.model.state_dict(),
            ema=self.ema.state_dict(),
            optimiser=self.optimiser.state_dict(),
            crops_rng=self._source.rng.get_state(),
            start=self.start,
            warm_from=self.schedule.warm_from,
            fall=asdict(self.schedule.fall) if self.schedule.fall else None,
            history=self.history,
            objective=trained_state(self.objective),
            objective_ema=trained_state(self.objective_ema),
        ).save(self.options.folder / FILE)
        self.objective_ema.save_student(self.options.folder)


def _append_csv(path: Path, row: dict[str, float]) -> None:
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if is_new:
            writer.writeheader()
        writer.writerow(row)
