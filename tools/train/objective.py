"""Distortions beside pixel error: distances of features of a frozen network, or of a student's predictions.

Sources: identity-preserving loss (the distortion has the distance of embeddings of a frozen recogniser, CVPR
workshops 2022, hyperprior backbone); Entropic Student, Matsubara et al., arXiv:2108.11898 (the coded bottleneck
is trained to predict features of a teacher, with a rate term; then distillation). Differs: features are
averaged over positions before the cosine, or compared directly by the squared error over their variance; the
bottleneck can be any family, and one network serves all qualities.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from pytorch_msssim import ms_ssim
from torch import Tensor, nn
from torch.nn import functional as F

from nacre.entropy.errors import UsageError, WeightsError
from nacre.models.family import Network
from nacre.models.parts.rate import Coded
from nacre.tools.tasks.checkpoint import LATENTS, PIXELS, TaskCheckpoint
from nacre.tools.tasks.classifier import TaskClassifier
from nacre.tools.train.checkpoint import State
from nacre.tools.train.recipe import ObjectiveChoice

ALPHA = 0.5  # share of the labels in the loss of distillation
STUDENT = "student.safetensors"  # in the folder of a run
BOTTLENECK = "y"  # the plane that a student reads
SMALLEST_VARIANCE = 1e-6
# MSE (0..255) divided by 1 - MS-SSIM: 1,120 to 1,360 on Kodak, over all qualities of the default weights.
MSE_OF_DISSIMILARITY = 1200.0


class PixelObjective(nn.Module):
    """The pixel error alone."""

    def forward(self, model: Network, coded: Coded, x: Tensor, t: Tensor, mse: Tensor) -> Tensor:
        """(n,) the distortion, in units of `mse` (n,), the MSE on the 0..255 scale."""
        return mse

    @property
    def trained(self) -> nn.Module | None:
        """The module that is trained beside the codec, if any."""
        return None

    def start(self, model: Network, x: Tensor) -> None:
        """Initialise new weights from crops x, before the first step."""
        return None

    def save_student(self, folder: Path) -> None:
        """Write the module that is trained beside the codec, for use without the codec."""
        return None


class FeatureObjective(PixelObjective):
    """Adds the distance between the last features of the decoded and of the original picture."""

    def __init__(self, task: TaskCheckpoint, choice: ObjectiveChoice) -> None:
        super().__init__()
        self.network, self.choice = task.network.requires_grad_(False), choice

    def forward(self, model: Network, coded: Coded, x: Tensor, t: Tensor, mse: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self.network.features(x)[-1]
        found = self.network.features(coded.x_hat)[-1]
        measure = cosine_distance if self.choice.distance == "cosine" else relative_error
        return mse + self.choice.feature_weight * measure(found.float(), wanted.float())


class StructureObjective(PixelObjective):
    """A share of the pixel error gives way to 1 - MS-SSIM, times the MSE that accompanies a value of 1.

    MS-SSIM weighs errors by the contrast around them: texture of low contrast is kept, at the cost of PSNR.
    Source: Wang et al., Asilomar 2003, as pytorch-msssim computes it.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, model: Network, coded: Coded, x: Tensor, t: Tensor, mse: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            found = ms_ssim(coded.x_hat.float(), x, data_range=1.0, size_average=False)
        return (1 - self.share) * mse + self.share * MSE_OF_DISSIMILARITY * (1 - found)


def cosine_distance(a: Tensor, b: Tensor) -> Tensor:
    """(n,) 1 - cosine of the means over positions of features (n, C, h, w)."""
    return 1 - F.cosine_similarity(a.mean((2, 3)), b.mean((2, 3)), dim=1)


def relative_error(found: Tensor, wanted: Tensor) -> Tensor:
    """(n,) squared error over the variance of `wanted`; both are (n, C, h, w)."""
    return (found - wanted).square().mean((1, 2, 3)) / wanted.var().clamp_min(SMALLEST_VARIANCE)


