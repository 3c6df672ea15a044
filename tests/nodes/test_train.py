"""Training in a workflow: what it learns, that it is a value like others, and what is refused."""

import re
import threading
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
import torch
from PIL import Image

import nodes
from engine import Engine, Folders, Settings
from engine.errors import Cancelled, InputError, ModelError, ValidationError
from engine.events import Event, NodeFinished, Progress, Warned
from nodes.train import loss_graph
from tests.nodes.models import tiny, tiny_xl

ALGORITHMS = ("LoRA", "LoHa", "LoKr", "OFT")


def n(class_type: str, **inputs: Any) -> dict[str, Any]:
    linked = {name: list(value) if isinstance(value, tuple) else value for name, value in inputs.items()}
    return {"class_type": class_type, "inputs": linked}


TRAINING = n(
    "TrainLoraNode", model=("model", 0), latents=("latents", 0), positive=("text", 0), batch_size=2,
    grad_accumulation_steps=1, steps=3, learning_rate=0.01, rank=2, optimizer="AdamW", loss_function="MSE", seed=5,
    training_dtype="fp32", lora_dtype="fp32", algorithm="LoRA", gradient_checkpointing=False, existing_lora="[None]",
)  # fmt: skip
TRAIN = {
    "model": n("CheckpointLoaderSimple", ckpt_name="tiny.safetensors"),
    "text": n("CLIPTextEncode", text="a cat", clip=("model", 1)),
    "red": n("EmptyImage", width=16, height=16, batch_size=1, color=0xFF2000),
    "blue": n("EmptyImage", width=16, height=16, batch_size=1, color=0x0010FF),
    "pictures": n("ImageBatch", image1=("red", 0), image2=("blue", 0)),
    "latents": n("VAEEncode", pixels=("pictures", 0), vae=("model", 2)),
    "train": TRAINING,
    "save": n("SaveLoRANode", lora=("train", 1), prefix="made", steps=("train", 3)),
}


def sampled(model: tuple[str, int]) -> dict[str, Any]:
    """Return text to image with a model."""
    return {
        "model": TRAIN["model"],
        "text": TRAIN["text"],
        "empty": n("EmptyLatentImage", width=64, height=64, batch_size=1),
        "sample": n(
            "KSampler", model=model, seed=1, steps=2, cfg=2.0, sampler_name="euler", scheduler="normal", denoise=1.0,
            positive=("text", 0), negative=("text", 0), latent_image=("empty", 0),
        ),
        "decode": n("VAEDecode", samples=("sample", 0), vae=("model", 2)),
        "show": n("PreviewImage", images=("decode", 0)),
    }  # fmt: skip


LAID = n("LoraModelLoader", model=("model", 0), lora=("train", 1), strength_model=0.7)
PICTURE = {**TRAIN, "laid": LAID, **sampled(("laid", 0))}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, tiny_tensors) -> Folders:
    home = tmp_path_factory.mktemp("train")
    tiny.write(home / "models" / "checkpoints" / "tiny.safetensors", tiny_tensors)
    (home / "models" / "loras").mkdir()
    return Folders((home / "models", nodes.EMBEDDED), home / "input", home / "output", home / "temp")


def opened(folders: Folders, data: Path | None = None) -> Engine:
    return Engine(nodes.vocabulary(), folders=folders, settings=Settings(device="cpu"), data=data)


@pytest.fixture(scope="module")
def engine(folders: Folders):
    with opened(folders) as made:
        yield made


def trained(engine: Engine, changes: Mapping[str, Any] = {}, **inputs: Any) -> tuple[Any, ...]:
    """Train with other inputs; return the outputs."""
    given = {f"train.{name}": value for name, value in inputs.items()}
    found = engine.run({**TRAIN, **changes}, given, values=["train"]).values["train"]
    return tuple(value for (value,) in found)


