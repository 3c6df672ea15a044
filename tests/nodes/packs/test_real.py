"""Packs that people use, as they are. ``LOOMIS_PACKS`` names the folder where they lie; nothing of them is here."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nodes
from engine import Engine
from nodes.packs.opening import open_packs
from nodes.packs.prompts import handled
from tests.nodes.packs.classic import Bench, folders, node

HERE = os.environ.get("LOOMIS_PACKS", "")
pytestmark = [
    pytest.mark.skipif(not HERE, reason="LOOMIS_PACKS names no folder of node packs"),
    pytest.mark.filterwarnings("ignore"),  # other people's code
]

IMAGE = node("EmptyImage", width=8, height=8, batch_size=1, color=255)
"""Nodes that most workflows here start with."""


@pytest.fixture
def real(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Bench, int]]:
    """Return what runs the nodes of a pack, and how many there are."""
    pack = Path(HERE, request.param)
    if not pack.is_dir():
        pytest.skip(f"{pack.name} is not there")
    opened = open_packs([pack], nodes.vocabulary(), folders(tmp_path), tmp_path / "packs")
    (facts,) = opened.packs
    if facts.missing:
        pytest.skip(f"{facts.missing} is not installed")
    assert facts.nodes, opened.problems
    with Engine(opened.registry, folders=folders(tmp_path), data=tmp_path / "data") as engine:
        yield Bench(engine), len(facts.nodes)


PAGE = Path(__file__).parents[3] / "docs" / "node_packs.md"
COUNTS = re.findall(r"^\| [\w-]+/([\w-]+) \| \w+ \| (\d+) of (\d+) \|", PAGE.read_text(), re.MULTILINE)


COUNT = """
import json, sys
from pathlib import Path
import nodes
from nodes.packs.opening import open_packs
from tests.nodes.packs.classic import folders

