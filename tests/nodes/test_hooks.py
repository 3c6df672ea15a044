import pytest
import torch

import nodes
from engine import Engine, Folders
from engine.errors import ModelError
from engine.events import NodeStarted
from nodes.conditioning import conditioning_combine, conditioning_set_area
from nodes.conditioning_properties import conditioning_set_default_combine, conditioning_set_properties
from nodes.hook_keyframes import create_hook_keyframe, create_hook_keyframes_interpolated, set_hook_keyframes
from nodes.hooks import (
    combine_hooks_2,
    combine_hooks_4,
    combine_hooks_8,
    conditioning_timesteps_range,
    create_hook_lora,
    create_hook_lora_model_only,
    create_hook_model_as_lora,
    create_hook_model_as_lora_model_only,
    set_clip_hooks,
)
from nodes.loaders import load_lora, load_lora_model_only
from nodes.recipes import Clip, Cond, Conditioning, FileRef, Latent, Model, Sampler
from nodes.sampler import ksampler, sampler_custom
from nodes.sampling.noise_levels import stable_diffusion
from nodes.sigmas import basic_scheduler
from nodes.text import clip_text_encode
from nodes.weight_hooks import HookKeyframe, WeightHook
from tests.nodes.calls import model_context
from tests.nodes.models import tiny

TINY = FileRef("checkpoints", "tiny")
MODEL, CLIP = Model(TINY), Clip(TINY)
SIZE = 12


def prompt(seed):
    return Conditioning((Cond(torch.randn(1, 7, 32, generator=torch.Generator().manual_seed(seed))),))


POSITIVE, NEGATIVE, OTHER = prompt(1), prompt(2), prompt(3)
EMPTY = Latent(torch.zeros(1, 4, SIZE, SIZE))


def sampled(ctx, positive=POSITIVE, negative=NEGATIVE, model=MODEL, steps=2, cfg=2.5):
    scheduled = {"sampler_name": "euler", "scheduler": "normal"}
    return ksampler(
        ctx, model, seed=3, steps=steps, cfg=cfg, positive=positive, negative=negative, latent_image=EMPTY, **scheduled
    ).samples


def under(conditioning, hooks, **more):
    return conditioning_set_properties(conditioning, set_cond_area="default", hooks=hooks, **more)


