from typing import get_args

import pytest
import torch
from PIL import Image

import nodes
from engine import Engine, Folders
from engine.errors import ModelError
from engine.events import Progress
from nodes.control import PictureType
from nodes.models.families.controlnet_union import TYPES
from tests.nodes.models import test_control_lora, tiny


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("control")
    tiny.write(folder / "checkpoints" / "tiny.safetensors", tiny.tensors())
    tiny.write(folder / "controlnet" / "net.safetensors", tiny.control())
    tiny.write(folder / "controlnet" / "more.safetensors", tiny.control() | {"odd": torch.zeros(1)})
    tiny.write(folder / "controlnet" / "difference.safetensors", tiny.control() | {"difference": torch.zeros(1)})
    tiny.write(folder / "controlnet" / "union.safetensors", tiny.union())
    wide = tiny.union({**tiny.CONTROL, "cross_attention_dim": 48})
    tiny.write(folder / "controlnet" / "wide-union.safetensors", wide)
    tiny.write(folder / "controlnet" / "control-lora.safetensors", test_control_lora.FILE, {})
    foreign = tiny.control({**tiny.CONTROL, "cross_attention_dim": 48})
    tiny.write(folder / "controlnet" / "foreign.safetensors", foreign)
    Image.linear_gradient("L").convert("RGB").resize((20, 16)).save(folder / "a.png")
    folders = Folders((folder,), input=folder, output=folder / "out", temp=folder / "temp")
    with Engine(nodes.vocabulary(), folders=folders) as engine:
        yield engine


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def workflow(positive=("2", 0), negative=("3", 0), net="net.safetensors", **more):
    return {
        "1": node("CheckpointLoaderSimple", ckpt_name="tiny.safetensors"),
        "2": node("CLIPTextEncode", clip=["1", 1], text="a"),
        "3": node("CLIPTextEncode", clip=["1", 1], text="b"),
        "4": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "5": node(
            "KSampler", model=["1", 0], positive=list(positive), negative=list(negative), latent_image=["4", 0],
            seed=1, steps=3, cfg=4.0, sampler_name="euler", scheduler="normal", denoise=1.0,
        ),
        "6": node("LoadImage", image="a.png"),
        "7": node("ControlNetLoader", control_net_name=net),
        **more,
    }  # fmt: skip


def sampled(engine, *args, **kwargs):
    return engine.run(workflow(*args, **kwargs), targets=["5"], values=["5"]).values["5"][0][0].samples


def old(conditioning="2", strength=0.8):
    inputs = {"conditioning": [conditioning, 0], "control_net": ["7", 0], "image": ["6", 0], "strength": strength}
    return node("ControlNetApply", **inputs)


def advanced(strength=0.8, start=0.0, end=1.0, positive=("2", 0), negative=("3", 0)):
    return node(
        "ControlNetApplyAdvanced", positive=list(positive), negative=list(negative), control_net=["7", 0],
        image=["6", 0], strength=strength, start_percent=start, end_percent=end,
    )  # fmt: skip


def test_a_control_on_the_positive_side_reaches_both(engine):
    plain = sampled(engine)
    both = sampled(engine, ("8", 0), ("8", 1), **{"8": advanced()})
    assert (both - plain).abs().max() > 1e-3
    assert torch.equal(sampled(engine, ("8", 0), **{"8": old()}), both)
    assert not torch.equal(sampled(engine, ("8", 0), **{"8": advanced()}), both)


def test_a_controlnet_may_attend_to_another_text(engine):
    def told(text, control):
        more = {"8": node("CLIPTextEncodeControlnet", clip=["1", 1], conditioning=["2", 0], text=text)}
        return sampled(engine, ("9", 0) if control else ("8", 0), **more, **({"9": old("8")} if control else {}))

    both, plain = sampled(engine, ("8", 0), **{"8": old()}), sampled(engine)
    assert (told("another", control=True) - both).abs().max() > 1e-4
    assert torch.equal(told("another", control=False), plain)
    torch.testing.assert_close(told("a", control=True), both, atol=1e-4, rtol=1e-4)


def test_strength_zero_and_an_empty_range_change_nothing(engine):
    plain = sampled(engine)
    assert torch.equal(sampled(engine, ("8", 0), ("8", 1), **{"8": advanced(strength=0.0)}), plain)
    assert torch.equal(sampled(engine, ("8", 0), **{"8": old(strength=0.0)}), plain)
    assert torch.equal(sampled(engine, ("8", 0), ("8", 1), **{"8": advanced(start=1.0, end=1.0)}), plain)


