"""Rows that differ only by seed are sampled at once, and give the pictures that they give alone."""

import json
from collections import Counter
from pathlib import Path

import numpy
import pytest
from PIL import Image

from engine.events import NodeFinished
from engine.formats.png import png_texts
from server.batch.axes import Axis
from server.batch.manifest import Manifest
from server.batch.pictures import Pictures
from server.batch.request import Request, compose
from server.batch.rows import Row
from server.batch.runner import run_batch
from server.batch.together import join, likeness, share
from server.replay import replay
from server.settings import Options
from tests.engine.words import n
from tests.server.batch.test_runner import SAMPLED, names, sampling

__all__ = ["sampling"]


def changed(prompt, **nodes):
    return prompt | {id: {**prompt[id], "inputs": prompt[id]["inputs"] | more} for id, more in nodes.items()}


HIRES = SAMPLED | {
    "8": n("LatentUpscale", samples=("5", 0), upscale_method="bilinear", width=64, height=32, crop="disabled"),
    "9": changed(SAMPLED, **{"5": {"latent_image": ["8", 0], "seed": 3, "denoise": 0.5}})["5"],
    "6": n("VAEDecode", samples=("9", 0), vae=("1", 2)),
}
MASKED = SAMPLED | {
    "8": n("SolidMask", value=1.0, width=16, height=32),
    "9": n("SetLatentNoiseMask", samples=("4", 0), mask=("8", 0)),
    "5": changed(SAMPLED, **{"5": {"latent_image": ["9", 0], "sampler_name": "ddim"}})["5"],
}


STEPPED = {"steps": 3, "cfg": 2.0, "sampler_name": "euler_ancestral", "scheduler": "normal"}
LINKS = {"positive": ("2", 0), "negative": ("3", 0)}
ADVANCED = SAMPLED | {
    "5": n("KSamplerAdvanced", model=("1", 0), latent_image=("4", 0), **LINKS, **STEPPED, add_noise="enable",
           noise_seed=0, start_at_step=0, end_at_step=2, return_with_leftover_noise="enable"),
    "8": n("KSamplerAdvanced", model=("1", 0), latent_image=("5", 0), **LINKS, **STEPPED, add_noise="disable",
           noise_seed=4, start_at_step=2, end_at_step=10_000, return_with_leftover_noise="disable"),
    "6": n("VAEDecode", samples=("8", 0), vae=("1", 2)),
}  # fmt: skip
LEVELS = {
    "20": n("KSamplerSelect", sampler_name="euler_ancestral"),
    "21": n("BasicScheduler", model=("1", 0), scheduler="normal", steps=3, denoise=1.0),
}
CUSTOM = SAMPLED | LEVELS | {
    "5": n("SamplerCustom", model=("1", 0), add_noise=True, noise_seed=0, cfg=2.0, **LINKS, sampler=("20", 0),
           sigmas=("21", 0), latent_image=("4", 0)),
    "6": n("VAEDecode", samples=("5", 1), vae=("1", 2)),
}  # fmt: skip
SPLIT = SAMPLED | LEVELS | {
    "22": n("SplitSigmas", sigmas=("21", 0), step=2),
    "23": n("CFGGuider", model=("1", 0), **LINKS, cfg=2.0),
    "5": n("RandomNoise", noise_seed=0),
    "24": n("SamplerCustomAdvanced", noise=("5", 0), guider=("23", 0), sampler=("20", 0), sigmas=("22", 0),
            latent_image=("4", 0)),
    "25": n("DisableNoise"),
    "26": n("SamplerCustomAdvanced", noise=("25", 0), guider=("23", 0), sampler=("20", 0), sigmas=("22", 1),
            latent_image=("24", 0)),
    "6": n("VAEDecode", samples=("26", 0), vae=("1", 2)),
}  # fmt: skip


