"""Networks without values: built on the meta device, to be filled from a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

INITIALISERS = {
    "normal_", "uniform_", "fill_", "zero_", "copy_", "_no_grad_normal_", "_no_grad_uniform_",
    "kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_", "trunc_normal_",
    "constant_", "zeros_", "ones_",
}  # fmt: skip


class _NoInitialisers(TorchFunctionMode):
    """Skips initial values: random numbers on the meta device would import half of torch."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if getattr(func, "__name__", "") in INITIALISERS:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


@contextmanager
def unfilled() -> Iterator[None]:
    """Modules that are built inside the `with` block have shapes but no values and no memory."""
    with torch.inference_mode(False), torch.device("meta"), _NoInitialisers():
        yield