def digests(engine: Engine, **inputs: Any) -> dict[str, list[float]]:
    return {name: tensor.flatten().tolist() for name, tensor in trained(engine, **inputs)[1].tensors.items()}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_loss_falls(engine: Engine, algorithm: str) -> None:
    """With the model that ships: one of random weights has nothing to adapt."""
    size = {"width": 64, "height": 64, "batch_size": 1}
    changes = {name: {**TRAIN[name], "inputs": {**TRAIN[name]["inputs"], **size}} for name in ("red", "blue")}
    changes["model"] = n("CheckpointLoaderSimple", ckpt_name="tiny-portrait.safetensors")
    _, lora, loss, steps = trained(engine, changes, algorithm=algorithm, steps=16, batch_size=4, rank=4)
    losses = loss["loss"]
    assert steps == len(losses) == 16
    assert sum(losses[-4:]) < 0.75 * sum(losses[:4])
    assert all(tensor.dtype == torch.float32 and tensor.isfinite().all() for tensor in lora.tensors.values())


def test_the_same_seed_gives_the_same_lora(folders: Folders, engine: Engine) -> None:
    first = digests(engine)
    with opened(folders) as other:
        assert digests(other) == first
    assert digests(engine, gradient_checkpointing=True) == first
    assert digests(engine, seed=6) != first


@pytest.mark.parametrize("change", [
    {"optimizer": "SGD"}, {"optimizer": "Adam"}, {"optimizer": "RMSprop"}, {"loss_function": "L1"},
    {"loss_function": "Huber"}, {"grad_accumulation_steps": 2}, {"rank": 3}, {"learning_rate": 0.02},
    {"training_dtype": "bf16"},
], ids=str)  # fmt: skip
def test_an_input_counts(engine: Engine, change: Mapping[str, Any]) -> None:
    assert digests(engine, **change) != digests(engine)


def test_a_lora_in_few_bits(engine: Engine) -> None:
    few, many = trained(engine, lora_dtype="bf16")[1].tensors, trained(engine)[1].tensors
    for name, tensor in many.items():
        expected = tensor if name.endswith(".alpha") else tensor.bfloat16()
        assert few[name].dtype == expected.dtype and torch.equal(few[name], expected)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_saved_lora_gives_the_picture_of_the_trained_one(folders: Folders, engine: Engine, algorithm: str) -> None:
    result = engine.run(PICTURE, {"train.algorithm": algorithm}, values=["decode", "train"])
    (file,) = result.outputs["save"].files
    assert file["filename"].startswith("made_3_steps_0")
    name = f"{algorithm}.safetensors"
    copyfile(file["path"], folders.models[0] / "loras" / name)
    loader = n(
        "LoraLoader", model=("model", 0), clip=("model", 1), lora_name=name, strength_model=0.7, strength_clip=1.0
    )
    heard: list[Event] = []
    loaded = engine.run({"load": loader, **sampled(("load", 0))}, values=["decode"], on_event=heard.append)
    assert not [event for event in heard if isinstance(event, Warned)], "every key is used"
    plain = engine.run(sampled(("model", 0)), values=["decode"]).values["decode"][0][0]
    (picture,) = result.values["decode"][0]
    assert torch.equal(picture, loaded.values["decode"][0][0]) and not torch.allclose(picture, plain, atol=1e-3)
    assert result.values["train"][3] == [3]


def test_the_model_with_the_lora_is_the_model_under_it(engine: Engine) -> None:
    whole = {**TRAIN, "laid": {**LAID, "inputs": {**LAID["inputs"], "strength_model": 1.0}}}
    expected = engine.run({**whole, **sampled(("laid", 0))}, values=["decode"]).values["decode"][0][0]
    found = engine.run({**TRAIN, **sampled(("train", 0))}, values=["decode"]).values["decode"][0][0]
    assert torch.equal(found, expected)
    none = {**whole, "laid": {**LAID, "inputs": {**LAID["inputs"], "strength_model": 0.0}}}
    plain = engine.run(sampled(("model", 0)), values=["decode"]).values["decode"][0][0]
    assert torch.equal(engine.run({**none, **sampled(("laid", 0))}, values=["decode"]).values["decode"][0][0], plain)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_it_goes_on_from_an_existing_lora(folders: Folders, engine: Engine, algorithm: str) -> None:
    name = f"first_{algorithm}.safetensors"
    result = engine.run(TRAIN, {"train.algorithm": algorithm, "train.steps": 12}, values=["train"])
    copyfile(result.outputs["save"].files[0]["path"], folders.models[0] / "loras" / name)
    first, (before,) = result.values["train"][1][0].tensors, result.values["train"][2]
    _, lora, loss, steps = trained(engine, existing_lora=name, algorithm="LoRA", steps=1, learning_rate=1e-7)
    assert steps == 13, "what the file says of itself counts"
    assert lora.tensors.keys() == first.keys(), "its layers keep their algorithm"
    assert all(torch.allclose(lora.tensors[key], first[key], atol=1e-5) for key in first)
    assert loss["loss"][0] < before["loss"][0], "the same noise, by a network that has learned"