pack, here = map(Path, sys.argv[1:])
opened = open_packs([pack], nodes.vocabulary(), folders(here), here / "packs")
(facts,) = opened.packs
print(json.dumps([len(facts.nodes), facts.missing, opened.problems]))
"""
"""Opens a pack in a process of its own: what another test has imported of it would not be there anew."""


@pytest.mark.parametrize(("pack", "loaded", "all"), COUNTS)
def test_as_many_nodes_load_as_the_page_says(pack: str, loaded: str, all: str, tmp_path: Path) -> None:
    if not Path(HERE, pack).is_dir():
        pytest.skip(f"{pack} is not there")
    line = [sys.executable, "-W", "ignore", "-c", COUNT, str(Path(HERE, pack)), str(tmp_path)]
    told = subprocess.run(line, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
    count, missing, problems = json.loads(told)
    if missing:
        pytest.skip(f"{missing} is not installed")
    unusable = re.search(r"^(\d+) of the nodes of", " ".join(problems))
    assert (count, count + int(unusable[1] if unusable else 0)) == (int(loaded), int(all)), problems


def use(pack: str) -> Any:
    return pytest.mark.parametrize("real", [pack], indirect=True)


@use("ComfyMath")
def test_comfymath(real: tuple[Bench, int]) -> None:
    bench, count = real
    graph = {
        "sum": node("CM_IntBinaryOperation", op="Add", a=2, b=3),
        "float": node("CM_IntToFloat", a=["sum", 0]),
        "vector": node("CM_ComposeVec2", x=["float", 0], y=1.5),
        "parts": node("CM_BreakoutVec2", a=["vector", 0]),
    }
    assert bench.run(graph, "parts") == [[5.0, 1.5]] and count >= 50
    bench.run(graph, "parts")
    assert bench.ran == []


@use("ComfyUI-Custom-Scripts")
def test_custom_scripts_with_lists(real: tuple[Bench, int]) -> None:
    bench, count = real
    graph = {
        "text": node("StringFunction|pysssss", action="append", tidy_tags="yes", text_a="a fox", text_b="red"),
        "three": node("Repeater|pysssss", source=["text", 0], repeats=3, output="single", node_mode="reuse"),
        "show": node("ShowText|pysssss", text=["three", 0]),
        "math": node("MathExpression|pysssss", expression="2 * 3 + 1"),
    }
    three, math = bench.run(graph, "three", "math")
    assert (three, math[0]) == ([["a fox, red"] * 3], 7) and count >= 13
    assert bench.engine.run(graph, targets=["show"]).outputs["show"].notes["text"] == ["a fox, red"] * 3


@use("rgthree-comfy")
def test_rgthree_with_inputs_that_are_not_declared(real: tuple[Bench, int]) -> None:
    bench, count = real
    graph = {
        "image": IMAGE,
        "switch": node("Any Switch (rgthree)", any_02=["image", 0]),
        "size": node("Image or Latent Size (rgthree)", input=["switch", 0]),
        "seed": node("Seed (rgthree)", seed=7),
        "show": node("Display Any (rgthree)", source=["seed", 0]),
    }
    assert bench.run(graph, "size", "seed") == [[8, 8], [7]] and count >= 23
    assert bench.engine.run(graph, targets=["show"]).outputs["show"].notes["text"] == ["7"]


@use("ComfyUI_essentials")
def test_essentials(real: tuple[Bench, int]) -> None:
    bench, count = real
    graph = {
        "image": IMAGE,
        "large": node(
            "ImageResize+", image=["image", 0], width=16, height=12, interpolation="nearest", method="stretch",
            condition="always", multiple_of=0,
        ),
        "size": node("GetImageSize+", image=["large", 0]),
        "flip": node("ImageFlip+", image=["large", 0], axis="x"),
        "math": node("SimpleMath+", value="a * 2", a=["size", 0]),
    }  # fmt: skip
    size, math = bench.run(graph, "size", "math")
    assert (size[:2], math) == ([16, 12], [32, 32.0]) and count >= 85
    assert bench.run(graph, "flip")[0][0].shape == (1, 12, 16, 3)


@use("ComfyUI-KJNodes")
def test_kjnodes_with_lazy_inputs_and_schemas(real: tuple[Bench, int]) -> None:
    bench, count = real
    graph = {
        "red": node("EmptyImage", width=8, height=8, batch_size=1, color=0xFF0000),
        "blue": IMAGE,
        "pick": node("LazySwitchKJ", switch=False, on_false=["red", 0], on_true=["blue", 0]),
        "beside": node(
            "ImageConcanate", image1=["pick", 0], image2=["pick", 0], direction="right", match_image_size=True
        ),
        "size": node("GetImageSizeAndCount", image=["beside", 0]),
    }
    assert bench.run(graph, "size")[0][1:] == [16, 8, 1] and count >= 240
    assert "blue" not in bench.ran


@use("ComfyUI_Comfyroll_CustomNodes")
def test_comfyroll_with_lists(real: tuple[Bench, int]) -> None:
    bench, count = real
    graph = {
        "list": node(
            "CR Prompt List", multiline_text="a\nb\nc", prepend_text="", append_text="!", start_index=0, max_rows=9
        ),
        "text": node("CR Text Concatenate", text1=["list", 0], text2="x", separator="-"),
        "number": node("CR Integer To String", int_=7),
        "size": node("CR Aspect Ratio", width=64, height=64, aspect_ratio="custom", swap_dimensions="Off",
                     upscale_factor=1.0, prescale_factor=1.0, batch_size=1),
    }  # fmt: skip
    text, number = bench.run(graph, "text", "number")
    assert (text[0], number[0]) == (["a!-x", "b!-x", "c!-x"], "7") and count >= 199
    assert bench.run(graph, "size")[0][:2] == [64, 64]


@use("ComfyUI-Crystools")
def test_crystools_with_lazy_inputs(real: tuple[Bench, int]) -> None:
    bench, count = real
    graph = {
        "yes": node("Primitive string [Crystools]", string="yes"),
        "no": node("Primitive string [Crystools]", string="no"),
        "pick": node("Switch any [Crystools]", on_true=["yes", 0], on_false=["no", 0], boolean=False),
        "number": node("Primitive integer [Crystools]", int=3),
    }
    assert bench.run(graph, "pick", "number") == [["no"], [3]] and count >= 29
    assert "yes" not in bench.ran


@use("ComfyUI-Easy-Use")
def test_easy_use_with_a_loop_made_of_expansions(real: tuple[Bench, int]) -> None:
    bench, count = real
    graph = {
        "start": node("easy forLoopStart", total=3, initial_value1=["first", 0]),
        "first": node("PrimitiveInt", value=10),
        "add": node("easy mathInt", a=["start", 2], b=["start", 1], operation="add"),
        "end": node("easy forLoopEnd", flow=["start", 0], initial_value1=["add", 0]),
        "same": node("easy compare", a=["end", 0], b=13, comparison="a == b"),
    }
    assert bench.run(graph, "same") == [[True]] and count >= 200


@use("ComfyUI-Easy-Use")
def test_easy_use_sets_seeds_of_each_prompt(real: tuple[Bench, int]) -> None:
    seed = node("easy globalSeed", value=5, mode=True, action="increment", last_seed="")
    workflow = {
        "seed_widgets": {"2": 0},
        "nodes": [
            {"id": 1, "type": "easy globalSeed", "widgets_values": [5, True, "increment", ""]},
            {"id": 2, "type": "KSampler", "widgets_values": [1]},
        ],
    }
    prompt = {"1": seed, "2": node("KSampler", seed=1)}
    sent = {"prompt": prompt, "extra_data": {"extra_pnginfo": {"workflow": workflow}}}
    text, problems, _ = handled(["ComfyUI-Easy-Use"], json.dumps(sent))
    prompt = json.loads(text)["prompt"]
    assert (prompt["1"]["inputs"]["value"], prompt["2"]["inputs"]["seed"], problems) == (6, 6, [])


@use("ComfyUI-Impact-Pack")
def test_impact_pack_with_lists_and_lazy_inputs(real: tuple[Bench, int]) -> None:
    """It needs ComfyUI-Impact-Subpack in its folder ``impact_subpack``, and ultralytics, which is under the AGPL."""
    bench, count = real
    graph = {
        "image": IMAGE,
        "list": node("ImpactMakeImageList", image1=["image", 0], image2=["image", 0]),
        "invert": node("ImageInvert", image=["list", 0]),
        "batch": node("ImageListToImageBatch", images=["invert", 0]),
        "mask": node("SolidMask", value=1.0, width=8, height=8),
        "parts": node("MaskToSEGS", mask=["mask", 0], combined=False, crop_factor=1.0, bbox_fill=False, drop_size=4,
                      contour_fill=False),
        "whole": node("SegsToCombinedMask", segs=["parts", 0]),
        "more": node("ImpactCompare", cmp="a > b", a=2, b=3),
        "one": node("ImpactInt", value=1),
        "two": node("ImpactInt", value=2),
        "pick": node("ImpactConditionalBranch", cond=["more", 0], tt_value=["one", 0], ff_value=["two", 0]),
    }  # fmt: skip
    batch, whole, pick = bench.run(graph, "batch", "whole", "pick")
    assert (batch[0].shape, whole[0].shape, pick) == ((2, 8, 8, 3), (1, 8, 8), [2]) and count >= 187
    assert bench.ran.count("invert") == 1 and "one" not in bench.ran
