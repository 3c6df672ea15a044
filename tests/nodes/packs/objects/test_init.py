"""Nodes as packs write them, between ours."""

from typing import Annotated

import pytest
import torch

import nodes
from engine import Engine, Folders
from engine.context import Context
from engine.errors import InputError
from engine.events import NodeStarted
from engine.node import Registry
from engine.types import Image, Socket
from nodes.loaders import LoadedCheckpoint
from nodes.packs import current
from nodes.packs.objects import from_foreign, to_foreign
from nodes.packs.objects.members import NoSuchMember
from nodes.recipes import Clip, Conditioning, FileRef, Latent, Model, NoiseSource, Sampler, Vae
from tests.nodes.models import tiny

LORA = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
KEY = "diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
Pipe = Annotated[object, Socket("PIPE")]


class Encode:
    def run(self, clip, text):
        tokens = clip.tokenize(text)
        cond, pooled = clip.encode_from_tokens(tokens, return_pooled=True)
        return ([[cond, {"pooled_output": pooled}]],)


class Patch:
    def run(self, model, strength):
        lora = tiny.lora()
        up, down, alpha = (lora[f"{LORA}.{name}"] for name in ("lora_up.weight", "lora_down.weight", "alpha"))
        patched = model.clone()
        patched.add_patches({KEY: ("lora", (up, down, float(alpha), None, None, None))}, strength)
        return (patched,)


class Decode:
    def run(self, samples, vae):
        return (vae.decode(samples["samples"]),)


class Pack:
    def run(self, model, clip, vae):
        return ({"model": model, "rest": [clip, (vae,)]},)


class Unpack:
    def run(self, pipe):
        clip, (vae,) = pipe["rest"]
        return pipe["model"], clip, vae


