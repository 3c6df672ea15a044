from dataclasses import replace

import pytest
import torch

from engine.errors import ModelError
from engine.values import pack, unpack
from nodes import vocabulary
from nodes.loaders import load_lora
from nodes.merge import (
    clip_merge_add,
    clip_merge_simple,
    clip_merge_subtract,
    model_merge_add,
    model_merge_blocks,
    model_merge_sd1,
    model_merge_sd2,
    model_merge_sdxl,
    model_merge_simple,
    model_merge_subtract,
)
from nodes.model_options import rescale_cfg
from nodes.models.service import pool
from nodes.recipes import Clip, FileRef, Model
from tests.nodes.calls import model_context
from tests.nodes.models import tiny, tiny_xl

ONE, TWO = FileRef("checkpoints", "one"), FileRef("checkpoints", "two")
ATTENTION = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"
MIDDLE, LAST = "mid_block.resnets.0.conv1.weight", "up_blocks.1.resnets.0.conv1.weight"


@pytest.fixture(scope="module")
def ctx(tmp_path_factory):
    folder = tmp_path_factory.mktemp("merged")
    first = tiny.tensors()
    tiny.write(folder / "checkpoints" / "one", first)
    tiny.write(folder / "checkpoints" / "two", {name: tensor * 3 + 0.125 for name, tensor in first.items()})
    wide = {**tiny.UNET, "in_channels": 9}
    tiny.write(folder / "checkpoints" / "inpaint", tiny.tensors(*tiny.modules(unet=wide)))
    tiny.write(folder / "checkpoints" / "xl", tiny_xl.tensors(tiny_xl.modules()), {})
    tiny.write(folder / "loras" / "lora", tiny.lora(), {})
    found = model_context(folder)
    found.said = []
    found.warn = found.said.append
    return found


def weights(ctx, recipe):
    models = ctx.use(pool)
    module = models.unet(recipe).module if isinstance(recipe, Model) else models.text(recipe).models[0].module
    return module.state_dict()


@pytest.fixture(scope="module")
def first(ctx):
    return weights(ctx, Model(ONE))


def test_a_ratio_mixes_every_weight(ctx, first):
    second = weights(ctx, Model(TWO))
    mixed = weights(ctx, model_merge_simple(ctx, Model(ONE), Model(TWO), 0.25))
    for name in first:
        torch.testing.assert_close(mixed[name], first[name] * 0.25 + second[name] * 0.75)


@pytest.mark.parametrize(("ratio", "file"), [(1.0, ONE), (0.0, TWO)])
def test_the_ends_of_a_ratio_are_the_models(ctx, ratio, file):
    mixed, plain = weights(ctx, model_merge_simple(ctx, Model(ONE), Model(TWO), ratio)), weights(ctx, Model(file))
    assert all(torch.equal(mixed[name], plain[name]) for name in plain)


def test_blocks_have_ratios_of_their_own(ctx, first):
    second = weights(ctx, Model(TWO))
    mixed = weights(ctx, model_merge_blocks(ctx, Model(ONE), Model(TWO), 1.0, 0.5, 0.0))
    assert torch.equal(mixed[ATTENTION], first[ATTENTION])
    assert torch.equal(mixed["time_embedding.linear_1.weight"], first["time_embedding.linear_1.weight"])
    torch.testing.assert_close(mixed[MIDDLE], (first[MIDDLE] + second[MIDDLE]) / 2)
    assert torch.equal(mixed[LAST], second[LAST]) and torch.equal(mixed["conv_out.bias"], second["conv_out.bias"])


def test_a_difference_is_added_to_another_model(ctx, first):
    difference = model_merge_subtract(ctx, Model(TWO), Model(ONE), 0.5)
    mixed = weights(ctx, model_merge_add(ctx, Model(ONE), difference))
    torch.testing.assert_close(mixed[MIDDLE], first[MIDDLE] * 2 + 0.0625)


def test_patches_keep_their_order(ctx, first):
    lora = load_lora(ctx, Model(ONE), Clip(ONE), "lora", 1.0, 0.0).MODEL
    change = weights(ctx, lora)[MIDDLE] - first[MIDDLE]
    before = weights(ctx, model_merge_simple(ctx, lora, Model(ONE), 0.25))
    torch.testing.assert_close(before[MIDDLE], first[MIDDLE] + change * 0.25)
    below = weights(ctx, model_merge_simple(ctx, Model(ONE), lora, 0.25))
    torch.testing.assert_close(below[MIDDLE], first[MIDDLE] + change * 0.75)
    merged = model_merge_simple(ctx, Model(ONE), Model(TWO), 0.5)
    after = load_lora(ctx, merged, Clip(ONE), "lora", 1.0, 0.0).MODEL
    torch.testing.assert_close(weights(ctx, after)[MIDDLE], weights(ctx, merged)[MIDDLE] + change)