def test_layers_that_an_existing_lora_lacks_are_new(folders: Folders, engine: Engine) -> None:
    tiny.write(folders.models[0] / "loras" / "style_40_steps_00002_.safetensors", tiny.lora(), {})
    _, lora, _, steps = trained(engine, existing_lora="style_40_steps_00002_.safetensors")
    text = [name for name in lora.tensors if name.startswith("lora_te_")]
    assert steps == 43 and all(torch.equal(lora.tensors[name], tiny.lora()[name]) for name in text) and text
    assert lora.tensors.keys() > tiny.lora().keys()


def ran(heard: list[Event]) -> set[str]:
    return {event.node for event in heard if isinstance(event, NodeFinished)}


def test_a_trained_lora_is_remembered_and_so_are_its_pictures(folders: Folders, tmp_path: Path) -> None:
    heard: list[Event] = []
    with opened(folders, tmp_path) as first:
        picture = first.run(PICTURE, values=["decode"]).values["decode"][0][0]
    with opened(folders, tmp_path) as other:
        other.run(PICTURE, on_event=heard.append)
        assert ran(heard) == set()
        changed = other.run(PICTURE, {"sample.seed": 2}, values=["decode"], on_event=heard.append)
        assert not {"train", "laid"} & ran(heard) and "sample" in ran(heard)
        assert not torch.equal(changed.values["decode"][0][0], picture)
        other.store.clear()
        other.free(models=True)
        heard.clear()
        again = other.run(PICTURE, values=["decode"], on_event=heard.append)
        assert "train" in ran(heard) and torch.equal(again.values["decode"][0][0], picture)


def test_a_lora_that_is_gone_is_trained_again(folders: Folders, tmp_path: Path) -> None:
    with opened(folders, tmp_path) as engine:
        model = engine.run(PICTURE, values=["laid"]).values["laid"][0][0]
        digest = bytes.fromhex(model.patches[0].file.digest)
    with opened(folders, tmp_path) as engine:
        engine.store._disk.drop(digest)
        heard: list[Event] = []
        engine.run(PICTURE, {"sample.seed": 3}, on_event=heard.append)
        assert {"train", "sample"} <= ran(heard) and "laid" not in ran(heard)


def test_each_step_tells_of_itself_and_can_be_the_last(engine: Engine) -> None:
    cancel, heard = threading.Event(), []

    def hear(event: Event) -> None:
        if isinstance(event, Progress) and event.node == "train":
            heard.append(event)
            if event.value == 2:
                cancel.set()

    with pytest.raises(Cancelled):
        engine.run(TRAIN, {"train.seed": 77, "train.steps": 50}, on_event=hear, cancel=cancel)
    assert [(event.value, event.maximum) for event in heard] == [(1, 50), (2, 50)]
    assert all(re.fullmatch(r"loss \d\.\d+", event.note) for event in heard)
    assert Image.open(BytesIO(heard[-1].preview())).size == (640, 400)
    assert trained(engine, seed=77)[3] == 3


def test_one_prompt_or_one_for_each(folders: Folders, engine: Engine) -> None:
    two = {
        "other": n("CLIPTextEncode", text="a dog", clip=("model", 1)),
        "text": n("ConditioningCombine", conditioning_1=("first", 0), conditioning_2=("other", 0)),
        "first": TRAIN["text"],
    }
    assert trained(engine, two)[3] == 3
    three = {
        **two,
        "both": two["text"],
        "text": n("ConditioningCombine", conditioning_1=("both", 0), conditioning_2=("other", 0)),
    }
    with pytest.raises(InputError, match="one prompt for each latent") as caught:
        trained(engine, three)
    assert (caught.value.node, caught.value.input) == ("train", "positive")
    assert caught.value.got == "3 prompts for 2 latents"