class StudentObjective(PixelObjective):
    """The features of a teacher, predicted from the latent, in place of pixels.

    The student's tail is a classifier whose input is the latent times its step sizes. Its first stage decodes
    the bottleneck in place of the teacher's first stage; later stages start with the weights of the teacher.
    """

    def __init__(self, teacher: TaskCheckpoint, choice: ObjectiveChoice, model: Network) -> None:
        super().__init__()
        self.teacher, self.choice = teacher.network.requires_grad_(False), choice
        self.classes, self.side = teacher.classes, teacher.side
        self.tail = tail_of(teacher.network, model)
        for part in (*self.tail.stages[1:], self.tail.leave):
            part.requires_grad_(choice.distil)

    def latent(self, model: Network, coded: Coded, t: Tensor) -> Tensor:
        """(n, C, h, w) the input of the tail."""
        return coded.known[BOTTLENECK].float() * model.step_sizes(t)[BOTTLENECK][:, :, None, None]

    def forward(self, model: Network, coded: Coded, x: Tensor, t: Tensor, mse: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self.teacher.features(x)
        found = self.tail.features(self.latent(model, coded, t))
        errors = [relative_error(a.float(), b.float()) for a, b in zip(found, wanted, strict=True)]
        distance: Tensor = self.choice.feature_weight * torch.stack(errors).sum(0)
        return distance + self.choice.pixel_weight * mse

    def distillation(self, latent: Tensor, x: Tensor, labels: Tensor) -> Tensor:
        """Cross entropy with the labels (n,), and divergence from the teacher at temperature 1."""
        logits = self.tail(latent)
        with torch.no_grad():
            soft = self.teacher(x).softmax(1)
        hard_loss = F.cross_entropy(logits, labels)
        soft_loss = F.kl_div(logits.log_softmax(1), soft, reduction="batchmean")
        return ALPHA * hard_loss + (1 - ALPHA) * soft_loss

    @property
    def trained(self) -> nn.Module:
        return self.tail

    @torch.no_grad()
    def start(self, model: Network, x: Tensor) -> None:
        """Standardise the tail by latents of all qualities."""
        t = torch.linspace(0, 1, len(x), device=x.device)
        self.tail.standardise(self.latent(model, model(x, t), t))

    def save_student(self, folder: Path) -> None:
        tail = TaskCheckpoint(self.tail, self.classes, self.side, LATENTS, plane=BOTTLENECK)
        tail.save(folder / STUDENT)


def tail_of(teacher: TaskClassifier, model: Network) -> TaskClassifier:
    """A classifier of latents with the teacher's positions and widths, and its weights behind the first stage.

    Raises UsageError where the positions do not fit.
    """
    plane, patch = model.planes[BOTTLENECK], teacher.config.patch
    if max(plane.stride, patch) % min(plane.stride, patch):
        raise UsageError(
            f"objective: stride {plane.stride} of the latent and patch {patch} of the teacher"
        )
    config = replace(
        teacher.config,
        inputs=plane.channels,
        patch=max(1, patch // plane.stride),
        grow=max(1, plane.stride // patch),
        stem="patch",
    )
    tail = TaskClassifier(config)
    for own, other in zip(
        (*tail.stages[1:], tail.leave), (*teacher.stages[1:], teacher.leave), strict=True
    ):
        own.load_state_dict(other.state_dict())
    return tail


def objective_of(choice: ObjectiveChoice, model: Network) -> PixelObjective:
    """The objective of a recipe. Raises UsageError or WeightsError for an unusable checkpoint."""
    if choice.ms_ssim_share:
        return StructureObjective(choice.ms_ssim_share)
    file = choice.features or choice.teacher
    if not file:
        return PixelObjective()
    task = TaskCheckpoint.load(file)
    if task.reads != PIXELS:
        raise UsageError(f"objective: {file} reads {task.reads}, not {PIXELS}")
    if choice.features:
        return FeatureObjective(task, choice)
    if BOTTLENECK not in model.planes:
        raise UsageError(f"objective: the model has no plane {BOTTLENECK}")
    return StudentObjective(task, choice, model)


def trained_state(objective: PixelObjective) -> State:
    """The weights that are trained beside the model."""
    return {} if objective.trained is None else objective.trained.state_dict()


def load_trained(objective: PixelObjective, state: State, path: Path) -> None:
    """Undo `trained_state`. Raises WeightsError, naming `path`, for a state of another objective."""
    if objective.trained is None:
        return
    try:
        objective.trained.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{path} is of another objective than the recipe") from error