def run(engine, tmp_path, graph, folder, together, seeds=(1, 2, 3, 4, 5), **options):
    seed = "5.noise_seed" if "noise_seed" in graph["5"]["inputs"] else "5.seed"
    request = Request(names(tmp_path / folder, f"{{{seed}}}"), grid=[Axis(seed, seeds)], together=together)
    batch = compose(engine, engine.load(graph), request, Pictures(engine.folders, tmp_path))
    told = []
    with Manifest(tmp_path / folder / "out" / "manifest.jsonl", batch.head("w")) as manifest:
        progress = run_batch(batch, manifest, on_row=lambda line, counts: told.append(line), **options)
    return progress, told


def pixels(tmp_path, folder, seeds=(1, 2, 3, 4, 5)):
    files = [tmp_path / folder / "out" / f"{seed}.png" for seed in seeds]
    return numpy.stack([numpy.asarray(Image.open(file), dtype=int) for file in files])


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(changed(SAMPLED, **{"5": {"sampler_name": "euler", "steps": 3}}), id="euler"),
        pytest.param(changed(SAMPLED, **{"5": {"sampler_name": "euler_ancestral", "steps": 3}}), id="ancestral"),
        pytest.param(changed(SAMPLED, **{"5": {"sampler_name": "dpmpp_sde", "steps": 3}}), id="brownian"),
        pytest.param(changed(SAMPLED, **{"4": {"batch_size": 2}}), id="batch"),
        pytest.param(HIRES, id="hires"),
        pytest.param(MASKED, id="mask"),
        pytest.param(ADVANCED, id="advanced"),
        pytest.param(CUSTOM, id="custom"),
        pytest.param(SPLIT, id="custom-advanced"),
    ],
)
def test_each_row_gives_the_picture_that_it_gives_alone(sampling, tmp_path: Path, graph):
    events = []
    _, told = run(sampling, tmp_path, graph, "together", 2, on_event=events.append)
    times = Counter(event.node for event in events if isinstance(event, NodeFinished))
    assert times["6"] == 3 and max(times.values()) == 3
    assert [line.get("together") for line in told] == [[1, 2], [1, 2], [3, 4], [3, 4], None]
    run(sampling, tmp_path, graph, "alone", 1)
    one, other = pixels(tmp_path, "together"), pixels(tmp_path, "alone")
    assert abs(one - other).max() <= 1
    assert all(abs(one[0] - each).max() > 8 for each in one[1:])


def test_a_picture_says_with_which_rows_it_was_sampled_and_replays(sampling, tmp_path: Path):
    run(sampling, tmp_path, SAMPLED, "x", 3, seeds=(7, 8, 9))
    picture = tmp_path / "x" / "out" / "8.png"
    with picture.open("rb") as stream:
        texts = {name: json.loads(text) for name, text in png_texts(stream).items()}
    made = texts["loomis"]["made"]
    values = [{"5.seed": seed} for seed in (7, 8, 9)]
    assert made["batch"] == {"rows": [1, 2, 3], "of": 3, "values": values, "together": 3}
    assert made["index"] == 1 and texts["prompt"]["5"]["inputs"]["seeds"] == [7, 8, 9]
    options = Options(models=(tmp_path / "models",), data=tmp_path / "data", device="cpu")
    assert replay(picture, options).worst == 0


def test_how_many_are_sampled_at_once_is_in_the_key(sampling, tmp_path: Path):
    run(sampling, tmp_path, SAMPLED, "x", 1)
    progress, _ = run(sampling, tmp_path, SAMPLED, "x", 2)
    assert progress.skipped == 0
    progress, _ = run(sampling, tmp_path, SAMPLED, "x", 2)
    assert progress.skipped == 5


