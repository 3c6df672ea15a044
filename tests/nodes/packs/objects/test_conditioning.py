import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.values import pack
from nodes.control import apply_controlnet, apply_controlnet_advanced
from nodes.packs.objects import from_foreign, to_foreign
from nodes.packs.objects.vision import Output
from nodes.recipes import (
    Cond,
    Conditioning,
    ControlNet,
    FileRef,
    Gligen,
    GligenBox,
    Unclip,
)
from nodes.weight_hooks import HookKeyframe, WeightHook

NET = ControlNet(FileRef("controlnet", "net"))
OPTIONS = {
    "area": (8, 8, 0, 0),
    "strength": 0.5,
    "mask": torch.rand(1, 4, 4),
    "mask_strength": 1.5,
    "set_area_to_bounds": True,
    "start_percent": 0.1,
    "end_percent": 0.9,
    "width": 512,
    "concat_latent_image": torch.rand(1, 4, 2, 2),
    "unclip": (Unclip(torch.rand(1, 8), 1.0, 0.2),),
    "gligen": (Gligen(FileRef("gligen", "a")), (GligenBox(torch.rand(1, 8), 1, 2, 3, 4),)),
    "hooks": (WeightHook(FileRef("loras", "a"), 1.0, 0.5, (HookKeyframe(0.5),)),),
    "default": True,
    "own of a pack": [1, {"b": (2.5, None)}],
}


@st.composite
def conditionings(draw):
    entries = []
    for _ in range(draw(st.integers(0, 2))):
        names = draw(st.sets(st.sampled_from(sorted(OPTIONS))))
        pooled = draw(st.sampled_from([None, torch.rand(1, 8)]))
        entries.append(Cond(torch.rand(1, 7, 8), pooled, {name: OPTIONS[name] for name in names}))
    return Conditioning(tuple(entries))


@given(conditionings())
def test_what_goes_through_a_foreign_node_has_the_same_bytes(conditioning):
    for type_name in ("CONDITIONING", "*") if conditioning.entries else ("CONDITIONING",):
        there = to_foreign(type_name, conditioning)
        assert pack(from_foreign(type_name, there)).digest == pack(conditioning).digest
        assert pack(from_foreign(type_name, [[t[0], t[1].copy()] for t in there])).digest == pack(conditioning).digest


def test_controlnets_go_through_in_their_order():
    prompts = Conditioning((Cond(torch.rand(1, 7, 8)),))
    first, second = torch.rand(1, 4, 6, 3), torch.rand(1, 8, 8, 3)
    once = apply_controlnet(prompts, NET, first, 0.5)
    twice = apply_controlnet_advanced(once, once, NET, second, 0.7, 0.1, 0.9).positive
    for steered in (once, twice):
        assert pack(from_foreign("CONDITIONING", to_foreign("CONDITIONING", steered))).digest == pack(steered).digest
    chain = to_foreign("CONDITIONING", twice)[0][1]["control"]
    assert chain.cond_hint_original.shape == (1, 3, 8, 8)
    assert chain.timestep_percent_range == (0.1, 0.9)
    assert chain.previous_controlnet.strength == 0.5


def test_foreign_code_steers_a_prompt_as_our_node_does():
    prompts, picture = Conditioning((Cond(torch.rand(1, 7, 8)),)), torch.rand(1, 4, 6, 3)
    net, made = to_foreign("CONTROL_NET", NET), []
    for context, options in to_foreign("CONDITIONING", prompts):
        steering = net.copy().set_cond_hint(picture.movedim(-1, 1), 0.5)
        if "control" in options:
            steering.set_previous_controlnet(options["control"])
        made.append([context, {**options, "control": steering, "control_apply_to_uncond": True}])
    ours = apply_controlnet(prompts, NET, picture, 0.5)
    assert pack(from_foreign("CONDITIONING", made)).digest == pack(ours).digest
    assert from_foreign("CONTROL_NET", net) == NET


def test_foreign_code_finds_the_keys_that_it_expects():
    conditioning = Conditioning((Cond(torch.rand(1, 7, 8), None, OPTIONS),))
    [[context, options]] = to_foreign("CONDITIONING", conditioning)
    assert context.shape == (1, 7, 8)
    assert options["pooled_output"] is None
    assert options["unclip_conditioning"][0]["noise_augmentation"] == 0.2
    assert options["gligen"][0] == "position" and options["gligen"][2][0][1:] == (2, 1, 4, 3)
    options["own of a pack"].append(3)
    assert OPTIONS["own of a pack"] == [1, {"b": (2.5, None)}]


def test_pictures_that_a_node_saw_come_in_by_their_usual_names():
    options = {"unclip_conditioning": [
        {"clip_vision_output": Output(torch.ones(1, 8)), "strength": 1.0, "noise_augmentation": 0.0}
    ]}  # fmt: skip
    found = from_foreign("CONDITIONING", [[torch.rand(1, 7, 8), options]])
    assert torch.equal(found.entries[0].options["unclip"][0].embeds, torch.ones(1, 8))


@pytest.mark.parametrize("given", [5, "a", [[torch.rand(1, 7, 8), {"control": "x"}]]])
def test_anything_else_is_an_error(given):
    with pytest.raises(InputError, match="The node Test of Pack gives a"):
        from_foreign("CONDITIONING", given)


def test_lists_of_their_own_go_from_one_node_of_a_pack_to_another():
    mine = [{"encoded": [[torch.rand(1, 7, 8), {}]]}]
    assert to_foreign("CONDITIONING", from_foreign("CONDITIONING", mine))[0].keys() == {"encoded"}
    assert from_foreign("CONDITIONING", {"a": [1]}) == {"a": [1]}
