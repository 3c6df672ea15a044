"""SDXL workflows on a tiny model, and what does not go together with it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import nodes
from engine import Engine, Folders
from engine.errors import InputError, LoomisError, ModelError
from tests.nodes.models import tiny, tiny_xl


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    content = tiny_xl.tensors(tiny_xl.modules())
    tiny.write(folder / "checkpoints" / "xl.safetensors", content, {})
    tiny.write(folder / "checkpoints" / "v.safetensors", {**content, "v_pred": torch.zeros(1)}, {})
    refiner = tiny_xl.modules(tiny_xl.REFINER, is_refiner=True)
    tiny.write(folder / "checkpoints" / "refiner.safetensors", tiny_xl.tensors(refiner), {})
    tiny.write(folder / "checkpoints" / "sd1.safetensors", tiny.tensors(), {"config": CONFIG})
    alone = {n.removeprefix("first_stage_model."): t for n, t in content.items() if n.startswith("first_stage_model.")}
    tiny.write(folder / "vae" / "alone.safetensors", alone, {})
    return folder


CONFIG = '{"unet": {"norm_num_groups": 4, "attention_head_dim": 2}, "vae": {"norm_num_groups": 4}}'


@pytest.fixture
def engine(models: Path, tmp_path: Path) -> Iterator[Engine]:
    folders = Folders(models=(models,), input=tmp_path, output=tmp_path, temp=tmp_path)
    running = Engine(nodes.vocabulary(), folders=folders)
    yield running
    running.close()


SIZES = {"width": 640, "height": 320, "crop_w": 8, "crop_h": 16, "target_width": 64, "target_height": 32}


def encode(text: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": text, **inputs}}


def workflow(checkpoint: str = "xl") -> dict[str, Any]:
    sampler = {"seed": 1, "steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    links = {"model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0]}
    return {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": f"{checkpoint}.safetensors"}},
        "2": encode("a cat"),
        "3": encode(""),
        "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "5": {"class_type": "KSampler", "inputs": {**sampler, **links}},
        "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
        "7": {"class_type": "PreviewImage", "inputs": {"images": ["6", 0]}},
    }


def value(engine: Engine, graph: dict[str, Any], node: str) -> Any:
    return engine.run(graph, values=[node]).values[node][0][0]


def failure(engine: Engine, graph: dict[str, Any]) -> LoomisError:
    with pytest.raises(LoomisError) as raised:
        engine.run(graph)
    return raised.value


@pytest.mark.parametrize("checkpoint", ["xl", "v", "refiner"])
def test_a_prompt_becomes_a_picture(engine: Engine, checkpoint: str) -> None:
    latent = value(engine, workflow(checkpoint), "5")
    assert latent.samples.shape == (1, 4, 8, 8)
    assert latent.samples.isfinite().all()
    assert latent.space == "sdxl"
    assert value(engine, workflow(checkpoint), "6").shape == (1, 16, 16, 3)


def test_sizes_go_with_the_prompt_and_change_the_picture(engine: Engine) -> None:
    graph = workflow()
    plain = value(engine, graph, "5").samples
    inputs = {"clip": ["1", 1], "text_g": "a cat", "text_l": "a cat"}
    graph["2"] = {"class_type": "CLIPTextEncodeSDXL", "inputs": {**inputs, **SIZES}}
    (cond,) = value(engine, graph, "2").entries
    assert cond.options == SIZES
    assert (cond.context.shape, cond.pooled.shape) == ((1, 77, 64), (1, 32))
    assert not torch.allclose(value(engine, graph, "5").samples, plain)
    same = {"width": 16, "height": 16, "crop_w": 0, "crop_h": 0, "target_width": 16, "target_height": 16}
    graph["2"]["inputs"] |= same
    assert torch.equal(value(engine, graph, "5").samples, plain)


def test_the_score_goes_with_the_prompt_of_a_refiner(engine: Engine) -> None:
    graph = workflow("refiner")
    plain = value(engine, graph, "5").samples
    inputs = {"clip": ["1", 1], "text": "", "ascore": 2.5, "width": 16, "height": 16}
    graph["3"] = {"class_type": "CLIPTextEncodeSDXLRefiner", "inputs": inputs}
    (cond,) = value(engine, graph, "3").entries
    assert cond.options == {"aesthetic_score": 2.5, "width": 16, "height": 16}
    assert torch.equal(value(engine, graph, "5").samples, plain)


def test_two_prompts_need_two_encoders(engine: Engine) -> None:
    graph = workflow("sd1")
    inputs = {"clip": ["1", 1], "text_g": "a cat", "text_l": "a dog"}
    graph["2"] = {"class_type": "CLIPTextEncodeSDXL", "inputs": {**inputs, **SIZES}}
    error = failure(engine, graph)
    assert isinstance(error, InputError) and error.node == "2"
    assert (error.got, error.expected) == (["l"], ["g", "l"])


@pytest.mark.parametrize(("mine", "other"), [("xl", "sd1"), ("sd1", "xl"), ("refiner", "xl")])
def test_a_prompt_of_another_family(engine: Engine, mine: str, other: str) -> None:
    graph = workflow(mine)
    graph["8"] = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": f"{other}.safetensors"}}
    graph["2"]["inputs"]["clip"] = ["8", 1]
    error = failure(engine, graph)
    assert isinstance(error, ModelError) and error.node == "5"
    assert re.fullmatch("width (32|64)", str(error.got))


def second_pass(first: str, second: str) -> dict[str, Any]:
    """A workflow whose latent goes from one model to another."""
    graph = workflow(first)
    graph["8"] = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": f"{second}.safetensors"}}
    graph["9"] = encode("a cat", clip=["8", 1])
    links = {"model": ["8", 0], "positive": ["9", 0], "negative": ["9", 0], "latent_image": ["5", 0]}
    graph["10"] = {"class_type": "KSampler", "inputs": {**graph["5"]["inputs"], **links, "denoise": 0.5}}
    graph["6"]["inputs"] = {"samples": ["10", 0], "vae": ["8", 2]}
    return graph


@pytest.mark.parametrize(("first", "second"), [("xl", "sd1"), ("sd1", "xl")])
def test_a_latent_of_another_family(engine: Engine, first: str, second: str) -> None:
    (fault,) = failure(engine, second_pass(first, second)).faults
    names = {"xl": "xl.safetensors (sdxl)", "sd1": "sd1.safetensors (sd1)"}
    assert (fault.node, fault.input) == ("10", "latent_image")
    assert (fault.got, fault.expected) == (f"a latent of {names[first]}", f"a latent of the family of {names[second]}")
    graph = workflow(first)
    graph["8"] = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": f"{second}.safetensors"}}
    graph["6"]["inputs"]["vae"] = ["8", 2]
    (fault,) = failure(engine, graph).faults
    assert (fault.node, fault.input) == ("6", "samples")


def test_the_refiner_goes_on_where_the_base_stopped(engine: Engine) -> None:
    latent = value(engine, second_pass("xl", "refiner"), "10")
    assert latent.samples.isfinite().all()


def test_a_vae_alone_says_nothing_of_its_family(engine: Engine) -> None:
    graph = workflow("sd1")
    graph["8"] = {"class_type": "VAELoader", "inputs": {"vae_name": "alone.safetensors"}}
    graph["6"]["inputs"]["vae"] = ["8", 0]
    assert value(engine, graph, "6").shape == (1, 16, 16, 3)
    graph["9"] = {"class_type": "VAEEncode", "inputs": {"pixels": ["6", 0], "vae": ["8", 0]}}
    graph["7"] = {"class_type": "VAEDecode", "inputs": {"samples": ["9", 0], "vae": ["1", 2]}}
    graph["10"] = {"class_type": "PreviewImage", "inputs": {"images": ["7", 0]}}
    assert value(engine, graph, "9").space is None
    assert value(engine, graph, "7").shape == (1, 16, 16, 3)
