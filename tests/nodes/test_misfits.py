"""A workflow that asks for what is not there, or for what does not fit together, is told so before sampling."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine import Engine, Folders
from engine.errors import InputError, LoomisError, ValidationError
from engine.events import Progress
from nodes import settings, vocabulary
from nodes.models import spaces
from nodes.models.families import sd1
from tests.nodes.models import tiny, tiny_xl

ROOT = Path(__file__).parents[2]
VAE = "first_stage_model."


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("misfits")
    models = folder / "models"
    usual = {**tiny.CONFIG, "vae": {"norm_num_groups": 4}}
    tiny.write(models / "checkpoints" / "tiny.safetensors", tiny.tensors(), {"config": json.dumps(usual)})
    tiny.write(models / "checkpoints" / "xl.safetensors", tiny_xl.tensors(tiny_xl.modules()), {})
    tiny.write(models / "loras" / "style.safetensors", tiny.lora(), {})
    tiny.write(models / "loras" / "other.safetensors", tiny.lora(width=64, context=48), {})
    tiny.write(models / "controlnet" / "edges.safetensors", tiny.control())
    wide = {**tiny.CONTROL, "cross_attention_dim": 48}
    tiny.write(models / "controlnet" / "other.safetensors", tiny.control(wide))
    vae = {name.removeprefix(VAE): tensor for name, tensor in tiny.tensors().items() if name.startswith(VAE)}
    for name, kind in (("any", ""), ("sd1", "stable-diffusion-v1/vae"), ("xl", "stable-diffusion-xl-v1-base/vae")):
        stated = {"config": json.dumps(usual), **({"modelspec.architecture": kind} if kind else {})}
        tiny.write(models / "vae" / f"{name}.safetensors", vae, stated)
    (models / "embeddings").mkdir()
    save_file({"emb_params": torch.ones(2, 32)}, models / "embeddings" / "mood.safetensors")
    save_file({"emb_params": torch.ones(2, 48)}, models / "embeddings" / "wide.safetensors")
    folders = Folders(models=(models,), input=folder, output=folder / "out", temp=folder / "temp")
    with Engine(vocabulary(), folders=folders, settings=settings(device="cpu"), data=folder / "data") as made:
        yield made


def workflow(**changes):
    """A workflow with a LoRA and a ControlNet; changes are given as ``node_input=value``."""
    graph = {
        "model": ("CheckpointLoaderSimple", {"ckpt_name": "tiny.safetensors"}),
        "second": ("CheckpointLoaderSimple", {"ckpt_name": "xl.safetensors"}),
        "lora": (
            "LoraLoader",
            {
                "model": ["model", 0],
                "clip": ["model", 1],
                "lora_name": "style.safetensors",
                "strength_model": 1.0,
                "strength_clip": 1.0,
            },
        ),
        "text": ("CLIPTextEncode", {"text": "a cat", "clip": ["lora", 1]}),
        "net": ("ControlNetLoader", {"control_net_name": "edges.safetensors"}),
        "hint": ("EmptyImage", {"width": 16, "height": 16, "batch_size": 1, "color": 255}),
        "steered": (
            "ControlNetApply",
            {"conditioning": ["text", 0], "control_net": ["net", 0], "image": ["hint", 0], "strength": 1.0},
        ),
        "empty": ("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 1}),
        "sampler": (
            "KSampler",
            {
                "model": ["lora", 0],
                "positive": ["steered", 0],
                "negative": ["text", 0],
                "latent_image": ["empty", 0],
                "seed": 1,
                "steps": 2,
                "cfg": 2.0,
                "sampler_name": "euler",
                "scheduler": "normal",
                "denoise": 1.0,
            },
        ),
        "alone": ("VAELoader", {"vae_name": "any.safetensors"}),
        "decoded": ("VAEDecode", {"samples": ["sampler", 0], "vae": ["model", 2]}),
        "shown": ("PreviewImage", {"images": ["decoded", 0]}),
    }
    for change, value in changes.items():
        node, _, name = change.partition("_")
        graph[node][1][name] = value
    return {id: {"class_type": type, "inputs": inputs} for id, (type, inputs) in graph.items()}


@pytest.mark.parametrize(("changes", "input", "nearest"), [
    ({"sampler_sampler_name": "eular"}, "sampler_name", "euler"),
    ({"sampler_scheduler": "karas"}, "scheduler", "karras"),
    ({"lora_lora_name": "styel.safetensors"}, "lora_name", "style.safetensors"),
    ({"net_control_net_name": "edge.safetensors"}, "control_net_name", "edges.safetensors"),
    ({"text_text": "a (embedding:moood:1.2) cat"}, "text", "mood"),
    ({"model_ckpt_name": "tinny.safetensors"}, "ckpt_name", "tiny.safetensors"),
])  # fmt: skip
def test_what_is_not_there_is_told_with_the_nearest_name(engine, changes, input, nearest):
    events = []
    with pytest.raises(ValidationError) as caught:
        engine.run(workflow(**changes), on_event=events.append)
    (fault,) = caught.value.faults
    assert (fault.input, fault.expected) == (input, nearest) and f"Did you mean {nearest!r}?" in fault.hint
    assert not any(isinstance(event, Progress) for event in events)


@pytest.mark.parametrize(("changes", "said"), [
    ({"lora_lora_name": "other.safetensors"}, r"other\.safetensors does not fit tiny\.safetensors"),
    ({"net_control_net_name": "other.safetensors"}, r"other\.safetensors does not fit tiny\.safetensors"),
    ({"text_clip": ["second", 1]}, "encoded for another family"),
    ({"text_text": "a embedding:wide cat"}, "the embedding wide does not fit this text encoder"),
    ({"sampler_model": ["second", 0], "decoded_vae": ["second", 2]}, "encoded for another family"),
])  # fmt: skip
def test_what_does_not_fit_is_told_before_a_step_is_made(engine, changes, said):
    events = []
    with pytest.raises(LoomisError, match=said) as caught:
        engine.run(workflow(**changes), on_event=events.append)
    assert caught.value.got and caught.value.expected
    assert not any(isinstance(event, Progress) for event in events)


SECOND = {"text_clip": ["second", 1], "sampler_model": ["second", 0], "sampler_positive": ["text", 0]}
"""Everything but the VAE is of another family."""
ALONE = {"decoded_vae": ["alone", 0]}


@pytest.mark.parametrize(("changes", "given", "wanted"), [
    ({**SECOND, "decoded_vae": ["model", 2]}, "xl.safetensors (sdxl)", "tiny.safetensors (sd1)"),
    ({**SECOND, **ALONE, "alone_vae_name": "sd1.safetensors"}, "xl.safetensors (sdxl)", "sd1.safetensors (sd1)"),
    ({**ALONE, "alone_vae_name": "xl.safetensors"}, "tiny.safetensors (sd1)", "xl.safetensors (sdxl)"),
])  # fmt: skip
def test_a_vae_of_another_family_than_the_model_is_told_before_anything_runs(engine, changes, given, wanted):
    events = []
    with pytest.raises(ValidationError) as caught:
        engine.run(workflow(**changes), on_event=events.append)
    (fault,) = caught.value.faults
    assert (fault.node, fault.input, fault.code) == ("decoded", "samples", "custom_validation_failed")
    assert fault.message == f"Node decoded: a latent of {given} does not fit {wanted}." and events == []


def test_a_latent_goes_from_one_model_to_another_only_through_a_picture(engine):
    graph = workflow(sampler_latent_image=["first", 0])
    graph["first"] = {
        "class_type": "KSampler",
        "inputs": {**graph["sampler"]["inputs"], "model": ["second", 0], "latent_image": ["empty", 0]},
    }
    with pytest.raises(ValidationError) as caught:
        engine.check(graph)
    assert [(fault.node, fault.input) for fault in caught.value.faults] == [("sampler", "latent_image")]


def test_a_vae_that_does_not_say_what_it_is_for_is_taken(engine):
    result = engine.run(workflow(**ALONE))
    assert len(result.outputs["shown"].files) == 1


def test_a_latent_from_elsewhere_is_told_before_it_is_decoded(engine):
    graph = workflow(**SECOND, sampler_seed=3)
    latent = engine.run(graph, targets=["sampler"], values=["sampler"]).values["sampler"][0][0]
    assert latent.space == "sdxl"
    with pytest.raises(InputError, match="The latent is of another family") as caught:
        spaces.check(latent, sd1.LATENT, "samples")
    assert (caught.value.got, caught.value.expected) == ("a latent of sdxl", "a latent of sd1")


def test_looking_into_files_before_a_run_takes_no_torch(engine):
    code = f"""
import sys
from engine import Engine, Folders
from engine.errors import ValidationError
from nodes import vocabulary
from pathlib import Path

with Engine(vocabulary(), folders=Folders(models=(Path({str(engine.folders.models[0])!r}),))) as engine:
    try:
        engine.check({workflow(**SECOND)!r})
    except ValidationError as error:
        print(error.faults[0].code, "torch" in sys.modules)
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["custom_validation_failed", "False"]


def test_what_fits_runs_after_all_that(engine):
    result = engine.run(workflow(text_text="a (embedding:mood:1.2) cat"))
    assert len(result.outputs["shown"].files) == 1
