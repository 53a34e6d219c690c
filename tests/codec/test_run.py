"""No setting of a machine, and no state of torch, changes the parse of a file."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nacre import codec
from nacre.codec import run as runs
from nacre.codec.search.refine import EFFORTS, Effort
from nacre.models import zoo
from nacre.tools.evaluate import metrics


def psnr_db(a, b) -> float:
    return metrics.psnr_db(np.asarray(a), np.asarray(b))


SETTINGS = {
    "one thread": ({}, "torch.set_num_threads(1)"),
    "onednn off": ({}, "torch.backends.mkldnn.enabled = False"),
    "plain instructions": ({"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}, ""),
    "low matmul precision": ({}, "torch.set_float32_matmul_precision('medium')"),
}
ROUND_TRIP = """
import sys, torch
from PIL import Image
{setting}
from nacre import codec
photo, theirs, ours, decoded = sys.argv[1:]
codec.decode(open(theirs, "rb").read()).save(decoded)
open(ours, "wb").write(codec.encode(Image.open(photo), quality=50))
"""


@pytest.mark.parametrize("setting", SETTINGS)
def test_files_cross_between_settings_of_the_machine(setting, photo, tmp_path):
    """Decoding checks the symbols' checksum, so it fails unless the parse is the same."""
    environment, code = SETTINGS[setting]
    data = codec.encode(photo, quality=50)
    (tmp_path / "theirs.ncr").write_bytes(data)
    photo.save(tmp_path / "photo.png")
    files = [
        str(tmp_path / name) for name in ("photo.png", "theirs.ncr", "ours.ncr", "decoded.png")
    ]
    script = ROUND_TRIP.format(setting=code)
    subprocess.run(
        [sys.executable, "-c", script, *files], env={**os.environ, **environment}, check=True
    )
    here = np.asarray(codec.decode(data)).astype(int)
    there = np.asarray(Image.open(files[3])).astype(int)
    assert np.abs(here - there).max() <= 1
    assert psnr_db(codec.decode(Path(files[2]).read_bytes()), here) > 40


STATES = {
    "float64 by default": lambda: _default_type(torch.float64),
    "bfloat16 by default": lambda: _default_type(torch.bfloat16),
    "another default device": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "inference mode": torch.inference_mode,
    "no gradients": torch.no_grad,
    "deterministic algorithms": lambda: _deterministic(),
    "anomaly detection": torch.autograd.detect_anomaly,
}


@contextmanager
def _default_type(kind):
    torch.set_default_dtype(kind)
    yield
    torch.set_default_dtype(torch.float32)


@contextmanager
def _deterministic():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("effort", [0, 5])
def test_the_state_of_torch_does_not_leak_in(state, effort, photo, tiny, monkeypatch):
    monkeypatch.setitem(EFFORTS, 5, Effort(2, 1))
    wanted = codec.encode(photo, quality=50, effort=effort, model=tiny)
    pixels = codec.decode(wanted, model=tiny).tobytes()
    zoo._models.clear()  # weights are loaded in that state as well
    with STATES[state]():
        assert codec.encode(photo, quality=50, effort=effort, model=tiny) == wanted
        assert codec.decode(wanted, model=tiny).tobytes() == pixels


def test_bfloat16_writes_and_reads_files_of_everyone(photo):
    data = codec.encode(photo, quality=50, precision="bfloat16")
    wanted = psnr_db(photo, codec.decode(codec.encode(photo, quality=50)))
    for precision in ("float32", "bfloat16"):
        assert abs(psnr_db(photo, codec.decode(data, precision=precision)) - wanted) < 0.5


def test_bfloat16_reaches_the_top_of_the_range(photo):
    """Its steps are coarse where y is large: trunks and ends of the transforms must not take them."""
    reached = [
        psnr_db(photo, codec.decode(codec.encode(photo, quality=100, precision=p), precision=p))
        for p in ("float32", "bfloat16")
    ]
    assert abs(reached[0] - reached[1]) < 0.5


def test_memory_format_and_batch_of_threads_do_not_change_the_file(tiny, photo):
    def encode(_):
        return codec.encode(photo, model=tiny)

    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(encode, range(8)))) == 1


def test_another_device_has_a_copy_of_its_own(tiny_model):
    runs._network_on(tiny_model.network, torch.device("meta"))
    assert {p.device.type for p in tiny_model.network.parameters()} == {"cpu"}