def test_a_range_is_a_part_of_the_steps(engine):
    early = sampled(engine, ("8", 0), ("8", 1), **{"8": advanced(end=0.4)})
    whole = sampled(engine, ("8", 0), ("8", 1), **{"8": advanced()})
    assert not torch.equal(early, whole)
    assert not torch.equal(early, sampled(engine))


def test_two_controls_add_up(engine):
    twice = sampled(
        engine, ("9", 0), ("9", 1), **{"8": advanced(0.25), "9": advanced(0.5, positive=("8", 0), negative=("8", 1))}
    )
    once = sampled(engine, ("8", 0), ("8", 1), **{"8": advanced(0.75)})
    torch.testing.assert_close(twice, once, rtol=1e-3, atol=1e-3)


def test_a_file_without_differences_loads_as_it_is(engine):
    loader = node("DiffControlNetLoader", model=["1", 0], control_net_name="net.safetensors")
    both = {"8": advanced()}
    assert torch.equal(
        sampled(engine, ("8", 0), ("8", 1), **both, **{"7": loader}), sampled(engine, ("8", 0), ("8", 1), **both)
    )


def test_differences_without_a_model_are_an_error(engine):
    with pytest.raises(ModelError, match=r"difference\.safetensors holds differences") as raised:
        engine.run(workflow(net="difference.safetensors"), targets=["7"])
    assert raised.value.node == "7" and "DiffControlNetLoader" in raised.value.hint


def test_a_controlnet_of_another_family_is_an_error_before_sampling(engine):
    events = []
    with pytest.raises(ModelError, match=r"foreign\.safetensors does not fit tiny\.safetensors") as raised:
        engine.run(
            workflow(("8", 0), ("8", 1), net="foreign.safetensors", **{"8": advanced()}),
            targets=["5"],
            on_event=events.append,
        )
    assert raised.value.node == "5"
    assert not [event for event in events if isinstance(event, Progress)]


def test_tensors_without_a_place_are_reported(engine):
    events = []
    engine.run(workflow(net="more.safetensors"), targets=["7"], on_event=events.append)
    assert [event for event in events if "more.safetensors: 1 of its tensors" in str(event)]


def of_type(type, net="union.safetensors", **more):
    """Return a workflow whose ControlNet is told the type of its picture."""
    told = node("SetUnionControlNetType", control_net=["10", 0], type=type)
    loader = node("ControlNetLoader", control_net_name=net)
    return {"positive": ("8", 0), "negative": ("8", 1), "7": told, "8": advanced(), "10": loader, **more}


def test_a_union_controlnet_is_told_what_kind_of_picture_it_gets(engine):
    auto, depth, pose = (sampled(engine, **of_type(type)) for type in ("auto", "depth", "openpose"))
    assert (depth - auto).abs().max() > 1e-3 and (pose - depth).abs().max() > 1e-3
    untold = of_type("auto", **{"7": node("ControlNetLoader", control_net_name="union.safetensors")})
    assert torch.equal(sampled(engine, **untold), auto)


def test_a_type_that_the_union_does_not_know_is_an_error_before_sampling(engine):
    events = []
    with pytest.raises(ModelError, match="knows no pictures of the type tile") as raised:
        engine.run(workflow(**of_type("tile")), targets=["5"], on_event=events.append)
    assert raised.value.node == "7" and "segment" in str(raised.value.expected)
    assert not [event for event in events if isinstance(event, Progress)]


def test_a_type_for_a_plain_controlnet_says_nothing_and_is_warned_of(engine):
    events = []
    engine.run(workflow(**of_type("depth", "net.safetensors")), targets=["7"], on_event=events.append)
    assert [event for event in events if "the type depth says nothing to it" in str(event)]
    plain = sampled(engine, ("8", 0), ("8", 1), **{"8": advanced()})
    assert torch.equal(sampled(engine, **of_type("depth", "net.safetensors")), plain)


def test_a_union_controlnet_of_another_family_is_an_error(engine):
    with pytest.raises(ModelError, match=r"wide-union\.safetensors does not fit tiny\.safetensors"):
        engine.run(workflow(**of_type("depth", "wide-union.safetensors")), targets=["5"])


def test_the_types_of_pictures_are_those_of_the_networks():
    assert get_args(PictureType) == ("auto", *TYPES)


def test_a_control_lora_steers_the_model_that_it_is_used_with(engine):
    plain = sampled(engine)
    steered = sampled(engine, ("8", 0), ("8", 1), net="control-lora.safetensors", **{"8": advanced()})
    assert (steered - plain).abs().max() > 1e-3
    events = []
    engine.run(workflow(net="control-lora.safetensors"), targets=["7"], on_event=events.append)
    assert not [event for event in events if "have no place" in str(event)]
