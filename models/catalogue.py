"""The families with their published configurations, and the cost of each."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from nacre.entropy.errors import WeightsError
from nacre.models import family as families
from nacre.models.family import Family, Network, Published
from nacre.models.parts.unfilled import unfilled

FLOATS = "float_scales"  # the field that asks for scales in floats, as published


def rows() -> list[dict[str, Any]]:
    """A row for each published configuration of each family, in the order of family names."""
    return [
        row(family, published)
        for family in map(families.find, families.names())
        for published in family.published or (Published("", "", {}),)
    ]


def row(family: Family, published: Published) -> dict[str, Any]:
    """Counts of one configuration. Those under "as_published" are for scales in floats."""
    ours, as_published = (_shapes(family, published, floats) for floats in (False, True))
    cost = ours.multiplications()
    return {
        "family": family.name,
        "system": published.name,
        "paper": published.paper,
        "values": dict(published.values),
        "parameters": ours.parameter_count(),
        "kmac_per_pixel": {key: round(value, 1) for key, value in cost.items()},
        "turns": len(ours.schedule),
        "as_published": {
            "parameters": as_published.parameter_count(),
            "kmac_per_pixel": round(as_published.multiplications().get("forward", 0), 1),
        },
        "published": {"parameters_m": published.parameters, "kmac_per_pixel": published.kmac},
        "note": published.note,
    }


def _shapes(family: Family, published: Published, floats: bool) -> Network:
    """A network without values; with `floats`, scales are in floats if the family has that option."""
    values = dict(published.values)
    with unfilled():
        if floats and hasattr(family.configure(values), FLOATS):
            with suppress(WeightsError):  # a family whose scales are always integers
                return family.build(family.configure({**values, FLOATS: True}))
        return family.build(family.configure(values))
