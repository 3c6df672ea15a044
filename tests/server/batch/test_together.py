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


def run(engine, tmp_path, graph, folder, together, seeds=(1, 2, 3, 4, 5), **options):
    request = Request(names(tmp_path / folder, "{5.seed}"), grid=[Axis("5.seed", seeds)], together=together)
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
    ],
)
def test_each_row_gives_the_picture_that_it_gives_alone(sampling, tmp_path: Path, graph):
    events = []
    _, told = run(sampling, tmp_path, graph, "together", 2, on_event=events.append)
    times = Counter(event.node for event in events if isinstance(event, NodeFinished))
    assert times["5"] == times["6"] == 3
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
        ({"5": n("KSamplerAdvanced", noise_seed=1)}, False),
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
