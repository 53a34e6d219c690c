"""A model that is trained for other than squared errors is not searched: the search would undo its training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nacre import codec
from nacre.entropy.errors import UsageError
from nacre.models.family import SQUARED_ERROR, STRUCTURE
from nacre.models.weights_file import write_weights
from nacre.models.zoo import load_model


@pytest.fixture
def structural(tiny, tiny_model, tmp_path) -> Path:
    """The tiny model, as if it were trained for structural similarity."""
    made = tmp_path / "structural.safetensors"
    parts = (tiny_model.network, tiny_model.integers, tiny_model.tables)
    write_weights(made, "structural", tiny_model.family, *parts, distortion=STRUCTURE)
    return made


def test_the_weights_file_tells_the_distortion(structural, tiny_model):
    assert load_model(structural).distortion == STRUCTURE
    assert tiny_model.distortion == SQUARED_ERROR


def test_every_effort_gives_the_file_of_effort_0(structural, tiny, photo):
    plain, searched = (codec.encode(photo, model=structural, effort=effort) for effort in (0, 2))
    assert plain == searched == codec.encode(photo, model=structural)
    assert codec.encode(photo, model=tiny, effort=0) != codec.encode(photo, model=tiny, effort=2)


def test_a_wanted_size_is_met_by_steps_of_quality(structural, photo):
    reached = codec.encode_to(photo, size=900, model=structural)
    assert len(reached.data) <= 900
    assert codec.encode(photo, quality=reached.quality, model=structural) == reached.data


def test_a_region_of_interest_is_refused_with_the_reason(structural, photo):
    weights = np.ones((photo.height, photo.width))
    with pytest.raises(UsageError, match="squared errors"):
        codec.encode(photo, roi=weights, model=structural)
