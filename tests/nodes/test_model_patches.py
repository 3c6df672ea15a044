from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from engine.errors import ModelError
from engine.values import pack, unpack
from nodes.model_patches import (
    clip_attention_multiply,
    deep_shrink,
    differential_diffusion,
    freeu,
    freeu_v2,
    hyper_tile,
    load_hypernetwork,
    token_merging,
    unet_cross_attention_multiply,
    unet_self_attention_multiply,
)
from nodes.models.service import pool
from nodes.recipes import Clip, Cond, Conditioning, FileRef, Latent, Model
from nodes.sampler import ksampler
from tests.nodes.calls import model_context
from tests.nodes.models import tiny

MODEL = Model(FileRef("checkpoints", "tiny"))


def prompt(seed):
    return Conditioning((Cond(torch.randn(1, 7, 32, generator=torch.Generator().manual_seed(seed))),))


POSITIVE, NEGATIVE = prompt(1), prompt(2)


def sampled(ctx, model, height=16, width=16, cfg=2.5, steps=1, mask=None):
    latent = Latent(torch.zeros(1, 4, height, width) if mask is None else torch.ones(1, 4, height, width), mask)
    scheduled = {"sampler_name": "euler", "scheduler": "normal"}
    found = ksampler(
        ctx, model, seed=3, steps=steps, cfg=cfg, positive=POSITIVE, negative=NEGATIVE, latent_image=latent, **scheduled
    )
    module = ctx.use(pool).unet(model).module
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in module.modules())
    return found.samples


@pytest.fixture(scope="module")
def plain(ctx):
    return sampled(ctx, MODEL)


class TestFreeU:
    @pytest.mark.parametrize("node", [freeu, freeu_v2])
    def test_ones_change_nothing(self, ctx, plain, node):
        torch.testing.assert_close(sampled(ctx, node(MODEL, 1.0, 1.0, 1.0, 1.0)), plain, rtol=1e-3, atol=1e-3)

    @pytest.mark.parametrize("node", [freeu, freeu_v2])
    @pytest.mark.parametrize("place", [1, 3])
    def test_each_factor_of_a_level_that_is_there_counts(self, ctx, plain, node, place):
        factors = [1.0] * 4
        factors[place] = 1.5
        assert not torch.allclose(sampled(ctx, node(MODEL, *factors)), plain, atol=1e-2)

    def test_factors_of_a_level_that_is_not_there_do_not_count(self, ctx, plain):
        found = sampled(ctx, freeu(MODEL, 3.0, 1.0, 3.0, 1.0))
        torch.testing.assert_close(found, plain, rtol=1e-3, atol=1e-3)


class TestHyperTile:
    def test_a_tile_as_large_as_the_picture_changes_nothing(self, ctx, plain):
        assert torch.equal(sampled(ctx, hyper_tile(MODEL, 256)), plain)

    def test_smaller_tiles_change_it_the_same_way_each_time(self, ctx, plain):
        tiled = hyper_tile(MODEL, 32, 2, 1, True)
        found = sampled(ctx, tiled)
        assert not torch.equal(found, plain) and torch.equal(found, sampled(ctx, tiled))
        assert sampled(ctx, tiled, 12, 20).isfinite().all()


class TestTokenMerging:
    def test_nothing_merged_changes_nothing(self, ctx, plain):
        assert torch.equal(sampled(ctx, token_merging(MODEL, 0.0)), plain)

    @pytest.mark.parametrize("ratio", [0.3, 1.0])
    def test_merging_changes_it(self, ctx, plain, ratio):
        found = sampled(ctx, token_merging(MODEL, ratio))
        assert found.isfinite().all() and not torch.equal(found, plain)