def called(ctx, cls, types, **given):
    """Call a foreign class as its adapter does."""
    with current.running("Pack", cls.__name__, ctx):
        found = cls().run(**{name: to_foreign("*", value) for name, value in given.items()})
        return tuple(from_foreign(type_name, value) for type_name, value in zip(types, found, strict=True))


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("objects")
    tiny.write(folder / "checkpoints" / "tiny.safetensors", tiny.tensors())
    alone = {name: tensor for name, tensor in tiny.lora().items() if name.startswith(LORA)}
    tiny.write(folder / "loras" / "one.safetensors", alone, {})
    registry = Registry()
    for spec in nodes.vocabulary():
        registry.add(spec)

    @registry.node("ForeignEncode", foreign="Pack", version="1", numeric=True)
    def encode(ctx: Context, clip: Clip, text: str) -> Conditioning:
        return called(ctx, Encode, ["CONDITIONING"], clip=clip, text=text)[0]

    @registry.node("ForeignPatch", foreign="Pack", version="1")
    def patch(ctx: Context, model: Model, strength: float) -> Model:
        return called(ctx, Patch, ["MODEL"], model=model, strength=strength)[0]

    @registry.node("ForeignDecode", foreign="Pack", version="1", numeric=True)
    def decode(ctx: Context, samples: Latent, vae: Vae) -> Image:
        return called(ctx, Decode, ["IMAGE"], samples=samples, vae=vae)[0]

    @registry.node("ForeignPipe", foreign="Pack", version="1")
    def pipe(ctx: Context, model: Model, clip: Clip, vae: Vae) -> Pipe:
        return called(ctx, Pack, ["PIPE"], model=model, clip=clip, vae=vae)[0]

    @registry.node("ForeignUnpipe", foreign="Pack", version="1")
    def unpipe(ctx: Context, pipe: Pipe) -> LoadedCheckpoint:
        return LoadedCheckpoint(*called(ctx, Unpack, ["MODEL", "CLIP", "VAE"], pipe=pipe))

    folders = Folders((folder,), input=folder, output=folder / "out", temp=folder / "temp")
    with Engine(registry, folders=folders) as engine:
        yield engine


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def workflow(model=("1", 0), encode="CLIPTextEncode", decode="VAEDecode", source="1", seed=1, **more):
    sampling = {"seed": seed, "steps": 2, "cfg": 4.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    return {
        "1": node("CheckpointLoaderSimple", ckpt_name="tiny.safetensors"),
        "2": node(encode, clip=[source, 1], text="a (red:1.2) house"),
        "3": node(encode, clip=[source, 1], text=""),
        "4": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "5": node("KSampler", model=[*model], positive=["2", 0], negative=["3", 0], latent_image=["4", 0], **sampling),
        "6": node(decode, samples=["5", 0], vae=[source, 2]),
        "7": node("PreviewImage", images=["6", 0]),
        **more,
    }


def picture(engine, workflow, ran=None):
    def note(event):
        if isinstance(event, NodeStarted) and ran is not None:
            ran.append(event.node)

    return engine.run(workflow, values=["6"], on_event=note).values["6"][0][0]


def test_a_foreign_node_encodes_and_decodes_to_the_picture_of_ours(engine):
    ours = picture(engine, workflow())
    assert torch.equal(picture(engine, workflow(encode="ForeignEncode", decode="ForeignDecode")), ours)


def test_a_foreign_patch_gives_the_picture_of_a_lora_and_is_remembered_by_its_node(engine):
    lora = node("LoraLoaderModelOnly", model=["1", 0], lora_name="one.safetensors", strength_model=0.5)
    ours = picture(engine, workflow(("8", 0), **{"8": lora}))
    foreign = workflow(("8", 0), **{"8": node("ForeignPatch", model=["1", 0], strength=0.5)})
    assert torch.equal(picture(engine, foreign), ours)
    assert not torch.equal(picture(engine, workflow()), ours)
    ran = []
    assert torch.equal(picture(engine, foreign, ran), ours)
    assert ran == []
    again = workflow(("8", 0), seed=2, **{"8": foreign["8"]})
    picture(engine, again, ran)
    assert "5" in ran and "2" not in ran


def test_models_travel_in_a_pipe(engine):
    pipe = {
        "8": node("ForeignPipe", model=["1", 0], clip=["1", 1], vae=["1", 2]),
        "9": node("ForeignUnpipe", pipe=["8", 0]),
    }
    assert torch.equal(picture(engine, workflow(("9", 0), source="9", **pipe)), picture(engine, workflow()))
    stored = engine.run(workflow(("9", 0), source="9", **pipe), values=["8"]).values["8"][0][0]
    assert isinstance(stored["model"], Model) and isinstance(stored["rest"][1][0], Vae)


@pytest.mark.parametrize("value", [3, "a", None, [1, (2, {"a": b"b"})], torch.ones(2)])
def test_other_values_go_through(value):
    for type_name in ("*", "PIPE", "INT"):
        found = from_foreign(type_name, to_foreign(type_name, value))
        assert found is value or found == value


def test_values_are_told_by_their_class_where_a_type_says_nothing():
    for value in (Clip(FileRef("a", "b"), layer=-2), Vae(FileRef("a", "b")), NoiseSource(3), Sampler("euler")):
        assert from_foreign("*", to_foreign("*", value)) == value
        assert from_foreign("PIPE", [to_foreign("PIPE", value)]) == [value]


@pytest.mark.parametrize("type_name", ["MODEL", "CLIP", "VAE", "CONTROL_NET", "STYLE_MODEL", "UPSCALE_MODEL"])
def test_what_only_loomis_makes_can_not_be_made_up(type_name):
    with pytest.raises(InputError, match=f"The node Test of Pack gives a {type_name} that is none"):
        from_foreign(type_name, object())


def test_an_unknown_member_fails_its_node_alone(engine):
    class Bad:
        def run(self, clip, text):
            return clip.cond_stage_model.clip_l.transformer

    @engine.registry.node("ForeignBad", foreign="Pack", version="1")
    def bad(ctx: Context, clip: Clip, text: str) -> Conditioning:
        return called(ctx, Bad, ["CONDITIONING"], clip=clip, text=text)[0]

    with pytest.raises(NoSuchMember, match=r"The node Bad of Pack uses CLIP\.cond_stage_model") as caught:
        engine.run(workflow(encode="ForeignBad"))
    assert caught.value.node in ("2", "3") and caught.value.class_type == "ForeignBad"
    picture(engine, workflow())
