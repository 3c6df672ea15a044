import logging
import math

import pytest

from engine.errors import InputError
from nodes.hook_keyframes import (
    create_hook_keyframe,
    create_hook_keyframes_from_floats,
    create_hook_keyframes_interpolated,
    set_hook_keyframes,
)
from nodes.recipes import FileRef
from nodes.weight_hooks import HookKeyframe, WeightHook

HOOK = WeightHook(FileRef("loras", "lora"), 1.0, 1.0)


def interpolated(interpolation, **more):
    (frames,) = create_hook_keyframes_interpolated(1.0, 3.0, interpolation=interpolation, keyframes_count=3, **more)
    return frames


def test_keyframes_lie_in_the_order_of_their_starts():
    (late,) = create_hook_keyframe(0.5, 0.8)
    (both,) = create_hook_keyframe(2.0, 0.1, late)
    assert both == (HookKeyframe(2.0, 0.1, 1), HookKeyframe(0.5, 0.8, 1))
    (three,) = create_hook_keyframe(3.0, 0.1, both)
    assert [frame.strength for frame in three] == [2.0, 3.0, 0.5]


@pytest.mark.parametrize(("interpolation", "middle"), [
    ("linear", 2.0), ("ease_in", 1.5), ("ease_out", 2.5), ("ease_in_out", 2.0),
])  # fmt: skip
def test_strengths_go_from_one_value_to_another(interpolation, middle):
    frames = interpolated(interpolation, start_percent=0.2, end_percent=0.6)
    assert [frame.strength for frame in frames] == pytest.approx([1.0, middle, 3.0])
    assert [frame.start for frame in frames] == pytest.approx([0.2, 0.4, 0.6])
    assert [frame.steps for frame in frames] == [1, 0, 0]


def test_easing_at_both_ends_is_half_a_cosine():
    (frames,) = create_hook_keyframes_interpolated(0.0, 1.0, interpolation="ease_in_out", keyframes_count=5)
    assert frames[1].strength == pytest.approx((1 - math.cos(math.pi / 4)) / 2)


def test_numbers_are_strengths_in_equal_steps_of_time():
    (frames,) = create_hook_keyframes_from_floats([0.5, 1, 0.0], 0.0, 0.5)
    assert frames == (HookKeyframe(0.5, 0.0, 1), HookKeyframe(1.0, 0.25, 0), HookKeyframe(0.0, 0.5, 0))
    assert (HookKeyframe(0.7, 0.3, 1),) == create_hook_keyframes_from_floats(0.7, 0.3, 0.9).HOOK_KF


@pytest.mark.parametrize("given", [[], ["1"], [math.inf], [[1.0]]])
def test_what_is_no_list_of_numbers_is_refused(given):
    with pytest.raises(InputError, match="no strengths") as raised:
        create_hook_keyframes_from_floats(given)
    assert raised.value.input == "floats_strength"


def test_keyframes_are_told_in_the_log_if_wanted(caplog):
    with caplog.at_level(logging.INFO, "loomis.hooks"):
        interpolated("linear")
        assert not caplog.messages
        interpolated("linear", print_keyframes=True)
    assert caplog.messages[1] == "Hook keyframe: strength 2 from 0.5 on."


def test_setting_keyframes_replaces_those_of_each_hook():
    (frames,) = create_hook_keyframe(0.5)
    keyed = set_hook_keyframes((HOOK, HOOK), frames)
    assert [hook.keyframes for hook in keyed] == [frames, frames]
    assert set_hook_keyframes(keyed) == keyed
    assert set_hook_keyframes(keyed, ()) == (HOOK, HOOK)
