import torch
from hypothesis import given
from hypothesis import strategies as st

from nodes.pixels.operations import OPERATIONS, operation


@given(st.integers(0, 2**31), st.floats(0, 100))
def test_tone_mapping_never_makes_a_vector_longer(seed, multiplier):
    x = torch.randn(1, 4, 5, 6, generator=torch.Generator().manual_seed(seed)) * 10
    found = operation("tonemap", {"multiplier": multiplier})(x)
    assert (found.norm(dim=1) <= x.norm(dim=1) * 1.0001).all() and found.isfinite().all()


def test_every_operation_keeps_the_shape():
    for name, settings in (("tonemap", {"multiplier": 1.0}), ("sharpen", {"radius": 31, "sigma": 1.0, "alpha": 1.0})):
        assert OPERATIONS[name](torch.rand(2, 16, 3, 9), **settings).shape == (2, 16, 3, 9)