def test_prompts_of_other_lengths_share_no_call(engine: Engine) -> None:
    long = {
        "long": n("CLIPTextEncode", text="cat " * 100, clip=("model", 1)),
        "first": TRAIN["text"],
        "text": n("ConditioningCombine", conditioning_1=("first", 0), conditioning_2=("long", 0)),
    }
    assert trained(engine, long)[3] == 3


@pytest.mark.parametrize(("name", "value"), [
    ("rank", 0), ("rank", 129), ("steps", 0), ("batch_size", 0), ("learning_rate", 2.0), ("algorithm", "BOFT"),
    ("existing_lora", "gone.safetensors"),
])  # fmt: skip
def test_inputs_out_of_bounds_are_refused(engine: Engine, name: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        trained(engine, **{name: value})
    assert [(fault.node, fault.input) for fault in caught.value.faults] == [("train", name)]


def test_a_model_that_can_not_be_trained_is_refused(engine: Engine) -> None:
    changed = {
        "lcm": n("ModelSamplingDiscrete", model=("model", 0), sampling="lcm", zsnr=False),
        "train": {**TRAINING, "inputs": {**TRAINING["inputs"], "model": ["lcm", 0]}},
    }
    with pytest.raises(ModelError, match="can't be trained for this kind of model") as caught:
        trained(engine, changed)
    assert caught.value.node == "train" and "eps" in str(caught.value.expected)


def test_what_a_model_was_told_to_predict_is_what_is_learned(engine: Engine) -> None:
    changed = {
        "eps": n("ModelSamplingDiscrete", model=("model", 0), sampling="eps", zsnr=False),
        "train": {**TRAINING, "inputs": {**TRAINING["inputs"], "model": ["eps", 0]}},
    }
    assert trained(engine, changed)[2] != trained(engine)[2]


def test_a_lora_of_another_family_is_refused(folders: Folders, engine: Engine) -> None:
    wide = {name: torch.ones(64, 2) if "up" in name else torch.ones(2, 64) for name in tiny.lora() if "attn2" in name}
    wide = {name: tensor for name, tensor in wide.items() if not name.endswith("alpha")}
    tiny.write(folders.models[0] / "loras" / "wide.safetensors", wide, {})
    with pytest.raises(ModelError, match="does not fit"):
        trained(engine, existing_lora="wide.safetensors")


def test_a_trained_lora_does_not_fit_another_model(folders: Folders, engine: Engine) -> None:
    tiny.write(folders.models[0] / "checkpoints" / "xl.safetensors", tiny_xl.tensors(tiny_xl.modules()), {})
    other = {
        **TRAIN,
        "xl": n("CheckpointLoaderSimple", ckpt_name="xl.safetensors"),
        "laid": {**LAID, "inputs": {**LAID["inputs"], "model": ["xl", 0]}},
    }
    with pytest.raises(ModelError, match=r"the trained LoRA (does not fit|changes nothing)"):
        engine.run(other, values=["laid"])


def test_a_model_of_two_encoders_learns(folders: Folders, engine: Engine) -> None:
    tiny.write(folders.models[0] / "checkpoints" / "xl.safetensors", tiny_xl.tensors(tiny_xl.modules()), {})
    losses = trained(engine, {"model": n("CheckpointLoaderSimple", ckpt_name="xl.safetensors")}, steps=2)[2]["loss"]
    assert len(losses) == 2 and losses[0] != losses[1]


def test_a_graph_needs_a_loss() -> None:
    with pytest.raises(InputError, match="no loss to draw"):
        loss_graph()
    (file,) = loss_graph({"loss": [0.5]}, "curve").files
    assert (file.prefix, file.folder) == ("curve", "output") and Image.open(BytesIO(file.data)).size == (640, 400)
