"""Steps that a GPU runs faster learn what ordinary steps do."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from nacre.models.nacre import NacreConfig, NacreNetwork
from nacre.tools.train.gpu import GraphedGradients, compile_blocks

TINY = NacreConfig(
    width8=16, width16=16, latent=16, hyper=8, hyper_analysis_width=8, hyper_width=8, context=16,
    scale_width=8, blocks8=1, blocks16=1,
)  # fmt: skip


def gradients(network: nn.Module, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    coded = network(x, t)
    loss = coded.bits.mean() + (coded.x_hat - x).square().mean()
    network.zero_grad(set_to_none=True)
    loss.backward()
    return loss.detach()[None]


def seeded(network: nn.Module, call, x: torch.Tensor, t: torch.Tensor):
    """The figure and the gradients of a call, with noise of one seed."""
    torch.manual_seed(1)
    figure = call(x, t)
    return figure, [p.grad.clone() for p in network.parameters()]


def batches(device: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
    drawn = torch.Generator().manual_seed(0)
    return [
        (torch.rand(2, 3, 64, 64, generator=drawn).to(device), torch.tensor([0.1, 0.8]).to(device))
        for _ in range(2)
    ]


def test_compiled_blocks_have_the_gradients_of_the_others(monkeypatch):
    compiled = nn.Module.compile
    monkeypatch.setattr(  # the tracer alone: a compiler for the CPU need not be there
        nn.Module, "compile", lambda self, **options: compiled(self, backend="eager", **options)
    )
    torch.manual_seed(0)
    network = NacreNetwork(TINY)
    x, t = batches("cpu")[0]
    figure, plain = seeded(network, partial(gradients, network), x, t)
    compile_blocks(network)
    assert network.synthesis.stride16[0]._compiled_call_impl is not None
    again, traced = seeded(network, partial(gradients, network), x, t)
    torch.testing.assert_close(again, figure)
    torch.testing.assert_close(traced, plain)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_replayed_graph_has_the_gradients_of_its_batch():
    torch.manual_seed(0)
    network = NacreNetwork(TINY).cuda()
    plain = partial(gradients, network)
    wanted = [seeded(network, plain, x, t) for x, t in batches("cuda")]
    graphed = GraphedGradients(plain, *batches("cuda")[0], list(network.parameters()))
    for (x, t), (figure, grads) in zip(batches("cuda"), wanted, strict=True):
        again, found = seeded(network, graphed, x, t)
        torch.testing.assert_close(again, figure, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(found, grads, rtol=1e-2, atol=1e-3)
