"""Attention layers for additions to the default's context: (B, width, h, w) to the same shape."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nacre.models.parts.dictionary import DictionaryAttention
from nacre.models.parts.linear_attention import LinearAttention
from nacre.models.parts.local_attention import LocalAttention

HEADS, WINDOW = 6, 5
ENTRIES = 128  # of the dictionary


class Local(nn.Module):
    """Attention to the 5x5 positions around each (MLIC++)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = LocalAttention(width, WINDOW, HEADS)
        self.leave = nn.Conv2d(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.leave(self.attention(x, torch.ones(x.shape[2:], dtype=torch.bool)))
        return found


class Global(nn.Module):
    """Attention to all positions at linear cost (MLIC++)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = LinearAttention(width, HEADS)

    def forward(self, x: Tensor) -> Tensor:
        seen = torch.ones(x.shape[2:], dtype=torch.bool)
        found: Tensor = self.attention(x, x, x, seen)
        return found


class Dictionary(nn.Module):
    """Attention to learned entries (DCAE)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.entries = nn.Parameter(torch.randn(ENTRIES, width))
        self.attention = DictionaryAttention(width, width, width, HEADS)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.attention(x, self.entries)
        return found
