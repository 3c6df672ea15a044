from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad

from engine.errors import InputError, ModelError
from nodes.models import families
from nodes.models.assemble import assemble
from nodes.models.families import sd3
from nodes.models.families.checkpoint import Checkpoint, Encoded
from nodes.models.weights import open_weights
from nodes.recipes import Cond, FileRef
from tests.nodes.models import tiny, tiny_flux, tiny_sd3, tiny_t5


def detected(path: Path, content: dict[str, Tensor]) -> Checkpoint:
    return families.detect(open_weights(tiny.write(path / "x", content, {})))


@pytest.mark.parametrize("has_t5", [True, False])
def test_what_a_checkpoint_holds(tmp_path: Path, has_t5: bool) -> None:
    found = detected(tmp_path, tiny_sd3.checkpoint(has_t5=has_t5))
    assert (found.family, found.prediction, found.defaults) == ("sd3", "flow", sd3.DEFAULTS)
    assert found.unet and found.vae and found.unet.keeps
    assert (found.latent.channels, found.latent.scale, found.latent.shift) == (16, 1.5305, 0.0609)
    assert (found.latent.factor, found.latent.space) == (8, "sd3")
    clips = [("l", 77, -2, False, True), ("g", 77, -2, False, True)]
    expected = [*clips, ("t5xxl", 77, -1, True, False)] if has_t5 else clips
    assert [(e.name, e.length, e.layer, e.final_norm, e.pools) for e in found.text] == expected
    assert set(open_weights(tmp_path / "x").infos) == {k for n in found.networks for k in n.keys.values()}
    t = torch.arange(1, 1001) / 1000
    torch.testing.assert_close(found.levels().table, 3 * t / (1 + 2 * t))
    assert found.levels().timestep(torch.tensor(0.25)) == 250


KINDS = {"3": {"is_normed": False, "dual": 0}, "3.5 large": {"dual": 0}, "3.5 medium": {"dual": 2}}


@pytest.mark.parametrize("kind", KINDS)
def test_the_transformer_has_the_tensors_that_the_conversion_of_diffusers_makes(tmp_path: Path, kind: str) -> None:
    tensors = tiny_sd3.transformer(**KINDS[kind])
    expected = tiny_sd3.reference(tensors).state_dict()
    for content in (tensors, expected):
        network = detected(tmp_path, dict(content)).unet
        assert network
        built = assemble(network, open_weights(tmp_path / "x"), torch.device("cpu"), (torch.float32,)).state_dict()
        assert built.keys() == expected.keys()
        assert all(torch.equal(built[name], tensor) for name, tensor in expected.items())


def test_prompts_and_sizes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    found, context = detected(tmp_path, tiny_sd3.transformer()), torch.zeros(1, 3, tiny_sd3.CONTEXT)
    fitting = Cond(context, torch.zeros(1, tiny_sd3.POOLED))
    assert found.inputs(fitting, (1, 16, 12, 4), False).keys() == {"context", "pooled"}
    with pytest.raises(InputError, match="larger than the model knows places for") as error:
        found.inputs(fitting, (1, 16, 13, 4), False)
    assert (error.value.got, error.value.expected) == ("32 x 104 pixels", "sides of at most 96 pixels")
    with pytest.raises(ModelError, match="encoded for another family"):
        found.inputs(Cond(context, torch.zeros(1, 3)), (1, 16, 12, 4), False)


def test_its_encoders_are_found_in_any_order_and_may_be_some(tmp_path: Path) -> None:
    found = {
        name: detected(tmp_path, content()).text[0]
        for name, content in (("l", tiny_flux.clip_l), ("g", tiny_sd3.clip_g), ("t5xxl", tiny_t5.encoder))
    }
    a, b, c = (FileRef("text_encoders", name) for name in "abc")
    whole = sd3.chosen([(a, found["t5xxl"]), (b, found["g"]), (c, found["l"])])
    assert whole and [(file, each.name, each.layer, each.length) for file, each in whole] == [
        (c, "l", -2, 77),
        (b, "g", -2, 77),
        (a, "t5xxl", -1, 77),
    ]
    assert whole[0][1].pools and not whole[0][1].final_norm
    some = sd3.chosen([(a, found["t5xxl"])])
    assert some and [each.name for _, each in some] == ["t5xxl"]
    assert sd3.chosen([(a, found["l"]), (b, found["l"])]) is sd3.chosen([]) is None


def drawn(tokens: int, width: int, pooled: int | None = None) -> Encoded:
    return Encoded(torch.randn(1, tokens, width), None if pooled is None else torch.randn(1, pooled))


def test_contexts_stand_side_by_side_with_t5_behind() -> None:
    small, large, reading = drawn(154, 768, 768), drawn(77, 1280, 1280), drawn(80, 4096)
    context, pooled = sd3.joined({"l": small, "g": large, "t5xxl": reading})
    pair = pad(torch.cat([small.context[:, :77], large.context], -1), (0, 4096 - 2048))
    assert torch.equal(context, torch.cat([pair, reading.context], 1))
    assert pooled is not None and torch.equal(pooled, torch.cat([small.pooled, large.pooled], -1))  # type: ignore[list-item]


def test_what_is_not_there_is_zero() -> None:
    small, large, reading = drawn(77, 768, 768), drawn(77, 1280, 1280), drawn(80, 4096)
    assert torch.equal(sd3.joined({"t5xxl": reading}).context, reading.context)
    assert sd3.joined({"t5xxl": reading}).pooled.count_nonzero() == 0  # type: ignore[union-attr]
    alone = sd3.joined({"g": large})
    assert torch.equal(alone.context, pad(large.context, (768, 4096 - 2048)))
    assert torch.equal(alone.pooled, pad(large.pooled, (768, 0)))  # type: ignore[arg-type]
    assert torch.equal(sd3.joined({"l": small}).context, pad(small.context, (0, 4096 - 768)))
    empty = sd3.joined({})
    assert empty.context.shape == (1, 77, 4096) and empty.pooled.shape == (1, 2048)  # type: ignore[union-attr]
