"""Trains a model of inter frames on pairs of frames; its image model stays as it is."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from nacre.codec.motion.blend import blended_in_floats
from nacre.datasets.pairs import POSITION_PIXELS, PairBatch, Pairs
from nacre.entropy.errors import UsageError
from nacre.models.family import QUALITIES
from nacre.models.parts.condition import InterNetwork
from nacre.models.parts.rate import Coded
from nacre.tools.train.clip_pairs import given, pairs_of
from nacre.tools.train.loss import LEVELS, rate_and_error, weighted_loss
from nacre.tools.train.trainer import Trainer

EVALUATED_PAIRS, EVALUATED_AT_ONCE = 64, 8
BANDS = (0.0, 0.25, 0.5, 0.75, 1.0)  # of quality; pairs count to the nearest


class Showing(nn.Module):
    """A network for some pairs, whose pictures are those that a decoder shows: blended if it blends."""

    def __init__(self, network: InterNetwork, pairs: PairBatch) -> None:
        super().__init__()
        self.network, self.pairs = given(network, pairs), pairs

    def forward(self, x: Tensor, t: Tensor, hard: bool = False) -> Coded:
        coded: Coded = self.network(x, t, hard=hard)
        if not self.network.blends:
            return coded
        pairs, masks = self.pairs, self.pairs.is_predicted.int()
        for axis in (2, 3):
            masks = masks.repeat_interleave(POSITION_PIXELS, axis)
        of_each = zip(coded.x_hat.float(), pairs.compensated, masks[:, 0], t.tolist(), strict=True)
        shown = [
            blended_in_floats(x_hat, compensated, mask, 1 + round(at * (QUALITIES - 1)))
            for x_hat, compensated, mask, at in of_each
        ]
        return replace(coded, x_hat=torch.stack(shown))


class ClipTrainer(Trainer):
    """A run whose crops are pairs; the quality of a pair is that of the frame before."""

    has_one_network = False

    def _open_data(self) -> None:
        if self.place.processes > 1:
            raise UsageError("clips are trained on by one process")
        network = self.model
        if not isinstance(network, InterNetwork):
            raise UsageError(f"family {self.recipe.model.family} is trained on pictures, not clips")
        if self.objective.trained is not None:
            raise UsageError("a student is trained on pictures, not clips")
        self.pairs, unseen = pairs_of(self.recipe, network, self.options.folder)
        side = self.recipe.steps.crop
        self._say(f"{len(self.pairs)} pairs of {side} pixels a side")
        self.held_out_pairs: list[PairBatch] = []
        if unseen is not None:
            count = min(EVALUATED_PAIRS, len(unseen))
            self.held_out_pairs = [
                unseen.draw(EVALUATED_AT_ONCE) for _ in range(count // EVALUATED_AT_ONCE)
            ]
        self.held_out = torch.zeros(len(self.held_out_pairs))

    @property
    def _source(self) -> Pairs:
        return self.pairs

    def _start(self) -> None:
        self.model.start(torch.zeros(0))

    def _batch(self) -> tuple[Tensor, Tensor, nn.Module]:
        batch = self.pairs.draw(self.recipe.steps.batch)
        return batch.frame, batch.t, self._given(self.model, batch)

    def _given(self, network: nn.Module, batch: PairBatch) -> Showing:
        """A network for the frames of a batch."""
        assert isinstance(network, InterNetwork)
        with self.place.autocast():
            return Showing(network, batch)

    @torch.inference_mode()
    def _measured(self) -> dict[str, float]:
        """Means over held-out pairs by bands of quality, and the loss of all."""
        losses, rows = [], []
        for batch in self.held_out_pairs:
            coded = self._given(self.ema, batch)(batch.frame, batch.t, hard=True)
            bpp, mse = rate_and_error(coded, batch.frame)
            losses.append(weighted_loss(bpp, mse, self.model.lmbda(batch.t)))
            rows.append(torch.stack([batch.t, bpp, 10 * torch.log10(LEVELS**2 / mse)]))
        t, bpp, psnr = torch.cat(rows, 1)
        found = {"loss": float(torch.cat(losses).mean())}
        for band in BANDS:
            own = (t - band).abs() <= 1 / 8
            found[f"bpp_{band}"] = float(bpp[own].mean())
            found[f"psnr_db_{band}"] = float(psnr[own].mean())
        return found
