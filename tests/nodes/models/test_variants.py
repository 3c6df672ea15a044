"""Networks under hooks beside the one without: what they share, when they are made, and how they get by."""

import pytest
import torch

from nodes.models.hooked_weights import HookedWeights
from nodes.models.service import pool
from nodes.models.variants import Variants
from nodes.recipes import Cond, Conditioning, FileRef, Latent, LoraPatch, Model
from nodes.sampler import ksampler
from nodes.weight_hooks import HookKeyframe, WeightHook
from tests.nodes.calls import model_context

TINY = FileRef("checkpoints", "tiny")
LORA = FileRef("loras", "lora")
MODEL = Model(TINY)
ROOM = 1 << 30
HOOK, OTHER = WeightHook(LORA, 0.5, 0.0), WeightHook(LORA, -0.5, 0.0)
TOUCHED = {
    "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight",
    "mid_block.resnets.0.conv1.weight",
}


def prompt(seed, *hooks):
    options = {"hooks": hooks} if hooks else {}
    context = torch.randn(1, 77, 32, generator=torch.Generator().manual_seed(seed))
    return Conditioning((Cond(context, None, options),))


def sampled(ctx, positive, negative, steps=3):
    named = {"sampler_name": "euler", "scheduler": "normal"}
    latent = Latent(torch.zeros(1, 4, 8, 8))
    return ksampler(
        ctx, MODEL, seed=3, steps=steps, cfg=2.5, positive=positive, negative=negative, latent_image=latent, **named
    ).samples


class Told:
    """A context over a budget, and what was said in it."""

    def __init__(self, models, ram):
        self.ctx, self.texts = model_context(models, ram=ram), []
        self.ctx.warn = self.texts.append
        self.pool = self.ctx.use(pool)


def parameters(told, model):
    return dict(told.pool.residents.peek(model).module.named_parameters())


@pytest.fixture(scope="module")
def facts(models):
    """Bytes of the tiny UNet, of what a LoRA touches in it, what it takes at least and what it works with."""
    plenty = Told(models, ROOM).pool
    module = plenty.unet(MODEL).module
    touched = sum(p.nbytes for name, p in module.named_parameters() if name in TOUCHED)
    return plenty.residents.held_bytes, touched, plenty.least(MODEL), plenty.working(MODEL, 1, 64)


def test_weights_that_no_hook_touches_are_shared(models, facts):
    whole, touched, _, _ = facts
    told = Told(models, ROOM)
    sampled(told.ctx, prompt(1, HOOK), prompt(2))
    plain, hooked = parameters(told, MODEL), parameters(told, Model(TINY, (LoraPatch(LORA, 0.5),)))
    assert {name for name in plain if plain[name].data_ptr() != hooked[name].data_ptr()} == TOUCHED
    assert told.pool.residents.held_bytes == whole + touched
    assert told.texts == []


def test_weights_are_patched_once_for_a_run_and_for_the_next_one(models, monkeypatch):
    told = Told(models, ROOM)
    first = sampled(told.ctx, prompt(1, HOOK), prompt(2, OTHER))
    made = [told.pool.residents.peek(Model(TINY, (LoraPatch(LORA, s),))) for s in (0.5, -0.5)]
    assert torch.equal(sampled(told.ctx, prompt(1, HOOK), prompt(2, OTHER)), first)
    again = [told.pool.residents.peek(Model(TINY, (LoraPatch(LORA, s),))) for s in (0.5, -0.5)]
    assert all(one is other is not None for one, other in zip(made, again, strict=True))


def test_a_strength_that_is_past_leaves_the_memory(models, facts):
    whole, touched, _, _ = facts
    told = Told(models, ROOM)
    frames = tuple(HookKeyframe(0.2 * place, 0.15 * place, 0) for place in range(1, 7))
    keyed = WeightHook(LORA, 1.0, 0.0, frames)
    sampled(told.ctx, prompt(1, keyed), prompt(2, keyed), steps=8)
    assert told.pool.residents.held_bytes == whole + touched


def test_a_strength_that_two_groups_have_stays_until_both_are_past_it(models):
    told = Told(models, ROOM)
    with told.pool.residents.together():
        told.pool.unet(MODEL)
        variants = Variants(told.pool, MODEL, 2, told.texts.append)
        one, other = ((HookedWeights((hook,), (LoraPatch(LORA, 0.5),))) for hook in (HOOK, OTHER))
        variants.network(one, 0, False)
        variants.network(other, 0, False)
        recipe = Model(TINY, (LoraPatch(LORA, 0.5),))
        assert variants.network(HookedWeights((HOOK,), ()), 0, False) is None
        assert told.pool.residents.peek(recipe)
        assert variants.network(HookedWeights((OTHER,), ()), 0, False) is None
        assert told.pool.residents.peek(recipe) is None


@pytest.mark.parametrize("share", [0.0, 0.5, 1.5])
def test_under_any_budget_the_picture_is_the_same(models, facts, share):
    whole, _, least, working = facts
    sides = prompt(1, HOOK), prompt(2, OTHER)
    plain = sampled(Told(models, ROOM).ctx, *sides)
    told = Told(models, round(3 * least + 2 * working + share * whole))
    assert torch.equal(sampled(told.ctx, *sides), plain)
    assert told.pool.residents.held_bytes + working <= told.pool.residents.budget_bytes
    assert told.pool.residents.used_bytes == 0


def test_with_room_for_what_hooks_touch_nothing_comes_in_blocks(models, facts):
    whole, touched, least, working = facts
    told = Told(models, whole + max(touched, least) + 4 * working)
    sampled(told.ctx, prompt(1, HOOK), prompt(2))
    assert told.texts == []
    less = Told(models, whole + least - 1 + 2 * working)
    sampled(less.ctx, prompt(1, HOOK), prompt(2))
    assert any("patched at each step" in text for text in less.texts)