class TestDeepShrink:
    def shrunk(self, number, after=True, factor=2.0, start=0.0, end=1.0, method="bicubic"):
        return deep_shrink(MODEL, number, factor, start, end, after, downscale_method=method, upscale_method=method)

    @pytest.mark.parametrize("after", [True, False])
    @pytest.mark.parametrize("number", [1, 2, 3])
    def test_every_block_can_be_shrunk(self, ctx, plain, number, after):
        found = sampled(ctx, self.shrunk(number, after))
        assert found.shape == plain.shape and not torch.allclose(found, plain)

    def test_a_block_that_is_not_there_is_left_out(self, ctx, plain):
        assert torch.equal(sampled(ctx, self.shrunk(9)), plain)

    def test_a_range_that_is_over_changes_nothing(self, ctx, plain):
        assert torch.equal(sampled(ctx, self.shrunk(1, start=0.0, end=0.0)), plain)
        part, whole = (sampled(ctx, self.shrunk(1, end=end), steps=2) for end in (0.2, 1.0))
        assert not torch.equal(part, sampled(ctx, MODEL, steps=2)) and not torch.equal(part, whole)

    @pytest.mark.parametrize("method", ["nearest-exact", "area", "bislerp", "bilinear"])
    def test_any_size_and_method(self, ctx, method):
        assert sampled(ctx, self.shrunk(1, factor=1.7, method=method), 9, 14).shape == (1, 4, 9, 14)
        assert sampled(ctx, self.shrunk(2, factor=0.5, method=method), 8, 8).shape == (1, 4, 8, 8)


def network(width, seed, *, norm=False):
    draw = torch.Generator().manual_seed(seed)
    layers = {
        "linear.0.weight": torch.randn(2 * width, width, generator=draw) * 0.1,
        "linear.0.bias": torch.zeros(2 * width),
    }
    if norm:
        layers |= {"linear.1.weight": torch.ones(2 * width), "linear.1.bias": torch.zeros(2 * width)}
    layers["linear.3.weight"] = torch.randn(width, 2 * width, generator=draw)
    layers["linear.3.bias"] = torch.zeros(width)
    return layers


@pytest.fixture(scope="module")
def nets(tmp_path_factory, tiny_tensors):
    folder = tmp_path_factory.mktemp("hypernetworks")
    tiny.write(folder / "checkpoints" / "tiny", tiny_tensors)
    (folder / "hypernetworks").mkdir()
    for name, width, about in (
        ("one.pt", 32, {"activation_func": "relu", "layer_structure": [1, 2, 1], "activate_output": False}),
        ("ends.pt", 32, {"activation_func": "tanh", "activate_output": True}),
        ("other.pt", 768, {}),
        ("odd.pt", 32, {"activation_func": "dance"}),
    ):
        pair = (network(width, 1, norm=name == "one.pt"), network(width, 2))
        torch.save({width: pair, "name": "it", "step": 3, **about}, folder / "hypernetworks" / name)
    flat = {f"32.{side}.{key}": t for side in (0, 1) for key, t in network(32, side + 1).items()}
    save_file(flat, folder / "hypernetworks" / "safe")
    return model_context(folder)


class TestHypernetwork:
    def test_strength_counts_and_nothing_is_left_behind(self, nets, plain):
        half, whole = (sampled(nets, load_hypernetwork(nets, MODEL, "one.pt", strength)) for strength in (0.5, 1.0))
        assert not torch.equal(half, whole) and not torch.equal(half, plain)
        assert torch.equal(sampled(nets, MODEL), plain)
        assert load_hypernetwork(nets, MODEL, "one.pt", 0.0) is MODEL

    def test_keys_and_values_are_made_of_x_and_what_the_net_gives(self, nets):
        model = load_hypernetwork(nets, MODEL, "one.pt", 0.5)
        key, value = nets.use(pool).hypernetwork(model.options[0].file).pairs[32]
        layers, x = network(32, 1, norm=True), torch.randn(1, 3, 32)
        hidden = torch.nn.functional.layer_norm((x @ layers["linear.0.weight"].T).relu(), (64,))
        torch.testing.assert_close(key(x), hidden @ layers["linear.3.weight"].T)
        layers = network(32, 2)
        torch.testing.assert_close(value(x), (x @ layers["linear.0.weight"].T).relu() @ layers["linear.3.weight"].T)

    def test_a_net_may_end_in_its_activation(self, nets):
        model = load_hypernetwork(nets, MODEL, "ends.pt")
        assert nets.use(pool).hypernetwork(model.options[0].file).pairs[32][0](torch.ones(1, 32) * 99).abs().max() <= 1

    def test_two_add_up(self, nets):
        one = load_hypernetwork(nets, MODEL, "one.pt")
        both = load_hypernetwork(nets, one, "safe", 0.3)
        assert not torch.equal(sampled(nets, both), sampled(nets, one)) and unpack(pack(both)) == both

    def test_one_for_another_family_is_refused(self, nets):
        with pytest.raises(ModelError, match=r"other\.pt does not fit tiny") as caught:
            load_hypernetwork(nets, MODEL, "other.pt")
        assert "768" in caught.value.got and "32" in caught.value.expected

    def test_what_is_none_or_strange_is_refused(self, nets):
        with pytest.raises(ModelError, match="is not a hypernetwork"):
            load_hypernetwork(nets, MODEL, "tiny")
        with pytest.raises(ModelError, match="an activation that is not known"):
            sampled(nets, load_hypernetwork(nets, MODEL, "odd.pt"))


