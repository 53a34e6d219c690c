"""Chooses the device of a training process, and joins the processes that torchrun started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from nacre.entropy.errors import UsageError
from nacre.tools.train.trainer import Place


@contextmanager
def placed(device: str, precision: str) -> Iterator[Place]:
    """Yield the place of this process, and leave the group of processes at the end.

    `precision` is "float32", "bfloat16", or "auto": bfloat16 where the hardware has it. Raises UsageError.
    """
    processes, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"--device {device}: torch finds no CUDA device")
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    where = torch.device(device)
    if where.type == "cuda":
        torch.cuda.set_device(where)
        torch.backends.cudnn.benchmark = True
        has_bfloat16 = torch.cuda.is_bf16_supported()
    else:  # without CPU instructions for it, bfloat16 is twenty times slower
        has_bfloat16 = getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()
    use_bfloat16 = precision == "bfloat16" or (precision == "auto" and has_bfloat16)
    if processes > 1:
        torch.distributed.init_process_group("nccl" if where.type == "cuda" else "gloo")
    try:
        yield Place(where, rank, processes, use_bfloat16)
    finally:
        if processes > 1:
            torch.distributed.destroy_process_group()
