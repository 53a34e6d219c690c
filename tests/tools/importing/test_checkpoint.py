"""Checkpoints of CompressAI: all spellings of their keys, and files that are none."""

from __future__ import annotations

import pytest
import torch

from nacre.entropy.errors import UsageError
from nacre.tools.importing.checkpoint import read_checkpoint

NAME = "bmshj2018-factorized"


def read(tmp_path, content):
    torch.save(content, tmp_path / "a.pth.tar")
    return read_checkpoint(tmp_path / "a.pth.tar", NAME)


@pytest.mark.parametrize(
    "keys",
    [
        ("matrices.0", "biases.3", "factors.2", "_quantized_cdf"),
        ("_matrices.0", "_biases.3", "_factors.2", "_quantized_cdf"),
        ("_matrix0", "_bias3", "_factor2", "_quantized_cdf"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("nested", [False, True])
def test_every_spelling_is_read_as_the_newest(tmp_path, keys, prefix, nested):
    tensors = {f"{prefix}entropy_bottleneck.{key}": torch.ones(k + 1) for k, key in enumerate(keys)}
    tensors[f"{prefix}g_a.0.bias"] = torch.zeros(1)
    found = read(tmp_path, {"state_dict": tensors, "epoch": 3} if nested else tensors)
    of_bottleneck = found.under("entropy_bottleneck.")
    assert {k: len(v) for k, v in of_bottleneck.items()} == {
        "matrices.0": 1, "biases.3": 2, "factors.2": 3, "_quantized_cdf": 4,
    }  # fmt: skip
    assert found["g_a.0.bias"].tolist() == [0]
    with pytest.raises(UsageError, match=r"g_a\.0\.weight is missing"):
        found["g_a.0.weight"]


@pytest.mark.parametrize("name", ["mbt2018", "cheng2020-anchor", "cheng2020-attn"])
def test_raster_scans_are_refused_with_the_reason(tmp_path, name):
    with pytest.raises(UsageError, match="one network run for each position"):
        read_checkpoint(tmp_path / "none", name)


def test_scales_in_floats_are_refused_with_the_reason(tmp_path):
    with pytest.raises(UsageError, match="floats that differ between machines"):
        read_checkpoint(tmp_path / "none", "elic2022-official")


def test_a_raster_scan_under_another_name_is_noticed(tmp_path):
    with pytest.raises(UsageError, match="raster scan"):
        read(tmp_path, {"context_prediction.weight": torch.zeros(1)})


def test_what_is_no_checkpoint_is_refused(tmp_path):
    (tmp_path / "text").write_text("no checkpoint")
    with pytest.raises(UsageError, match="is no checkpoint"):
        read_checkpoint(tmp_path / "text", NAME)
    with pytest.raises(UsageError, match="holds a list"):
        read(tmp_path, [1])
    with pytest.raises(UsageError, match="No such file"):
        read_checkpoint(tmp_path / "nothing", NAME)
    with pytest.raises(UsageError, match="wanted is one of"):
        read_checkpoint(tmp_path / "text", "vgg")


def test_code_in_a_checkpoint_does_not_run(tmp_path):
    class Call:
        def __reduce__(self):
            return print, ("ran",)

    with pytest.raises(UsageError, match="is no checkpoint"):
        read(tmp_path, Call())
