import pytest
import torch
from torch import nn

from nodes.models.wide import SCALE, widen


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2])
@torch.no_grad()
def test_narrow_matrices_compute_as_wide_ones(dtype: torch.dtype) -> None:
    module = nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 5), nn.Linear(5, 3, bias=False))
    widen(module)
    for parameter in module.parameters():
        parameter.data = parameter.to(dtype)
    ids = torch.tensor([[1, 8, 3]])
    found = module(ids)
    expected = ids
    assert found.dtype == torch.float32
    table, first, second = (module[n].weight.float() for n in range(3))
    expected = (table[ids] @ first.T + module[1].bias.float()) @ second.T
    torch.testing.assert_close(found, expected)
    assert {parameter.dtype for parameter in module.parameters()} == {dtype}


@torch.no_grad()
def test_a_factor_counts_where_there_is_one() -> None:
    module = nn.Sequential(nn.Embedding(4, 8), nn.Linear(8, 5))
    widen(module, frozenset({"0", "1"}))
    plain = module(torch.tensor([2]))
    for place in (0, 1):
        module[place].get_buffer(SCALE).fill_(3.0)
    bias = module[1].bias
    torch.testing.assert_close(module(torch.tensor([2])), (plain - bias) * 9 + bias)
    assert set(module.state_dict()) == {"0.weight", "0.scale_weight", "1.weight", "1.bias", "1.scale_weight"}


@torch.no_grad()
def test_it_computes_in_what_it_gets() -> None:
    layer = nn.Sequential(nn.Linear(4, 2))
    widen(layer)
    assert layer(torch.ones(1, 4, dtype=torch.bfloat16)).dtype == torch.bfloat16
    assert layer(torch.ones(1, 4)).dtype == torch.float32
