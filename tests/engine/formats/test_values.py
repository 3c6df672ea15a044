"""Widget values: which slot of a saved list belongs to which input."""

import pytest

from engine.formats import catalogue_from_object_info, load
from tests.engine.formats.build import codes, converted, inputs_of, node, saved, spec


def values(kind, stored, **rest):
    return inputs_of(converted(saved([node(1, kind, stored, **rest)])), "1")


def test_a_seed_takes_the_slot_after_it_for_its_control():
    assert values("Sample", [7, "randomize", 30, 4.5, "ddim"]) == {
        "seed": 7,
        "steps": 30,
        "cfg": 4.5,
        "sampler": "ddim",
    }


def test_controls_are_kept_apart_for_batches():
    loaded = converted(saved([node(1, "Sample", [7, "increment", 30, 4.5, "ddim"])]))
    assert loaded.controls == {"1": {"seed": "increment"}}


def test_old_files_have_a_boolean_as_control():
    assert values("Sample", [7, True, 30, 4.5, "ddim"])["steps"] == 30


def test_a_hand_made_list_may_lack_the_control_slot():
    assert values("Sample", [7, 30, 4.5, "ddim"]) == {"seed": 7, "steps": 30, "cfg": 4.5, "sampler": "ddim"}


def test_a_choice_with_control_takes_two_more_slots():
    assert values("Color", ["b", "randomize", "", True]) == {"mode": "b", "flag": True}


def test_upload_buttons_come_last_and_are_not_sent():
    assert values("LoadImage", ["x.png", "image"]) == {"image": "x.png"}
    assert values("LoadAudio", ["a.mp3", None, None]) == {"audio": "a.mp3", "audioUI": ""}


def test_missing_trailing_values_are_the_defaults():
    loaded = converted(saved([node(1, "Sample", [7, "fixed"])]))
    assert inputs_of(loaded, "1") == {"seed": 7, "steps": 20, "cfg": 8.0, "sampler": "euler"}
    assert codes(loaded) == ["missing_values"]


def test_null_is_the_default():
    assert values("Sample", [None, "fixed", 4, None, "ddim"]) == {"seed": 0, "steps": 4, "cfg": 8.0, "sampler": "ddim"}


def test_no_values_at_all_are_the_defaults_without_a_remark():
    loaded = converted(saved([node(1, "Empty")]))
    assert inputs_of(loaded, "1") == {"width": 512, "height": 512}
    assert codes(loaded) == []


def test_values_too_many_are_reported_and_ignored():
    loaded = converted(saved([node(1, "Empty", [64, 32, 16])]))
    assert inputs_of(loaded, "1") == {"width": 64, "height": 32}
    assert codes(loaded) == ["misaligned_values"]


def test_an_empty_trailing_value_is_not_worth_a_remark():
    assert codes(converted(saved([node(1, "Empty", [64, 32, None])]))) == []


def test_values_by_name():
    assert values("Empty", {"height": 8, "width": 16, "other": 1}) == {"width": 16, "height": 8}


def test_the_list_wins_over_the_named_copy_and_the_difference_is_told():
    loaded = converted(saved([node(1, "Empty", [64, 32], widgets_values_named={"width": 64, "height": 33})]))
    assert inputs_of(loaded, "1")["height"] == 32
    assert [(item.code, item.input, item.got, item.expected) for item in loaded.diagnostics] == [
        ("named_value_differs", "height", "33", "32")
    ]


@pytest.mark.parametrize("stored", [[64, 32, 16], [64]])
def test_the_named_copy_is_used_where_the_list_does_not_fit(stored):
    assert values("Empty", stored, widgets_values_named={"width": 1024, "height": 768}) == {
        "width": 1024,
        "height": 768,
    }


def test_files_with_a_slot_for_forced_inputs():
    assert values("Recolor", ["p", 2, "dummy", 64]) == {"prompt": "p", "n": 2, "size": 64}
    assert values("Recolor", ["p", 2, 64]) == {"prompt": "p", "n": 2, "size": 64}


