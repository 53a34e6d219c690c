"""Distillation: encoder and prior are fixed, the tail of the student learns from labels and the teacher."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from nacre.entropy.errors import UsageError
from nacre.tools.tasks.fitting import as_input
from nacre.tools.tasks.labelled import read_folder
from nacre.tools.train.checkpoint import FILE
from nacre.tools.train.held_out import EVALUATED_SIDE
from nacre.tools.train.loss import rate_and_error
from nacre.tools.train.objective import StudentObjective
from nacre.tools.train.recipe import Recipe
from nacre.tools.train.trainer import Options, Place, Trainer


class LabelledCrops:
    """Labelled pictures of one side, drawn at random, half of them mirrored."""

    def __init__(self, folder: Path, classes: tuple[str, ...], side: int, seed: int) -> None:
        files = read_folder(folder)
        if files.classes != classes:
            raise UsageError(f"{folder}: classes {', '.join(classes)} wanted, as the teacher has")
        self.x, self.labels = files.pixels(side), torch.tensor(files.labels)
        self.rng = torch.Generator().manual_seed(seed)

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """(n, 3, side, side) in [0, 1] and labels (n,)."""
        chosen = torch.randint(0, len(self.x), (count,), generator=self.rng)
        mirrored = torch.rand(count, generator=self.rng) < 0.5
        x = as_input(self.x[chosen])
        return torch.where(mirrored[:, None, None, None], x.flip(3), x), self.labels[chosen]


class DistilTrainer(Trainer):
    """A run that trains only the tail of the student."""

    objective: StudentObjective

    def __init__(self, recipe: Recipe, options: Options, place: Place) -> None:
        if options.init is None and not (options.folder / FILE).exists():
            raise UsageError("distil goes on from a run with the teacher: --init RUN/checkpoint.pt")
        super().__init__(recipe, options, place)
        self.model.eval()

    def _open_data(self) -> None:
        self.model.requires_grad_(False)
        choice, steps = self.recipe.objective, self.recipe.steps
        self.pictures = LabelledCrops(
            Path(choice.labels), self.objective.classes, steps.crop, steps.seed
        )
        self._say(f"{len(self.pictures.x)} labelled pictures, {steps.crop} pixels a side")
        self.held_out = torch.zeros(0, 3, EVALUATED_SIDE, EVALUATED_SIDE)

    @property
    def _source(self) -> LabelledCrops:  # type: ignore[override]
        return self.pictures

    def _first_crops(self) -> Tensor:
        return self.pictures.draw(self.recipe.steps.batch)[0]

    def _batch(self) -> tuple[Tensor, Tensor, nn.Module]:
        raise NotImplementedError("a batch of labelled pictures is no batch of crops")

    def train_step(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Do one step; return the loss of distillation, bpp, MSE and gradient norm."""
        steps, place = self.recipe.steps, self.place
        x, labels = (part.to(place.device) for part in self.pictures.draw(steps.batch))
        t = self._qualities(self.pictures.rng).to(place.device)
        with place.autocast():
            with torch.no_grad():
                coded = self.model(x, t)
                bpp, mse = rate_and_error(coded, x)
                latent = self.objective.latent(self.model, coded, t)
            loss = self.objective.distillation(latent, x, labels)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach(), bpp.mean(), mse.mean(), self._update()