class TestDifferentialDiffusion:
    def test_a_mask_of_black_and_white_is_as_without(self, ctx):
        mask = (torch.arange(16) < 8).float().expand(1, 16, 16)
        soft = differential_diffusion(MODEL)
        assert torch.equal(sampled(ctx, soft, mask=mask, steps=2), sampled(ctx, MODEL, mask=mask, steps=2))

    def test_grey_is_painted_late(self, ctx):
        mask = torch.full((1, 16, 16), 0.4)
        steps = {}
        for strength in (0.0, 1.0):
            steps[strength] = sampled(ctx, differential_diffusion(MODEL, strength), mask=mask, steps=3)
        assert torch.equal(steps[0.0], sampled(ctx, MODEL, mask=mask, steps=3))
        assert not torch.allclose(steps[0.0], steps[1.0])


class TestAttention:
    def test_weights_are_multiplied(self, ctx):
        plain = ctx.use(pool).unet(MODEL).module.state_dict()
        found = ctx.use(pool).unet(unet_self_attention_multiply(MODEL, 2.0, 1.0, 0.5, 0.0)).module.state_dict()
        block = "down_blocks.0.attentions.0.transformer_blocks.0.attn1."
        for name, factor in (("to_q.weight", 2.0), ("to_k.weight", 1.0), ("to_v.weight", 0.5), ("to_out.0.bias", 0.0)):
            assert torch.equal(found[block + name], plain[block + name] * factor)
        changed = {name for name in plain if not torch.equal(plain[name], found[name])}
        assert changed and all(".attn1." in name for name in changed)

    def test_attention_to_the_prompt(self, ctx):
        silent = unet_cross_attention_multiply(MODEL, out=0.0)
        assert torch.equal(
            sampled(ctx, silent, cfg=1.0),
            sampled(ctx, replace(silent, patches=(*silent.patches, *silent.patches)), cfg=1.0),
        )
        module = ctx.use(pool).unet(silent).module
        x, t = torch.randn(1, 4, 8, 8), torch.tensor([9.0])
        one, two = (module(x, t, side.entries[0].context, return_dict=False)[0] for side in (POSITIVE, NEGATIVE))
        assert torch.equal(one, two)

    def test_text_encoders(self, ctx):
        clip = Clip(MODEL.file)
        plain = ctx.use(pool).text(clip).models[0].module.state_dict()
        found = ctx.use(pool).text(clip_attention_multiply(clip, k=2.0)).models[0].module.state_dict()
        changed = {name for name in plain if not torch.equal(plain[name], found[name])}
        assert changed and all("self_attn.k_proj." in name for name in changed)


@given(st.sampled_from([freeu(MODEL), hyper_tile(MODEL), token_merging(MODEL), differential_diffusion(MODEL)]))
def test_options_travel(model):
    assert unpack(pack(model)) == model