def test_a_row_that_fails_takes_no_other_with_it(sampling, tmp_path: Path):
    rows = [Row({"seed": 1}), Row({"seed": -1}), Row({"seed": 2})]
    request = Request(names(tmp_path, "{row}"), rows, together=3)
    batch = compose(sampling, sampling.load(SAMPLED), request, Pictures(sampling.folders, tmp_path))
    with Manifest(tmp_path / "out" / "manifest.jsonl", batch.head("w")) as manifest:
        progress = run_batch(batch, manifest)
        assert [line["state"] for line in manifest.lines(3)] == ["done", "failed", "done"]
    assert (progress.done, progress.failed) == (2, 1)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, True),
        ({"8": n("LatentFromBatch", samples=("5", 0), batch_index=0, length=1)}, False),
        ({"8": n("SaveImage", images=("9", 0), filename_prefix="x")}, False),
        ({"8": n("ImageScale", image=("6", 0), upscale_method="area", width=8, height=8, crop="disabled")}, True),
        ({"5": SAMPLED["5"] | {"inputs": SAMPLED["5"]["inputs"] | {"seed": ["8", 0]}}}, False),
        ({"5": n("SamplerOfOthers", noise_seed=1)}, False),
        ({"5": n("KSamplerAdvanced", noise_seed=1)}, True),
        ({"5": n("SamplerCustomAdvanced", noise=("8", 0)), "8": n("RandomNoise", noise_seed=1)}, True),
        ({"5": n("SamplerCustomAdvanced", noise=("8", 0)), "8": n("DisableNoise")}, True),
        ({"5": n("SamplerCustomAdvanced", noise=("8", 0)), "8": n("NoiseOfOthers", noise_seed=1)}, False),
        ({"5": n("SamplerCustomAdvanced", noise=("8", 0)), "8": n("RandomNoise", noise_seed=("1", 0))}, False),
        ({"5": n("SamplerCustomAdvanced")}, False),
    ],
)
def test_what_can_be_joined(more, why):
    assert (likeness(SAMPLED | more) is not None) == why


def test_only_seeds_of_samplers_may_differ():
    assert likeness(SAMPLED) == likeness(changed(SAMPLED, **{"5": {"seed": 9}}))
    assert likeness(SAMPLED) != likeness(changed(SAMPLED, **{"5": {"cfg": 9.0}}))
    assert likeness(SAMPLED) != likeness(changed(SAMPLED, **{"7": {"filename_prefix": "y"}}))


def test_every_sampler_takes_the_seeds_of_all():
    second = changed(HIRES, **{"5": {"seed": 9}})
    found = join([HIRES, second])
    assert [(found[id]["class_type"], found[id]["inputs"]["seeds"], found[id]["inputs"]["joined"]) for id in "59"] == [
        ("KSamplerSeeds", [0, 9], False),
        ("KSamplerSeeds", [3, 3], True),
    ]
    assert "seed" not in found["5"]["inputs"] and HIRES["5"]["class_type"] == "KSampler"


def test_files_are_shared_in_order():
    assert list(share("abcdef", 3)) == ["ab", "cd", "ef"]


def test_noise_that_others_use_too_is_not_a_seed_of_a_sampler():
    other = SPLIT | {"30": n("AddNoise", model=("1", 0), noise=("5", 0), sigmas=("21", 0), latent_image=("4", 0))}
    for graph, alike in ((SPLIT, True), (other, False)):
        second = changed(graph, **{"5": {"noise_seed": 9}})
        assert (likeness(graph) == likeness(second)) is alike


def test_a_sampler_whose_noise_is_a_node_takes_its_seeds():
    found = join([SPLIT, changed(SPLIT, **{"5": {"noise_seed": 9}})])
    assert found.keys() == SPLIT.keys() - {"5", "25"}
    told = [{name: found[id]["inputs"][name] for name in ("seeds", "joined", "add_noise")} for id in ("24", "26")]
    assert told == [
        {"seeds": [0, 9], "joined": False, "add_noise": True},
        {"seeds": [0, 0], "joined": True, "add_noise": False},
    ]
    assert "noise" not in found["24"]["inputs"]
