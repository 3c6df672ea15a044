import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.values import pack, unpack
from nodes.recipes import Clip, FileRef, LoraPatch, Merge, Model
from nodes.weight_hooks import (
    ClipHooks,
    HookKeyframe,
    WeightHook,
    combined,
    hooked_clips,
    hooks_of,
    model_patches,
    text_patches,
)

LORA, OTHER, TINY = FileRef("loras", "lora"), FileRef("loras", "other"), FileRef("checkpoints", "tiny")
HOOK, SECOND = WeightHook(LORA, 0.5, 0.25), WeightHook(OTHER, 1.0, 1.0)
CLIP = Clip(TINY, (LoraPatch(OTHER, 1.0),), layer=-2)


def clips(*hooks, to_conds=True, scheduled=True):
    found = hooked_clips(Clip(TINY, options=(ClipHooks(hooks, to_conds, scheduled),)))
    return [([patch.strength for patch in clip.patches], options) for clip, options in found]


class TestCombining:
    def test_equal_hooks_of_two_groups_count_once(self):
        assert combined((HOOK, SECOND), None, (SECOND, HOOK)) == (HOOK, SECOND)

    def test_what_counts_twice_in_a_group_does_so_in_the_whole(self):
        assert combined((HOOK,), (HOOK, HOOK)) == (HOOK, HOOK)

    def test_the_same_file_at_another_strength_is_another_hook(self):
        assert len(combined((HOOK,), (WeightHook(LORA, 0.5, 0.5),))) == 2

    @given(st.lists(st.lists(st.sampled_from([HOOK, SECOND]), max_size=4), max_size=4))
    def test_a_hook_counts_as_often_as_in_the_group_with_the_most(self, groups):
        found = combined(*map(tuple, groups))
        for hook in (HOOK, SECOND):
            assert found.count(hook) == max((group.count(hook) for group in groups), default=0)
        assert combined(found, *map(tuple, groups)) == found


class TestPatches:
    def test_a_lora_counts_as_strongly_as_its_hook_times_the_multiplier(self):
        assert model_patches(HOOK, 0.5, Model(TINY)) == (LoraPatch(LORA, 0.25),)
        assert text_patches(HOOK, 2.0, CLIP) == (LoraPatch(LORA, 0.5),)

    def test_what_counts_nothing_is_no_patch(self):
        assert model_patches(HOOK, 0.0, Model(TINY)) == text_patches(WeightHook(LORA, 1.0, 0.0), 1.0, CLIP) == ()

    def test_a_model_counts_by_its_difference_to_the_file_in_use(self):
        whole = WeightHook(FileRef("checkpoints", "whole"), 0.5, 0.25)
        patched = Model(TINY, (LoraPatch(LORA, 1.0),))
        assert model_patches(whole, 1.0, patched) == (
            Merge(Model(whole.file), (("", 1.0, 0.5),)),
            Merge(Model(TINY), (("", 1.0, -0.5),)),
        )
        beside = Clip(TINY, beside=OTHER)
        assert text_patches(whole, 2.0, beside)[1] == Merge(Clip(TINY, beside=OTHER), (("", 1.0, -0.5),))


class TestTextEncoders:
    def test_without_hooks_they_stay_as_they_are(self):
        assert hooked_clips(CLIP) == [(CLIP, {})]

    def test_hooks_come_after_their_patches_and_are_gone_from_the_recipe(self):
        ((clip, options),) = hooked_clips(
            Clip(CLIP.file, CLIP.patches, CLIP.layer, options=(ClipHooks((HOOK,), False, False),))
        )
        assert clip == Clip(TINY, (*CLIP.patches, LoraPatch(LORA, 0.25)), -2)
        assert options == {}

    def test_prompts_carry_the_hooks_where_that_is_wanted(self):
        assert clips(HOOK, SECOND) == [([0.25, 1.0], {"hooks": (HOOK, SECOND)})]

    def test_without_a_schedule_keyframes_do_not_count_for_them(self):
        keyed = WeightHook(LORA, 1.0, 0.5, (HookKeyframe(0.0), HookKeyframe(2.0, 0.5)))
        assert clips(keyed, scheduled=False) == [([0.5], {"hooks": (keyed,)})]

    def test_with_a_schedule_there_is_one_for_each_strength(self):
        keyed = WeightHook(LORA, 1.0, 0.5, (HookKeyframe(0.0), HookKeyframe(2.0, 0.5)))
        assert clips(keyed, SECOND, to_conds=False) == [
            ([1.0], {"clip_start_percent": 0.0, "clip_end_percent": 0.5}),
            ([1.0, 1.0], {"clip_start_percent": 0.5, "clip_end_percent": 1.0}),
        ]

    def test_ranges_are_cut_wherever_a_strength_changes_and_nowhere_else(self):
        first = WeightHook(LORA, 1.0, 1.0, (HookKeyframe(0.5, 0.2), HookKeyframe(0.5, 0.4), HookKeyframe(1.5, 0.6)))
        second = WeightHook(OTHER, 1.0, 1.0, (HookKeyframe(2.0), HookKeyframe(3.0, 0.8)))
        found = clips(first, second, to_conds=False)
        assert [strengths for strengths, _ in found] == [[0.5, 2.0], [1.5, 2.0], [1.5, 3.0]]
        assert [tuple(options.values()) for _, options in found] == [(0.0, 0.6), (0.6, 0.8), (0.8, 1.0)]

    def test_hooks_that_leave_text_alone_do_not_cut(self):
        keyed = WeightHook(LORA, 1.0, 0.0, (HookKeyframe(0.0), HookKeyframe(2.0, 0.5)))
        assert clips(keyed) == [([], {"hooks": (keyed,)})]


def test_of_the_hooks_of_a_prompt_those_count_that_change_the_diffusion_network():
    assert hooks_of({}) == hooks_of({"hooks": None}) == ()
    assert hooks_of({"hooks": (WeightHook(LORA, 0.0, 1.0), HOOK)}) == (HOOK,)


@pytest.mark.parametrize("value", [(HOOK, SECOND), Clip(TINY, options=(ClipHooks((HOOK,), True, False),))])
def test_hooks_travel(value):
    assert unpack(pack(value)) == value
