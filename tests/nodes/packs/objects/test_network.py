import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from nodes.models.service import pool
from nodes.packs.objects import from_foreign, to_foreign
from tests.nodes.test_model_patches import MODEL, sampled


@pytest.fixture(scope="module")
def plain(ctx):
    return sampled(ctx, MODEL)


def patched(change):
    model = to_foreign("MODEL", MODEL).clone()
    change(model)
    return from_foreign("MODEL", model)


def same(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


PLACES = {(("input", 1), 0), (("middle", 0), 0), (("output", 2), 0), (("output", 3), 0)}
"""Where the tiny UNet attends: one step per level, attention on the outer one and in the middle."""


class TestAttention:
    @pytest.mark.parametrize("name", ["attn1", "attn2"])
    def test_patches_see_every_attention(self, ctx, plain, name):
        seen = []

        def patch(n, context, value, extra):
            seen.append(extra)
            return n, context, value

        recipe = patched(lambda m: m.set_model_patch(patch, f"{name}_patch"))
        same(sampled(ctx, recipe), plain)
        assert {(extra["block"], extra["block_index"]) for extra in seen} == PLACES
        assert sorted({extra["transformer_index"] for extra in seen}) == [0, 1, 2, 3]
        assert all(extra["n_heads"] == 2 and extra["cond_or_uncond"] == [0, 1] for extra in seen)
        assert all(extra["original_shape"] == [2, 4, 16, 16] and extra["sigmas"].shape == (2,) for extra in seen)
        assert "patches" not in seen[0]

    def test_patches_change_what_is_attended_to(self, ctx, plain):
        none = patched(lambda m: m.set_model_attn2_patch(lambda n, context, value, extra: (n, context * 0, value * 0)))
        keys = patched(lambda m: m.set_model_attn2_patch(lambda n, context, value, extra: (n, context * 0, value)))
        found = [sampled(ctx, recipe) for recipe in (none, keys)]
        assert not torch.equal(found[0], plain) and not torch.equal(found[0], found[1])

    def test_patches_of_outputs(self, ctx, plain):
        same(sampled(ctx, patched(lambda m: m.set_model_attn1_output_patch(lambda n, extra: n))), plain)
        assert not torch.equal(
            sampled(ctx, patched(lambda m: m.set_model_attn2_output_patch(lambda n, e: n * 0))), plain
        )

    def test_an_attention_can_be_exchanged(self, ctx, plain):
        def usual(q, k, v, extra):
            q, k, v = (part.unflatten(-1, (extra["n_heads"], extra["dim_head"])).transpose(1, 2) for part in (q, k, v))
            return scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)

        def everywhere(model):
            for (block, number), index in PLACES:
                model.set_model_attn1_replace(usual, block, number, index)
                model.set_model_attn2_replace(usual, block, number)

        same(sampled(ctx, patched(everywhere)), plain)
        once = patched(lambda m: m.set_model_attn1_replace(lambda q, k, v, extra: v, "middle", 0))
        assert not torch.equal(sampled(ctx, once), plain)
        nowhere = patched(lambda m: m.set_model_attn1_replace(lambda q, k, v, extra: v, "input", 7))
        same(sampled(ctx, nowhere), plain)

    def test_how_attention_is_computed_can_be_overridden(self, ctx, plain):
        seen = []

        def override(usual, q, k, v, heads, mask=None, **more):
            seen.append(more["transformer_options"]["block"])
            return usual(q, k, v, heads, mask=mask, **more)

        def overridden(function):
            return patched(
                lambda m: m.model_options["transformer_options"].update(optimized_attention_override=function)
            )

        same(sampled(ctx, overridden(override)), plain)
        assert {*seen} == {block for block, _ in PLACES} and len(seen) == 8
        none = overridden(lambda usual, q, k, v, heads, **more: q * 0)
        assert not torch.equal(sampled(ctx, none), plain)

    def test_nothing_stays_on_the_network(self, ctx, plain):
        module = ctx.use(pool).unet(MODEL).module
        before = dict(module.attn_processors)
        sampled(ctx, patched(lambda m: m.set_model_attn1_patch(lambda *given: given[:3])))
        assert module.attn_processors == before

        def fails(*given):
            raise RuntimeError("no")

        with pytest.raises(RuntimeError):
            sampled(ctx, patched(lambda m: m.set_model_attn1_patch(fails)))
        assert module.attn_processors == before
        assert torch.equal(sampled(ctx, MODEL), plain)


class TestBlocks:
    def test_what_comes_out_of_the_way_down(self, ctx, plain):
        seen = []

        def patch(h, options):
            seen.append((options["block"], h.shape[-1]))
            return h

        same(sampled(ctx, patched(lambda m: m.set_model_input_block_patch(patch))), plain)
        assert seen == [(("input", 0), 16), (("input", 1), 16), (("input", 2), 8), (("input", 3), 8)]
        assert not torch.equal(
            sampled(ctx, patched(lambda m: m.set_model_input_block_patch(lambda h, o: h * 2))), plain
        )

    def test_what_goes_on_behind_the_skips(self, ctx, plain):
        same(sampled(ctx, patched(lambda m: m.set_model_input_block_patch_after_skip(lambda h, o: h))), plain)
        after = patched(lambda m: m.set_model_input_block_patch_after_skip(lambda h, o: h * 2))
        before = patched(lambda m: m.set_model_input_block_patch(lambda h, o: h * 2))
        found = sampled(ctx, after)
        assert not torch.equal(found, plain) and not torch.equal(found, sampled(ctx, before))

    def test_what_meets_on_the_way_up(self, ctx, plain):
        seen = []

        def patch(h, skip, options):
            seen.append((options["block"], h.shape[1], skip.shape[1]))
            return h, skip

        same(sampled(ctx, patched(lambda m: m.set_model_output_block_patch(patch))), plain)
        assert seen == [
            (("output", 0), 32, 32),
            (("output", 1), 32, 16),
            (("output", 2), 32, 16),
            (("output", 3), 16, 16),
        ]
        none = patched(lambda m: m.set_model_output_block_patch(lambda h, skip, options: (h, skip * 0)))
        assert not torch.equal(sampled(ctx, none), plain)