def test_options_are_those_of_the_first_model(ctx):
    merged = model_merge_simple(ctx, rescale_cfg(Model(ONE)), rescale_cfg(Model(TWO), 0.1), 0.5)
    assert merged.options == rescale_cfg(Model(ONE)).options
    assert unpack(pack(merged)) == merged


def test_an_inpainting_model_keeps_its_first_convolution(ctx):
    inpaint = Model(FileRef("checkpoints", "inpaint"))
    ctx.said.clear()
    mixed = weights(ctx, model_merge_add(ctx, inpaint, model_merge_subtract(ctx, Model(TWO), Model(ONE))))
    assert any("conv_in.weight" in said for said in ctx.said)
    assert torch.equal(mixed["conv_in.weight"], weights(ctx, inpaint)["conv_in.weight"])
    assert not torch.equal(mixed[MIDDLE], weights(ctx, inpaint)[MIDDLE])


def test_another_family_is_refused_before_anything_is_built(ctx):
    with pytest.raises(ModelError, match="xl can't be merged into one: they are not of the same family") as caught:
        model_merge_simple(ctx, Model(ONE), Model(FileRef("checkpoints", "xl")), 0.5)
    assert caught.value.hint


def test_text_encoders(ctx):
    first, second = weights(ctx, Clip(ONE)), weights(ctx, Clip(TWO))
    name = "encoder.layers.1.mlp.fc1.weight"
    mixed = weights(ctx, clip_merge_simple(ctx, Clip(ONE), replace(Clip(TWO), layer=-2), 0.25))
    torch.testing.assert_close(mixed[name], first[name] * 0.25 + second[name] * 0.75, rtol=1e-3, atol=1e-3)
    back = clip_merge_add(ctx, Clip(ONE), clip_merge_subtract(ctx, Clip(TWO), Clip(ONE)))
    torch.testing.assert_close(weights(ctx, back)[name], second[name], rtol=1e-3, atol=1e-3)


def test_each_of_two_text_encoders_is_merged_with_its_own_kind(ctx):
    both = Clip(FileRef("checkpoints", "xl"))
    made = ctx.use(pool).text(clip_merge_subtract(ctx, both, both, 1.0)).models
    assert len(made) == 2 and not any(tensor.any() for model in made for tensor in model.module.state_dict().values())


class TestByBlock:
    @pytest.mark.parametrize("merge", [model_merge_sd1, model_merge_sd2])
    def test_each_block_has_a_ratio(self, ctx, first, merge):
        second = weights(ctx, Model(TWO))
        mixed = weights(ctx, merge(ctx, Model(ONE), Model(TWO), **{"middle_block.0.": 0.25, "time_embed.": 0.0}))
        for name in first:
            ratio = 0.25 if name.startswith("mid_block.resnets.0.") else 0.0 if name.startswith("time_emb") else 1.0
            torch.testing.assert_close(mixed[name], first[name] * ratio + second[name] * (1 - ratio))

    def test_the_blocks_of_sdxl(self, ctx):
        xl = Model(FileRef("checkpoints", "xl"))
        doubled = model_merge_add(ctx, xl, xl)
        mixed = weights(ctx, model_merge_sdxl(ctx, xl, doubled, **{"input_blocks.1": 0.5, "out.": 0.0}))
        plain = weights(ctx, xl)
        for name in plain:
            is_last = name.startswith(("conv_out.", "conv_norm_out."))
            factor = 1.5 if name.startswith("down_blocks.0.resnets.0.") else 2.0 if is_last else 1.0
            torch.testing.assert_close(mixed[name], plain[name] * factor)

    def test_a_workflow_names_the_blocks_as_they_are(self):
        spec = vocabulary()["ModelMergeSD1"]
        assert [port.name for port in spec.inputs][:5] == [
            "model1", "model2", "time_embed.", "label_emb.", "input_blocks.0.",
        ]  # fmt: skip
        port = spec.ports["output_blocks.11."]
        assert (port.default, port.minimum, port.maximum, port.required) == (1.0, 0.0, 1.0, True)
