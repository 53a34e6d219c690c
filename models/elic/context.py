"""The context of ELIC: five uneven groups of channels, each in the two passes of a checkerboard."""

from __future__ import annotations

from nacre.entropy.schedule import Schedule
from nacre.models.elic.config import ElicConfig
from nacre.models.parts.channel_context import SliceContext, SliceOptions


def slice_options(c: ElicConfig) -> SliceOptions:
    return SliceOptions(
        sizes=c.groups,
        features=c.features,
        widths=(c.context_width1, c.context_width2),
        sees_all=c.sees_all_groups,
        aggregation=c.aggregation,
        shares_aggregation=c.shares_aggregation,
        predicts_residual=c.predicts_residual,
        gives_scales=c.float_scales,
    )


def turns(c: ElicConfig) -> Schedule:
    """The ten turns of y."""
    return slice_options(c).turns


def group_context(c: ElicConfig) -> SliceContext:
    return SliceContext(slice_options(c))
