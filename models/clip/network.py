"""The networks of inter frames: an image model with a condition that has no effect at the start."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacre.entropy.errors import WeightsError
from nacre.entropy.schedule import Schedule, quarters
from nacre.entropy.walk import Planes
from nacre.models import zoo
from nacre.models.clip.config import ClipConfig
from nacre.models.family import Arrays, CodingModel
from nacre.models.nacre import NacreConfig, NacreNetwork
from nacre.models.nacre.context import HyperAnalysis, HyperSynthesis
from nacre.models.parts.blocks import RESIDUAL_START, STEP_LIMIT, Block, Precise
from nacre.models.parts.condition import Condition, InterNetwork
from nacre.models.parts.context import Context, Memory
from nacre.models.parts.hyperprior import HYPER_STRIDE, HyperpriorNetwork
from nacre.models.parts.motion_tables import motion_rows
from nacre.models.parts.priors import ScaleIntegers
from nacre.models.parts.rows import Rows
from nacre.models.parts.scales import ScaleShape


def base_of(config: ClipConfig) -> CodingModel:
    """The image model. Raises WeightsError if it is not installed or not of the default family."""
    found = zoo.model_of_stream(bytes.fromhex(config.base)) if config.base else zoo.load_model()
    if not isinstance(found.network, NacreNetwork):
        raise WeightsError(f"the image model of clips is of family {found.family!r}, not 'nacre'")
    return found


class _Shared:
    """Hides the image model from `nn.Module`: it is neither trained nor saved with the inter model."""

    def __init__(self, model: CodingModel) -> None:
        self.model = model


class ConditionalHyperAnalysis(nn.Module):
    """y and the latent of the compensated picture, (B, 2M, h, w), to z (B, Z, h/4, w/4)."""

    def __init__(self, config: NacreConfig) -> None:
        super().__init__()
        self.of_picture = HyperAnalysis(config)
        self.of_condition = _silent(config.latent, config.hyper_analysis_width)

    def forward(self, x: Tensor) -> Tensor:
        y, beside = x.chunk(2, 1)
        enter, *rest = self.of_picture
        z: Tensor = enter(y) + self.of_condition(beside)
        for layer in rest:
            z = layer(z)
        return z


class ConditionalContext(Context):
    """The mean of y in each turn: the latent of the compensated picture plus a correction by a network.

    The network sees the hyper features, decoded y, and both latents of the condition after a depth-wise mixing.
    """

    def __init__(self, latent: int, hyper_features: int, width: int, blocks: int) -> None:
        super().__init__()
        self.latent = latent
        self.turns = turns_of(latent)
        self.beside = Precise(2 * latent, width)
        self.mix = Block(width, STEP_LIMIT)
        widths = [hyper_features + width + (latent if k else 0) for k in range(len(self.turns))]
        self.enter = nn.ModuleList([Precise(n, width) for n in widths])
        self.shared = nn.Sequential(*[Block(width, STEP_LIMIT) for _ in range(blocks)])
        self.leave = nn.ModuleList([Precise(width, latent) for _ in self.turns])
        for layer in self.leave:
            assert isinstance(layer, Precise) and layer.bias is not None
            nn.init.normal_(layer.weight, std=RESIDUAL_START)
            nn.init.zeros_(layer.bias)

    def forward(self, turn: int, features: Tensor, y_hat: Tensor, memory: Memory) -> Tensor:
        """`features` are the hyper features, then the latents of the condition (2M channels)."""
        hyper, beside = features[:, : -2 * self.latent], features[:, -2 * self.latent :]
        if "beside" not in memory:
            memory["beside"] = self.mix(self.beside(beside))
        known = [hyper, memory["beside"]] + ([y_hat] if turn else [])
        found: Tensor = self.leave[turn](self.shared(self.enter[turn](torch.cat(known, 1))))
        return found + beside[:, : self.latent]


def turns_of(latent: int) -> Schedule:
    return quarters("y", latent)


class ClipNetwork(HyperpriorNetwork, InterNetwork):
    """Codes an inter frame given a `Condition`; see `given`. Without one it codes a frame by itself.

    The condition enters analysis and synthesis through layers that start at zero, so that at first the
    transforms equal those of the image model.
    """

    def __init__(self, config: ClipConfig) -> None:
        base = base_of(config)
        sizes: NacreConfig = base.network.config
        super().__init__(
            sizes,
            base.network.reach,
            nn.Identity(),  # the image model has the transforms
            nn.Identity(),
            ConditionalHyperAnalysis(sizes),
            HyperSynthesis(sizes),
            ConditionalContext(sizes.latent, sizes.context, config.width, config.blocks),
            beside=sizes.latent,
        )
        self.config = replace(config, base=base.id.hex())  # not the default of a later release
        self.enter8 = _silent(sizes.width8, sizes.width8)
        self.leave8 = nn.Sequential(Block(sizes.width8), _silent(sizes.width8, sizes.width8))
        self._base = _Shared(base)
        self._condition: Condition | None = None
        self.uses_motion, self.overlap, self.blends = config.motion, config.overlap, config.blends

    @property
    def base(self) -> NacreNetwork:
        network = self._base.model.network
        assert isinstance(network, NacreNetwork)
        return network

    def image_model(self) -> CodingModel:
        return self._base.model

    def in_steps_of(self, t: Tensor, y_hat: Tensor, before: Tensor) -> Tensor:
        ungain = self.base.synthesis.ungain
        return y_hat * (ungain(before) / ungain(t))

    def networks(self) -> tuple[nn.Module, ...]:
        return (self, self.base)

    def start(self, x: Tensor) -> None:
        """Copies the hyperprior and the scale network of the image model; x is not used."""
        base, scales, analysis = self.base, self.scales, self.hyper_analysis
        assert scales is not None and base.scales is not None
        assert isinstance(analysis, ConditionalHyperAnalysis)
        analysis.of_picture.load_state_dict(base.hyper_analysis.state_dict())
        self.hyper_synthesis.load_state_dict(base.hyper_synthesis.state_dict())
        self.hyper_scale.load_state_dict(base.hyper_scale.state_dict())
        state = base.scales.state_dict()
        for key, value in scales.state_dict().items():
            if value.shape != state[key].shape:  # inputs for magnitudes of the previous frame
                state[key] = F.pad(
                    state[key], (0, 0, 0, 0, 0, value.shape[1] - state[key].shape[1])
                )
        scales.load_state_dict(state)

    def given(self, condition: Condition) -> ClipNetwork:
        """This network, bound to the condition of one frame."""
        bound = copy.copy(self)
        bound._condition = condition if self.uses_motion else condition.without_motion()
        return bound

    def condition(self, shape: torch.Size) -> Condition:
        """The condition of the bound frame, or zeros, for planes of shape (B, C, h, w)."""
        if self._condition is not None:
            return self._condition
        sizes = torch.Size((shape[0], self._sizes.latent, *shape[2:]))
        return Condition.none(sizes, self._sizes.width8, self.enter8.weight.device)

    def beside(self, shape: torch.Size) -> Tensor:
        return self.condition(shape).symbols

    def prepare(self, x: Tensor) -> Tensor:
        features = self.base.prepare(x)
        if self._condition is None:
            return features
        return features + self.enter8(self._condition.features)

    def analyse(self, prepared: Tensor, t: Tensor) -> Planes:
        return self.base.analyse(prepared, t)

    def complete(self, planes: Planes, t: Tensor) -> Planes:
        y = planes["y"]
        both = torch.cat([y, self.condition(y.shape).latent], 1)
        padding = (0, -y.shape[3] % HYPER_STRIDE, 0, -y.shape[2] % HYPER_STRIDE)
        z = self.hyper_analysis(F.pad(both, padding, mode="replicate") if any(padding) else both)
        return {"z": z.float(), "y": y}

    def features(self, hyper: Tensor) -> Tensor:
        found = self.condition(hyper.shape)
        return torch.cat([hyper, found.latent, found.previous], 1)

    def shown(self, y_hat: Tensor, features: Tensor) -> Planes:
        found = self.condition(y_hat.shape)
        return {
            "y": y_hat,
            "features": features[:, : self._sizes.context],
            "beside": F.pixel_unshuffle(found.features, 2),
        }

    def synthesise(self, shown: Planes, t: Tensor) -> Tensor:
        added = self.leave8(F.pixel_shuffle(shown["beside"], 2))
        return self.base.synthesis(shown["y"], shown["features"], t, added)

    def rows(self) -> dict[str, Rows]:
        return {**super().rows(), **motion_rows()}

    def lmbda(self, t: Tensor) -> Tensor:
        return self.base.lmbda(t)


def integers_of(config: ClipConfig, arrays: Arrays) -> ScaleIntegers:
    """Undo `ScaleIntegers.to_arrays`. Raises WeightsError."""
    sizes: NacreConfig = base_of(config).network.config
    shape = ScaleShape.of(turns_of(sizes.latent), sizes.hyper, sizes.scale_width, sizes.latent)
    return ScaleIntegers.from_arrays(shape, arrays)


def _silent(channels_in: int, channels_out: int) -> Precise:
    """A layer without bias whose output is zero at the start."""
    layer = Precise(channels_in, channels_out)
    nn.init.zeros_(layer.weight)
    layer.bias = None
    return layer
