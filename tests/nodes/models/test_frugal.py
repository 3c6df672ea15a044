"""Sampling under budgets: how it gets by, what it says, and that the picture stays the same."""

import pytest
import torch

from engine.errors import OutOfMemory
from nodes.models.service import pool
from nodes.recipes import Clip, Cond, Conditioning, Control, ControlNet, FileRef, Latent, LoraPatch, Model, Vae
from nodes.sampler import ksampler
from tests.nodes.calls import model_context
from tests.nodes.models import tiny
from tests.parity.compare import psnr

TINY = FileRef("checkpoints", "tiny")
MODEL = Model(TINY)
ROOM = 1 << 30


def prompt(seed, **options):
    return Conditioning((Cond(torch.randn(1, 77, 32, generator=torch.Generator().manual_seed(seed)), None, options),))


def sampled(ctx, model=MODEL, batch=1, side=8, positive=None):
    return ksampler(
        ctx,
        model,
        seed=3,
        steps=3,
        cfg=2.5,
        sampler_name="euler",
        scheduler="normal",
        positive=positive or prompt(1),
        negative=prompt(2),
        latent_image=Latent(torch.zeros(batch, 4, side, side)),
    ).samples


class Told:
    """A context over a budget, and what was said in it."""

    def __init__(self, models, ram):
        self.ctx, self.texts = model_context(models, ram=ram), []
        self.ctx.warn = self.texts.append
        self.pool = self.ctx.use(pool)


@pytest.fixture(scope="module")
def plain(models):
    """The latent of a run that has all the memory it wants."""
    return sampled(Told(models, ROOM).ctx)


@pytest.fixture(scope="module")
def facts(models):
    """Bytes of the tiny UNet, what it takes at least, and what it works with for a latent of 8 x 8."""
    plenty = Told(models, ROOM).pool
    plenty.unet(MODEL)
    return plenty.residents.held_bytes, plenty.least(MODEL), plenty.working(MODEL, 1, 64)


def test_with_room_nothing_is_said(models, facts, plain):
    unet, _, working = facts
    enough = Told(models, unet + 2 * working)
    assert torch.equal(sampled(enough.ctx), plain)
    assert enough.texts == []


def test_what_is_not_in_use_leaves_first(models, facts, plain):
    unet, _, working = facts
    told = Told(models, unet + 2 * working)
    told.pool.vae(Vae(TINY))
    told.pool.text(Clip(TINY))
    assert torch.equal(sampled(told.ctx), plain)
    assert told.texts == []
    assert told.pool.residents.held_bytes <= unet


@pytest.mark.parametrize("share", [0.2, 0.8])
def test_a_network_that_does_not_fit_comes_in_blocks_and_gives_the_same_bits(models, facts, plain, share):
    unet, least, working = facts
    told = Told(models, round(least + (unet - least) * share) + 2 * working)
    assert torch.equal(sampled(told.ctx), plain)
    (text,) = told.texts
    assert "of the diffusion network come in" in text
    assert told.pool.residents.held_bytes + 2 * working <= told.pool.residents.budget_bytes


def test_loras_are_laid_over_blocks_too(models, facts, plain):
    unet, least, working = facts
    patched = Model(TINY, (LoraPatch(FileRef("loras", "lora"), 0.8),))
    told = Told(models, (least + unet) // 2 + 2 * working)
    assert torch.equal(sampled(told.ctx, patched), sampled(Told(models, ROOM).ctx, patched))
    assert len(told.texts) == 1


def test_a_batch_that_does_not_fit_is_halved(models, facts, plain):
    unet, _, working = facts
    told = Told(models, unet + 3 * working)
    assert psnr(sampled(Told(models, ROOM).ctx, batch=6), sampled(told.ctx, batch=6)) > 90
    assert [text.rsplit(" in ", 1)[1] for text in told.texts[-2:]] == ["parts of 6.", "parts of 3."]


def test_blocks_come_before_the_batch_is_halved(models, facts, plain):
    unet, least, working = facts
    assert least + 4 * working < unet + 2 * working
    told = Told(models, unet + 2 * working)
    assert psnr(sampled(Told(models, ROOM).ctx, batch=2), sampled(told.ctx, batch=2)) > 90
    (text,) = told.texts
    assert "at work on 4 latents needs" in text and "come in" in text


def test_too_little_is_an_error_with_numbers_and_the_next_run_is_as_ever(models, facts, plain):
    unet, _, working = facts
    told = Told(models, unet + 2 * working)
    with pytest.raises(OutOfMemory, match=r"at work on 1 latents needs .* of .* are free") as raised:
        sampled(told.ctx, side=96)
    assert raised.value.hint and raised.value.expected
    assert told.pool.residents.used_bytes == 0
    del told.texts[:]
    assert torch.equal(sampled(told.ctx), plain)
    assert told.texts == []


def test_a_controlnet_and_its_unet_share_what_there_is(tmp_path, tiny_tensors, facts):
    unet, _, working = facts
    tiny.write(tmp_path / "checkpoints" / "tiny", tiny_tensors)
    tiny.write(tmp_path / "controlnet" / "edges", tiny.control())
    control = (Control(ControlNet(FileRef("controlnet", "edges")), torch.rand(1, 32, 32, 3), 1.0),)
    steered = prompt(1, control=control, control_both=True)
    told = Told(tmp_path, unet + 4 * working)
    assert torch.equal(sampled(told.ctx, positive=steered), sampled(Told(tmp_path, ROOM).ctx, positive=steered))
    assert told.pool.residents.held_bytes <= told.pool.residents.budget_bytes


@pytest.mark.parametrize(("precision", "bf16", "count"), [("bf16", False, 1), ("bf16", True, 0), ("fp32", False, 0)])
def test_bf16_on_a_device_without_it_is_told(models, precision, bf16, count):
    ctx, texts = model_context(models, precision=precision, bf16=bf16), []
    ctx.warn = texts.append
    sampled(ctx)
    assert len([text for text in texts if "no arithmetic" in text]) == count
