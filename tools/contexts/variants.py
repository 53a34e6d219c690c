"""The compared contexts: each is the default's context plus an addition that starts at zero."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nacre.entropy.schedule import QUARTERS, Pattern, Schedule, Turn, quarters
from nacre.models.nacre.context import MeanContext
from nacre.models.nacre.network import NacreNetwork
from nacre.models.parts.blocks import STEP_LIMIT, Block, Precise
from nacre.models.parts.context import Context, Memory
from nacre.models.parts.residual_prediction import LARGEST_RESIDUAL
from nacre.models.parts.scales import ScaleNet, ScaleShape
from nacre.tools.contexts.attentions import Dictionary, Global, Local

NOTHING: Pattern = ("..", "..")


@dataclass(frozen=True)
class Split:
    """A schedule of turns, each a part of one of the default's turns, whose numbers are `of`."""

    turns: Schedule
    of: tuple[int, ...]


def whole_quarters(latent: int) -> Split:
    """The default's own turns."""
    return Split(quarters("y", latent), (0, 1, 2, 3))


def halved_channels(latent: int) -> Split:
    """Eight turns: every second group of channels of a quarter, then the others."""
    turns = []
    for k in range(4):
        for half in range(2):
            patterns = tuple(
                QUARTERS[(k - group // 2) % 4] if group % 2 == half else NOTHING
                for group in range(8)
            )
            turns.append(Turn("y", range(latent), k, patterns))
    return Split(tuple(turns), (0, 0, 1, 1, 2, 2, 3, 3))


def halved_positions(latent: int) -> Split:
    """Eight turns: every second position of a quarter, as on a checkerboard, then the others."""
    return _by_position(latent, {k: ((0, 3), (1, 2)) for k in range(4)})


def coarse_first_turn(latent: int) -> Split:
    """Six turns: the first quarter from coarse to fine, one position of four, one more, and two."""
    fine: dict[int, tuple[tuple[int, ...], ...]] = {k: ((0, 1, 2, 3),) for k in range(4)}
    return _by_position(latent, {**fine, 0: ((0,), (3,), (1, 2))})


def _by_position(latent: int, parts: Mapping[int, Sequence[Sequence[int]]]) -> Split:
    """Quarters in parts. The four positions of a quarter in a 4x4 cell are numbered row by row."""
    turns, of = [], []
    for k, cells in parts.items():
        for cell in cells:
            patterns = tuple(_sparse(QUARTERS[(k - group) % 4], cell) for group in range(4))
            turns.append(Turn("y", range(latent), k, patterns))
            of.append(k)
    return Split(tuple(turns), tuple(of))


def _sparse(pattern: Pattern, cell: Sequence[int]) -> Pattern:
    """A 4x4 pattern: the 2x2 pattern at the numbers in `cell`, nothing elsewhere."""
    kept = [
        [pattern if 2 * row + column in cell else NOTHING for column in range(2)]
        for row in range(2)
    ]
    return tuple(left[i] + right[i] for left, right in kept for i in range(2))


class Addition(nn.Module):
    """A network beside the default's; the turns share it, except its first and last layer."""

    def __init__(
        self,
        channels: tuple[int, int],  # of the default's features, of y
        turns: int,
        width: int = 192,
        blocks: int = 1,
        carries: bool = False,  # the next turn sees the output of this one
        attention: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        hidden, latent = channels
        self.carries = carries
        self.enter = nn.ModuleList([Precise(hidden + latent, width) for _ in range(turns)])
        self.attention = attention(width) if attention is not None else None
        self.shared = nn.Sequential(*[Block(width, STEP_LIMIT) for _ in range(blocks)])
        self.leave = nn.ModuleList([Precise(width, latent) for _ in range(turns)])
        for layer in self.leave:
            silence(layer)

    def forward(self, turn: int, hidden: Tensor, y_hat: Tensor, memory: Memory) -> Tensor:
        x = self.enter[turn](torch.cat([hidden, y_hat], 1))
        if self.carries and "carried" in memory:
            x = x + memory["carried"]
        if self.attention is not None:
            found: Tensor = self.attention(x)
            x = x + found
        x = self.shared(x)
        if self.carries:
            memory["carried"] = x
        added: Tensor = self.leave[turn](x)
        return added


class SplitContext(Context):
    """The default's means plus an addition that sees the finer turns of a split."""

    def __init__(
        self,
        default: MeanContext,
        split: Split,
        channels: tuple[int, int],  # of the default's features, of y
        addition: Addition | None,
        corrects: int = 0,  # width of the latent residual prediction; 0 for none
        gives_scales: bool = False,
    ) -> None:
        super().__init__()
        self.default, self.turns, self.of = copy.deepcopy(default), split.turns, split.of
        self.addition = addition
        self.correction: nn.Sequential | None = None
        if corrects:
            hidden, latent = channels
            layers = [
                Precise(hidden + latent, corrects),
                nn.LeakyReLU(0.1),
                Precise(corrects, latent),
            ]
            silence(layers[-1])
            self.correction = nn.Sequential(*layers)
        self.gives_scales, self.scale_heads = gives_scales, nn.ModuleList()
        if gives_scales:
            self.scale_heads.extend(Precise(channels[0], channels[1]) for _ in split.turns)

    def forward(self, turn: int, features: Tensor, y_hat: Tensor, memory: Memory) -> Tensor:
        of = self.of[turn]
        if memory.get("of") != of:
            before = y_hat  # elements of complete turns of the default only
            hidden = self.default.hidden(of, features, before)
            memory.update(of=of, hidden=hidden, mean=self.default.leave[of](hidden))
        mean: Tensor = memory["mean"]
        if self.addition is not None:
            mean = mean + self.addition(turn, memory["hidden"], y_hat, memory)
        if self.gives_scales:
            return torch.cat([mean, self.scale_heads[turn](memory["hidden"])], 1)
        return mean

    def residual(self, turn: int, features: Tensor, y_hat: Tensor, memory: Memory) -> Tensor | None:
        if self.correction is None:
            return None
        found: Tensor = self.correction(torch.cat([memory["hidden"], y_hat], 1))
        return LARGEST_RESIDUAL * torch.tanh(found)


def silence(layer: nn.Module) -> None:
    """Set the weights of a last layer to give zero."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


@torch.no_grad()
def split_scales(default: ScaleNet, split: Split, width: int) -> ScaleNet:
    """A scale network for the turns of a split, initialised to give the scales of the default's network.

    Channels beyond the width of the default's network have no effect at the start.
    """
    old = default.shape
    net = ScaleNet(ScaleShape.of(split.turns, old.hyper, width))
    known, state = default.state_dict(), net.state_dict()
    for key, value in state.items():
        name, *rest = key.split(".")
        if name.startswith("step_"):
            found = known[".".join([name, str(split.of[int(rest[0])]), rest[1]])]
        else:
            found = known[key]
        rows = len(found)
        if found.dim() == 1 or found.shape[1] == 1:  # biases, depth-wise layers
            value[:rows] = found
            continue
        inputs = old.hyper if name == "up1" else old.width
        value[:rows] = 0  # for inputs that the default's network does not have
        value[:rows, :inputs] = found[:, :inputs]
        if name == "step_enter" and found.shape[1] > inputs:
            value[:rows, width:] = found[:, inputs:]
    net.load_state_dict(state)
    return net


@dataclass(frozen=True)
class Variant:
    """A context to train."""

    title: str
    split: Callable[[int], Split] = whole_quarters
    width: int = 0  # of the addition; 0 for none
    blocks: int = 1
    carries: bool = False
    attention: Callable[[int], nn.Module] | None = None
    corrects: int = 0
    scale_width: int = 0  # of the scale network; 0 for the default's
    new_scales: bool = False  # they begin anew
    float_scales: bool = False  # they come from the context, as published, and begin anew

    def put_into(self, model: NacreNetwork) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Replace context and scale network of a model; returns the pretrained and the new parameters."""
        default, scales = model.means, model.scales
        assert isinstance(default, MeanContext) and scales is not None
        split = self.split(model.config.latent)
        channels, addition = (model.config.context, model.config.latent), None
        if self.width:
            addition = Addition(
                channels, len(split.turns), self.width, self.blocks, self.carries, self.attention
            )
        model.requires_grad_(False)
        model.means = SplitContext(
            default, split, channels, addition, self.corrects, self.float_scales
        )
        width = self.scale_width or scales.shape.width
        model.scales = split_scales(scales, split, width)
        if self.new_scales:
            model.scales = ScaleNet(ScaleShape.of(split.turns, scales.shape.hyper, width))
        if self.float_scales:
            model.scales = None
        model.schedule = (model.schedule[0], *split.turns)
        beside = [] if model.scales is None else list(model.scales.parameters())
        old = [*model.means.default.parameters(), *([] if self.new_scales else beside)]
        both = [*model.means.parameters(), *beside]
        new = [p for p in both if not any(p is q for q in old)]
        for parameter in (*old, *new):
            parameter.requires_grad_(True)
        return old, new


VARIANTS: dict[str, Variant] = {
    "control": Variant("today's context, trained on"),
    "deeper": Variant("one more network beside it, of 192 channels", width=192),
    "wider": Variant("of 384 channels and two blocks", width=384, blocks=2),
    "channels": Variant("8 turns: halves of the channels", halved_channels, 192),
    "positions": Variant("8 turns: halves of the positions", halved_positions, 192),
    "coarse": Variant("6 turns: the first from coarse to fine", coarse_first_turn, 192, 2),
    "carried": Variant("state carried from turn to turn", width=192, carries=True),
    "scales": Variant("scale network of 256 channels in place of 128", scale_width=256),
    "new-scales": Variant("scale network begun anew", new_scales=True),
    "float-scales": Variant("scales in floats from the context, begun anew", float_scales=True),
    "residual": Variant("latent residual prediction", corrects=128),
    "local": Variant("attention to 5x5 positions", width=192, attention=Local),
    "global": Variant("attention to all positions", width=192, attention=Global),
    "dictionary": Variant("attention to 128 learned entries", width=192, attention=Dictionary),
}
