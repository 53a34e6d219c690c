"""The place of a training process."""

from __future__ import annotations

import pytest
import torch

from nacre.entropy.errors import UsageError
from nacre.tools.train.distributed import placed


@pytest.mark.parametrize(("precision", "wanted"), [("float32", False), ("bfloat16", True)])
def test_a_process_alone(monkeypatch, precision, wanted):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with placed("cpu", precision) as place:
        assert (place.device.type, place.rank, place.processes) == ("cpu", 0, 1)
        assert place.use_bfloat16 is wanted


def test_the_group_of_processes_is_left_after_an_error(monkeypatch, tmp_path):
    environment = {"WORLD_SIZE": "2", "RANK": "1"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    calls = []
    monkeypatch.setattr(torch.distributed, "init_process_group", calls.append)
    monkeypatch.setattr(
        torch.distributed, "destroy_process_group", lambda: calls.append("destroyed")
    )

    def fail() -> None:
        with placed("cpu", "float32") as place:
            assert (place.rank, place.processes) == (1, 2)
            raise UsageError("stopped")

    with pytest.raises(UsageError, match="stopped"):
        fail()
    assert calls == ["gloo", "destroyed"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_a_missing_device_is_told():
    with (
        pytest.raises(UsageError, match="--device cuda: torch finds no CUDA device"),
        placed("cuda", "auto"),
    ):
        pass
