import pytest
import torch
from diffusers.models.attention import GatedSelfAttentionDense
from diffusers.models.embeddings import GLIGENTextBoundingboxProjection

from engine.errors import ModelError
from engine.values import pack, unpack
from nodes.gligen import apply_gligen_text_box, load_gligen
from nodes.models.families import ldm_unet
from nodes.models.hooks import hooked
from nodes.models.hooks.gligen import grounded
from nodes.models.service import pool
from nodes.recipes import Clip, Cond, Conditioning, FileRef, Latent, Model
from nodes.sampler import ksampler
from nodes.text import clip_text_encode
from tests.nodes.calls import model_context
from tests.nodes.models import tiny

BASE = FileRef("checkpoints", "base.safetensors")
UNET = {**tiny.UNET, "layers_per_block": 2}


def gligen(unet, width=32, text=32):
    """A GLIGEN model in the original layout for every transformer block of a UNet."""
    found = {}
    position = tiny.filled(GLIGENTextBoundingboxProjection(positive_len=text, out_dim=24, fourier_freqs=8), 6)
    found |= {f"position_net.{name}": tensor for name, tensor in position.state_dict().items()}
    originals = {new: old for old, new in ldm_unet.original_names(unet.state_dict()).items()}
    for name in list(originals):
        if name.endswith("attn1.to_q.weight"):
            inner = unet.state_dict()[name].shape[0]
            fuser = tiny.filled(GatedSelfAttentionDense(inner, 24, 8, inner // 8), 7)
            block = originals[name].removesuffix("attn1.to_q.weight")
            found |= {f"{block}fuser.{leaf}": tensor for leaf, tensor in fuser.state_dict().items()}
    return found


@pytest.fixture(scope="module")
def ctx(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gligen")
    unet, vae, text = tiny.modules(unet=UNET)
    tiny.write(folder / "checkpoints" / "base.safetensors", tiny.tensors(unet, vae, text))
    tiny.write(folder / "gligen" / "boxes.safetensors", gligen(unet), {})
    tiny.write(folder / "gligen" / "wide.safetensors", gligen(unet, text=48), {})
    tiny.write(folder / "gligen" / "lora.safetensors", tiny.lora(), {})
    return model_context(folder)


def boxed(ctx, *boxes, name="boxes.safetensors"):
    prompt = clip_text_encode(ctx, "a room", Clip(BASE))
    for text, *box in boxes:
        prompt = apply_gligen_text_box(ctx, prompt, Clip(BASE), load_gligen(ctx, name), text, *box)
    return prompt


def sampled(ctx, prompt):
    negative = clip_text_encode(ctx, "", Clip(BASE))
    return ksampler(
        ctx, Model(BASE), seed=1, steps=1, cfg=2.0, sampler_name="euler", scheduler="normal", positive=prompt,
        negative=negative, latent_image=Latent(torch.zeros(1, 4, 8, 8)),
    ).samples  # fmt: skip


def test_a_box_and_its_text_and_place_count(ctx):
    found = [
        sampled(ctx, boxed(ctx, *boxes))
        for boxes in (
            (),
            (("a cat", 32, 32, 0, 0),),
            (("a dog", 32, 32, 0, 0),),
            (("a cat", 32, 32, 32, 0),),
            (("a cat", 32, 32, 0, 0), ("a dog", 32, 32, 32, 0)),
        )
    ]
    assert all(not torch.equal(a, b) for i, a in enumerate(found) for b in found[:i])
    assert torch.equal(found[1], sampled(ctx, unpack(pack(boxed(ctx, ("a cat", 32, 32, 0, 0))))))


def test_it_is_the_attention_that_diffusers_has(ctx):
    prompt = boxed(ctx, ("a cat", 32, 16, 8, 0))
    model, boxes = prompt.entries[0].options["gligen"]
    plain, gated = (ldm_unet.build({**UNET, "attention_type": kind}) for kind in ("default", "gated"))
    state = tiny.modules(unet=UNET)[0].state_dict()
    plain.load_state_dict(state)
    made = ctx.use(pool).grounding(model)
    fusers = {f"{block}.fuser.{n}": t for block, m in made.fusers.items() for n, t in m.state_dict().items()}
    objects = {f"position_net.{n}": t for n, t in made.position.state_dict().items()}
    gated.position_net = made.position
    for block, fuser in made.fusers.items():
        gated.get_submodule(block).fuser = fuser
    gated.load_state_dict({**state, **fusers, **objects})
    x, t, context = torch.randn(1, 4, 8, 8), torch.tensor([9.0]), prompt.entries[0].context
    (box,) = boxes
    places = torch.zeros(1, 30, 4)
    places[0, 0] = torch.tensor([box.x, box.y, box.x + box.width, box.y + box.height]) / 8
    masks, texts = torch.zeros(1, 30), torch.zeros(1, 30, 32)
    masks[0, 0], texts[0, 0] = 1, box.text[0]
    given = {"boxes": places, "masks": masks, "positive_embeddings": texts}
    with torch.no_grad():
        expected = gated(x, t, context, cross_attention_kwargs={"gligen": given}, return_dict=False)[0]
        with hooked(plain, (grounded(made, boxes),), x):
            found = plain(x, t, context, return_dict=False)[0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_what_does_not_fit_is_refused(ctx):
    with pytest.raises(ModelError, match="does not fit the text encoder"):
        boxed(ctx, ("a cat", 32, 32, 0, 0), name="wide.safetensors")
    with pytest.raises(ModelError, match="not a GLIGEN model"):
        load_gligen(ctx, "lora.safetensors")
    assert isinstance(boxed(ctx), Conditioning) and isinstance(boxed(ctx).entries[0], Cond)
