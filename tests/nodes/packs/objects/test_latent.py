import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.values import pack
from nodes.packs.objects import from_foreign, to_foreign
from nodes.recipes import Latent


@st.composite
def latents(draw):
    batch = draw(st.integers(1, 3))
    mask = draw(st.sampled_from([None, torch.rand(1, 6, 5), torch.rand(batch, 2, 3)]))
    places = draw(st.sampled_from([None, tuple(range(3, 3 + batch))]))
    values = st.sampled_from([1, "a", [1, (2, 3)], torch.rand(2)])
    extra = draw(st.dictionaries(st.text(max_size=4), values, max_size=2))
    extra = {name: value for name, value in extra.items() if name not in ("samples", "noise_mask", "batch_index")}
    return Latent(torch.randn(batch, 4, 2, 3), mask, places, extra, draw(st.sampled_from([None, "sd1"])))


@given(latents())
def test_what_goes_through_a_foreign_node_has_the_same_bytes(latent):
    assert pack(from_foreign("LATENT", to_foreign("LATENT", latent))).digest == pack(latent).digest
    assert pack(from_foreign("*", to_foreign("*", latent))).digest == pack(latent).digest
    assert pack(from_foreign("LATENT", to_foreign("LATENT", latent).copy())).digest == pack(latent).digest


def test_foreign_code_finds_the_shapes_that_it_expects():
    found = to_foreign("LATENT", Latent(torch.zeros(2, 4, 8, 8), torch.ones(2, 8, 8), (4, 5), {"type": "audio"}))
    assert found["noise_mask"].shape == (2, 1, 8, 8)
    assert found["batch_index"] == [4, 5]
    assert found["type"] == "audio"
    assert "noise_mask" not in to_foreign("LATENT", Latent(torch.zeros(1, 4, 8, 8)))


def test_the_family_is_forgotten_with_the_samples():
    found = to_foreign("LATENT", Latent(torch.zeros(1, 4, 8, 8), space="sd1")).copy()
    found["samples"] = torch.ones(1, 4, 8, 8)
    assert from_foreign("LATENT", found).space is None


def test_a_plain_dict_becomes_a_latent():
    found = from_foreign(
        "LATENT", {"samples": torch.zeros(1, 4, 8, 8, dtype=torch.float16), "noise_mask": torch.ones(8, 8), "own": 1}
    )
    assert found.samples.dtype == torch.float32
    assert found.noise_mask.shape == (1, 8, 8)
    assert found.extra == {"own": 1}
    assert isinstance(from_foreign("*", {"samples": torch.zeros(1, 4, 8, 8)}), Latent)


def test_changes_of_the_dict_stay_with_the_node():
    latent = Latent(torch.zeros(1, 4, 8, 8), extra={"list": [1]})
    found = to_foreign("LATENT", latent)
    found["list"].append(2)
    found["more"] = 3
    assert latent.extra == {"list": [1]}


@pytest.mark.parametrize("given", [{}, 5, {"samples": 3}, torch.zeros(3)])
def test_anything_else_is_an_error(given):
    with pytest.raises(InputError, match="The node Test of Pack gives a LATENT that is none"):
        from_foreign("LATENT", given)