def test_a_converted_widget_keeps_its_slot():
    nodes = [node(1, "Sample", [7, "fixed", 30, 4.5, "ddim"], [("seed", "INT", None, "seed")])]
    assert inputs_of(converted(saved(nodes)), "1")["steps"] == 30


def test_a_dynamic_combo_is_followed_by_the_widgets_of_its_choice():
    assert values("Dynamic", ["two", "n", True, 5]) == {"mode": "two", "mode.name": "n", "mode.flag": True, "last": 5}
    assert values("Dynamic", ["one", 4, 5]) == {"mode": "one", "mode.size": 4, "last": 5}
    assert values("Dynamic", {"mode": "one", "mode.size": 6}) == {"mode": "one", "mode.size": 6, "last": 9}


def test_lists_and_curves_are_wrapped():
    assert values("Curve", [[[0, 0], [1, 1]], ["a"]]) == {
        "curve": {"__type__": "CURVE", "__value__": [[0, 0], [1, 1]]},
        "items": {"__value__": ["a"]},
    }


def test_a_choice_without_options_and_value_is_not_sent():
    catalogue = catalogue_from_object_info({"N": spec({"file": ["COMBO", {"options": []}], "n": ["INT", {}]})})
    assert load(saved([node(1, "N")]), catalogue).prompt["1"]["inputs"] == {"n": 0}


class TestUnknownTypes:
    def test_the_name_is_kept_and_the_pack_is_told(self):
        loaded = converted(saved([node(1, "Alien", {"a": 1}, properties={"cnr_id": "alien-pack", "ver": "1.2"})]))
        assert loaded.prompt["1"] == {
            "class_type": "Alien",
            "inputs": {"a": 1},
            "_meta": {"title": "Alien", "cnr_id": "alien-pack", "ver": "1.2"},
        }
        assert [(item.code, item.hint) for item in loaded.diagnostics] == [
            (
                "unknown_node",
                "It is in the pack alien-pack, version 1.2. Name the folder of the pack with --custom-nodes.",
            )
        ]

    def test_named_values_are_used(self):
        named = {"a": 1, "control_after_generate": "fixed"}
        assert values("Alien", [1, "fixed"], widgets_values_named=named) == {"a": 1}

    def test_widget_sockets_name_the_values(self):
        sockets = [("seed", "INT", None, "seed"), ("n", "INT", None, "n")]
        assert values("Alien", [5, "fixed", 2], inputs=sockets) == {"seed": 5, "n": 2}
        assert values("Alien", [5, 2], inputs=sockets) == {"seed": 5, "n": 2}

    def test_values_without_names_are_left_out_and_reported(self):
        loaded = converted(saved([node(1, "Alien", [1, 2])]))
        assert inputs_of(loaded, "1") == {}
        assert codes(loaded) == ["unnamed_values", "unknown_node"]

    def test_lora_stacks_of_rgthree(self):
        lora = {"on": True, "lora": "x.safetensors", "strength": 0.5}
        assert values("Power Lora Loader (rgthree)", [{}, {"type": "header"}, lora, {}, ""]) == {"lora_1": lora}


@pytest.mark.parametrize(
    ("kind", "stored", "expected"),
    [
        (
            "Load",
            ["c.safetensors"],
            ("value_not_in_list", "ckpt", "c.safetensors", "one of a.safetensors, b.safetensors"),
        ),
        ("Empty", [8, 8], ("value_out_of_range", "width", "8", "16 to 4096")),
        ("Empty", ["8", 8], ("wrong_type", "width", "8", "a number")),
        ("Text", [5], ("wrong_type", "text", "5", "text")),
    ],
)
def test_values_that_the_type_does_not_take_are_kept_and_reported(kind, stored, expected):
    loaded = converted(saved([node(1, kind, stored)]))
    assert [(item.code, item.input, item.got, item.expected) for item in loaded.diagnostics] == [expected]
    assert expected[1] in inputs_of(loaded, "1")
