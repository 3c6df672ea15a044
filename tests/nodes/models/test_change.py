"""Whatever the shapes of a file: it fits and gives a weight of the weight's shape, or it is refused as it is opened."""

from collections.abc import Mapping
from math import prod
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ModelError
from nodes.models.families.checkpoint import Network
from nodes.models.lora import Patch, fit
from nodes.models.weights import TensorInfo, Weights

Shape = tuple[int, ...]
NETWORK = Network({}, torch.nn.Identity, {"to_k.weight": "to_k.weight"}, "", ("unet.",))


def holding(name: str, shapes: Mapping[str, Shape]) -> Weights:
    infos = {name: TensorInfo("F32", shape) for name, shape in shapes.items()}
    return Weights(Path(name), {}, infos, lambda name: torch.ones(shapes[name]))


def whole(weight: Shape, rank: int) -> list[dict[str, Shape]]:
    """Return the shapes of the parts of changes that fit a weight, by how their names end."""
    outs, ins, kernel = weight[0], weight[1], weight[2:]
    one = (1,) * len(kernel)
    up, down = (outs, rank, *one), (rank, ins, *kernel)
    flat = {"w1_a": (outs, rank), "w1_b": (rank, prod(weight[1:])), "w2_a": (outs, 1), "w2_b": (1, prod(weight[1:]))}
    found: list[dict[str, Shape]] = [
        {"lora_up.weight": up, "lora_down.weight": down},
        {"lora_B.weight": (outs, rank), "lora_A.weight": down, "lora_magnitude_vector": (outs,)},
        {"diff": weight},
        {f"hada_{part}": shape for part, shape in flat.items()},
        {"lokr_w1": (1, ins), "lokr_w2": (outs, 1, *kernel)},
        {
            "lokr_w1_a": (outs, rank),
            "lokr_w1_b": (rank, 1),
            "lokr_w2_a": (1, rank),
            "lokr_w2_b": (rank, ins * prod(kernel)),
        },
    ]
    if kernel:
        core = (rank, rank, *kernel)
        found.append({"lora_up.weight": up, "lora_mid.weight": core, "lora_down.weight": (rank, ins, *one)})
        halves = {f"hada_w{n}_{part}": (rank, size) for n in (1, 2) for part, size in (("a", outs), ("b", ins))}
        found.append({**halves, "hada_t1": core, "hada_t2": core})
        found.append({"lokr_w1": (outs, 1), "lokr_w2_a": (rank, 1), "lokr_w2_b": (rank, ins), "lokr_t2": core})
    return found


SIZES = st.integers(1, 4)
WEIGHTS = st.one_of(st.tuples(SIZES, SIZES), st.tuples(SIZES, SIZES, SIZES, SIZES))


@st.composite
def fitting(draw: st.DrawFn) -> tuple[Shape, dict[str, Shape]]:
    weight = draw(WEIGHTS)
    parts = dict(draw(st.sampled_from(whole(weight, draw(SIZES)))))
    one = (1,) * (len(weight) - 2)
    parts |= draw(st.sampled_from([{}, {"alpha": ()}, {"alpha": (1,)}]))
    parts |= draw(st.sampled_from([{}, {"dora_scale": (weight[0], 1, *one)}, {"dora_scale": (1, weight[1], *one)}]))
    return weight, parts


@st.composite
def any_shapes(draw: st.DrawFn) -> tuple[Shape, dict[str, Shape]]:
    """Return a weight and a change some of whose shapes are others, with more or fewer dimensions and empty ones."""
    weight, parts = draw(fitting())
    some = st.one_of(
        st.lists(st.integers(0, 4), max_size=4).map(tuple),
        st.sampled_from([*parts.values(), weight]).map(lambda shape: shape[:-1]),
        st.sampled_from([*parts.values(), weight]).map(lambda shape: (*shape, 1)),
        st.sampled_from([*parts.values(), weight]),
    )
    parts |= draw(st.dictionaries(st.sampled_from(sorted(parts)), some, max_size=3))
    return draw(st.sampled_from([weight, weight[:1], (prod(weight),)])), parts


def applied(weight: Shape, parts: Mapping[str, Shape]) -> torch.Tensor:
    base = holding("base", {"to_k.weight": weight})
    file = holding("lora", {f"unet.to_k.{part}": shape for part, shape in parts.items()})
    fitted = fit(file, base, NETWORK)
    assert fitted
    return Patch(file, fitted, 0.5).applied(torch.full(weight, 2.0), "to_k.weight")


@given(fitting())
def test_what_fits_gives_a_weight_of_its_shape(case: tuple[Shape, dict[str, Shape]]) -> None:
    weight, parts = case
    changed = applied(weight, parts)
    assert changed.shape == weight and changed.isfinite().all()


@given(any_shapes())
def test_what_does_not_is_refused_by_its_header(case: tuple[Shape, dict[str, Shape]]) -> None:
    weight, parts = case
    try:
        changed = applied(weight, parts)
    except ModelError as error:
        assert "lora does not fit base" in str(error)
    else:
        assert changed.shape == weight and changed.isfinite().all()


@pytest.mark.parametrize(
    ("weight", "parts"),
    [
        ((4,), {"diff": (4,), "dora_scale": (1,)}),
        ((4,), {"diff": (4,), "dora_scale": (4,)}),
        ((4,), {"lora_up.weight": (4, 2), "lora_down.weight": (2,)}),
        ((4, 6), {"lora_up.weight": (4, 3), "lora_mid.weight": (3, 4), "lora_down.weight": (4, 6, 3, 6)}),
        ((4, 6), {"lora_up.weight": (4, 2), "lora_down.weight": (2, 6), "alpha": (2,)}),
        ((4, 6), {"lora_up.weight": (4, 0), "lora_down.weight": (0, 6)}),
        ((4, 6), {"hada_w1_a": (), "hada_w1_b": (2, 6), "hada_w2_a": (4, 2), "hada_w2_b": (2, 6)}),
        ((4, 6), {"hada_w1_a": (4, 2), "hada_w1_b": (2,), "hada_w2_a": (4, 2), "hada_w2_b": (2, 6)}),
        ((4, 6), {"hada_w1_a": (4, 2), "hada_w1_b": (3, 6), "hada_w2_a": (4, 2), "hada_w2_b": (2, 6)}),
        ((4, 6), {"lokr_w1": (), "lokr_w2": (4, 6)}),
        ((4, 6), {"lokr_w1": (4,), "lokr_w2": (1, 6)}),
        ((4, 6), {"lokr_w1": (2, 6), "lokr_w2_a": (2,), "lokr_w2_b": (1, 1)}),
        ((4, 6), {"lokr_w1": (2, 6), "lokr_w2_a": (2, 1), "lokr_w2_b": (1, 1), "alpha": (2, 2)}),
    ],
)
def test_shapes_of_no_change_are_refused(weight: Shape, parts: Mapping[str, Shape]) -> None:
    with pytest.raises(ModelError, match="lora does not fit base"):
        applied(weight, parts)