def halves():
    left = torch.zeros(1, SIZE, SIZE)
    left[:, :, : SIZE // 2] = 1
    return left, 1 - left


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A context over two checkpoints of the same family, a LoRA, and a LoRA for another family."""
    folder = tmp_path_factory.mktemp("two")
    tiny.write(folder / "checkpoints" / "tiny", tiny.tensors())
    others = (tiny.filled(module, seed + 10) for seed, module in enumerate(tiny.modules()))
    tiny.write(folder / "checkpoints" / "whole.safetensors", tiny.tensors(*others))
    tiny.write(folder / "loras" / "lora", tiny.lora(), {})
    tiny.write(folder / "loras" / "wide", tiny.lora(width=24, context=48), {})
    return model_context(folder)


class TestCreating:
    def test_a_hook_names_its_file_and_strengths_behind_those_before(self, two):
        first = create_hook_lora(two, "lora", 0.5, 0.25)
        assert first == (WeightHook(FileRef("loras", "lora"), 0.5, 0.25),)
        assert create_hook_lora_model_only(two, "lora", 0.7, first) == (*first, WeightHook(first[0].file, 0.7, 0.0))

    def test_so_does_one_of_a_whole_model(self, two):
        whole = FileRef("checkpoints", "whole.safetensors")
        assert create_hook_model_as_lora(two, "whole.safetensors", 0.5, 0.25) == (WeightHook(whole, 0.5, 0.25),)
        assert create_hook_model_as_lora_model_only(two, "whole.safetensors") == (WeightHook(whole, 1.0, 0.0),)

    def test_hooks_are_combined_whatever_is_missing(self, two):
        a, b = create_hook_lora(two, "lora", 0.1), create_hook_lora(two, "lora", 0.2)
        assert combine_hooks_2() == ()
        assert combine_hooks_2(a, b) == combine_hooks_4(None, a, hooks_D=b) == combine_hooks_8(hooks_C=a, hooks_H=b)
        assert combine_hooks_2(a, b) == (*a, *b)


def test_a_range_has_a_part_before_and_one_behind():
    assert conditioning_timesteps_range(0.2, 0.7) == ((0.2, 0.7), (0.0, 0.2), (0.7, 1.0))


class TestSampling:
    @pytest.mark.parametrize("strength", [1.0, -0.5])
    def test_a_lora_on_all_prompts_is_a_lora_on_the_model(self, two, strength):
        hooks = create_hook_lora(two, "lora", strength)
        found = sampled(two, under(POSITIVE, hooks), under(NEGATIVE, hooks))
        assert torch.equal(found, sampled(two, model=load_lora_model_only(two, MODEL, "lora", strength)))
        assert not torch.allclose(found, sampled(two), atol=1e-2)

    def test_loras_on_the_model_stay(self, two):
        patched = load_lora_model_only(two, MODEL, "lora", 0.7)
        hooks = create_hook_lora(two, "lora", 0.5)
        found = sampled(two, under(POSITIVE, hooks), under(NEGATIVE, hooks), patched)
        assert torch.equal(found, sampled(two, model=load_lora_model_only(two, patched, "lora", 0.5)))

    def test_a_whole_model_takes_the_place_of_the_one_in_use(self, two):
        hooks = create_hook_model_as_lora(two, "whole.safetensors")
        found = sampled(two, under(POSITIVE, hooks), under(NEGATIVE, hooks))
        torch.testing.assert_close(
            found, sampled(two, model=Model(FileRef("checkpoints", "whole.safetensors"))), atol=2e-3, rtol=0
        )
        assert not torch.allclose(found, sampled(two), atol=1e-1)

    def test_a_hook_on_one_side_counts_for_that_side(self, two):
        hooks = create_hook_lora(two, "lora", 0.5)
        alone = sampled(two, under(POSITIVE, hooks), steps=1, cfg=1.0)
        both = sampled(two, under(POSITIVE, hooks), steps=1, cfg=3.0)
        negative = sampled(two, NEGATIVE, steps=1, cfg=1.0)
        torch.testing.assert_close(both, negative + (alone - negative) * 3.0, atol=1e-4, rtol=1e-4)

    def test_under_disjoint_masks_each_part_is_as_under_its_own_hooks(self, two):
        masks, hooks = halves(), [create_hook_lora(two, "lora", strength) for strength in (0.5, -0.5)]
        each = [sampled(two, under(side, own), steps=1) for side, own in zip((POSITIVE, OTHER), hooks, strict=True)]
        joined = conditioning_combine(
            *(under(s, own, mask=m) for s, own, m in zip((POSITIVE, OTHER), hooks, masks, strict=True))
        )
        composite = each[0] * masks[0] + each[1] * masks[1]
        torch.testing.assert_close(sampled(two, joined, steps=1), composite, atol=1e-4, rtol=1e-4)

    def test_a_counterpart_of_an_area_has_the_hooks_of_its_prompt(self, two):
        hooks = create_hook_lora(two, "lora", 0.5)
        area = conditioning_set_area(under(POSITIVE, hooks), 64, 64, 0, 0)
        alike = conditioning_set_area(under(NEGATIVE, hooks), 64, 64, 0, 0)
        joined = conditioning_combine(OTHER, area), conditioning_combine(NEGATIVE, alike)
        assert torch.equal(sampled(two, joined[0], NEGATIVE), sampled(two, *joined))

    def test_a_keyframe_of_nothing_until_half_the_way_is_two_stages(self, two):
        frames = create_hook_keyframe(1.0, 0.5, create_hook_keyframe(0.0).HOOK_KF).HOOK_KF
        hooks = set_hook_keyframes(create_hook_lora(two, "lora", 0.5), frames)
        sigmas = basic_scheduler(two, MODEL, scheduler="normal", steps=6)
        border = int((sigmas > stable_diffusion().sigma_at(0.5)).sum())
        assert 0 < border < 5
        guided = under(POSITIVE, hooks), under(NEGATIVE, hooks)
        found = custom(two, MODEL, sigmas, EMPTY, guided)
        plain = custom(two, MODEL, sigmas[: border + 1], EMPTY)
        patched = load_lora_model_only(two, MODEL, "lora", 0.5)
        torch.testing.assert_close(found, custom(two, patched, sigmas[border:], Latent(plain), starts=False))

    def test_strengths_that_change_at_each_step_are_applied_at_each_step(self, two):
        frames = create_hook_keyframes_interpolated(0.0, 1.0, interpolation="linear", keyframes_count=10).HOOK_KF
        hooks = set_hook_keyframes(create_hook_lora(two, "lora", 0.5), frames)
        guided = under(POSITIVE, hooks), under(NEGATIVE, hooks)
        sigmas = basic_scheduler(two, MODEL, scheduler="normal", steps=3)
        levels = stable_diffusion()
        found = EMPTY
        for place in range(3):
            begun = [f.strength for f in frames if levels.sigma_at(f.start) >= sigmas[place]]
            model = load_lora_model_only(two, MODEL, "lora", 0.5 * (begun or [0.0])[-1])
            found = Latent(custom(two, model, sigmas[place : place + 2], found, starts=place == 0))
        torch.testing.assert_close(custom(two, MODEL, sigmas, EMPTY, guided), found.samples, atol=1e-4, rtol=1e-4)

    def test_a_prompt_fills_what_masks_leave(self, two):
        left, right = halves()
        hooks = create_hook_lora(two, "lora", 0.5)
        filled = conditioning_set_default_combine(under(POSITIVE, None, mask=left), OTHER, hooks)
        said = conditioning_combine(under(POSITIVE, None, mask=left), under(OTHER, hooks, mask=right))
        assert torch.equal(sampled(two, filled), sampled(two, said))

    def test_a_lora_for_another_family_is_named_before_anything_is_sampled(self, two):
        hooks = create_hook_lora(two, "wide", 1.0)
        with pytest.raises(ModelError, match="wide does not fit tiny: it is made for another model"):
            sampled(two, under(POSITIVE, hooks))
        with pytest.raises(ModelError, match="wide does not fit tiny"):
            load_lora(two, MODEL, CLIP, "wide")

    def test_tensors_that_change_nothing_are_told(self, models, tmp_path):
        tiny.write(tmp_path / "checkpoints" / "tiny", tiny.tensors())
        tiny.write(tmp_path / "loras" / "more", {**tiny.lora(), "lora_unet_nowhere.alpha": torch.ones(1)}, {})
        ctx, texts = model_context(tmp_path), []
        ctx.warn = texts.append
        sampled(ctx, under(POSITIVE, create_hook_lora(ctx, "more")), steps=1)
        assert texts == [
            "more: 1 of its tensors have no place in the model and are not used (lora_unet_nowhere.alpha ...)."
        ]


def custom(ctx, model, sigmas, latent, sides=(POSITIVE, NEGATIVE), starts=True):
    positive, negative = sides
    parts = {"positive": positive, "negative": negative, "sampler": Sampler("euler"), "sigmas": sigmas}
    return sampler_custom(ctx, model, starts, 3, 2.5, latent_image=latent, **parts).output.samples


class TestEncoding:
    def test_hooks_count_as_a_lora_does(self, two):
        hooked = set_clip_hooks(two, CLIP, False, False, create_hook_lora(two, "lora", 1.0, 0.5))
        (cond,) = clip_text_encode(two, "a cat", hooked).entries
        patched = load_lora(two, MODEL, CLIP, "lora", 1.0, 0.5).CLIP
        assert torch.equal(cond.context, clip_text_encode(two, "a cat", patched).entries[0].context)
        assert not torch.equal(cond.context, clip_text_encode(two, "a cat", CLIP).entries[0].context)
        assert cond.options == {}

    def test_the_prompt_carries_them_into_sampling(self, two):
        hooks = create_hook_lora(two, "lora", 0.5, 0.5)
        prompts = [clip_text_encode(two, text, set_clip_hooks(two, CLIP, hooks=hooks)) for text in ("a cat", "")]
        model, clip = load_lora(two, MODEL, CLIP, "lora", 0.5, 0.5)
        plain = [clip_text_encode(two, text, clip) for text in ("a cat", "")]
        assert torch.equal(sampled(two, *prompts), sampled(two, *plain, model))

    def test_with_a_schedule_a_prompt_is_encoded_for_each_strength(self, two):
        frames = create_hook_keyframe(1.0, 0.5, create_hook_keyframe(0.0).HOOK_KF).HOOK_KF
        hooks = set_hook_keyframes(create_hook_lora(two, "lora", 0.0, 0.5), frames)
        first, second = clip_text_encode(two, "a cat", set_clip_hooks(two, CLIP, False, True, hooks)).entries
        assert (first.options["clip_end_percent"], second.options["clip_start_percent"]) == (0.5, 0.5)
        assert torch.equal(first.context, clip_text_encode(two, "a cat", CLIP).entries[0].context)
        patched = load_lora(two, MODEL, CLIP, "lora", 0.0, 0.5).CLIP
        assert torch.equal(second.context, clip_text_encode(two, "a cat", patched).entries[0].context)

    def test_a_lora_for_another_family_is_refused_before_a_prompt_is_encoded(self, two):
        """One of which the text encoder may fit, but nothing else."""
        change = {"up": torch.ones(48, 2), "down": torch.ones(2, 16)}
        content = {f"lora_unet_double_blocks_0_img_attn_qkv.lora_{n}.weight": tensor for n, tensor in change.items()}
        tiny.write(two.folders.models[0] / "loras" / "flux", content, {})
        with pytest.raises(ModelError, match="flux does not fit tiny: it is made for another family"):
            set_clip_hooks(two, CLIP, False, False, create_hook_lora(two, "flux"))
        set_clip_hooks(two, CLIP, False, False, create_hook_lora_model_only(two, "flux"))

    def test_without_hooks_they_stay_as_they_are(self, two):
        assert set_clip_hooks(two, CLIP) == CLIP


def test_hooks_go_from_node_to_node_and_are_remembered(tmp_path):
    tiny.write(tmp_path / "checkpoints" / "tiny.safetensors", tiny.tensors())
    tiny.write(tmp_path / "loras" / "lora.safetensors", tiny.lora(), {})

    def called(type, **inputs):
        return {"class_type": type, "inputs": inputs}

    graph = {
        "1": called("CheckpointLoaderSimple", ckpt_name="tiny.safetensors"),
        "2": called("CreateHookLora", lora_name="lora.safetensors", strength_model=0.5, strength_clip=0.5),
        "3": called("CreateHookKeyframe", strength_mult=0.5, start_percent=0.0),
        "4": called("SetHookKeyframes", hooks=["2", 0], hook_kf=["3", 0]),
        "5": called("CombineHooks2", hooks_B=["4", 0]),
        "6": called("SetClipHooks", clip=["1", 1], apply_to_conds=True, schedule_clip=True, hooks=["5", 0]),
        "7": called("ConditioningTimestepsRange", start_percent=0.2, end_percent=0.7),
        "8": called("CLIPTextEncode", clip=["6", 0], text="a cat"),
        "9": called(
            "ConditioningSetProperties", cond_NEW=["8", 0], strength=1.0, set_cond_area="default", timesteps=["7", 2]
        ),
    }
    runs = []
    for values in (["4", "9"], ["4"]):  # the other value may be cheaper to compute than to read
        with Engine(nodes.vocabulary(), folders=Folders((tmp_path,)), data=tmp_path / "data") as engine:
            seen = []
            runs.append(engine.run(graph, targets=["9"], values=values, on_event=seen.append).values)
    assert not [event for event in seen if isinstance(event, NodeStarted)]
    (hook,) = runs[0]["4"][0][0]
    assert (hook.strength_model, hook.keyframes) == (0.5, (HookKeyframe(0.5),)) and runs[1]["4"] == runs[0]["4"]
    (cond,) = runs[0]["9"][0][0].entries
    assert cond.options == {"hooks": (hook,), "start_percent": 0.7, "end_percent": 1.0}
