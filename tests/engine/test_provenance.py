"""What a file says of how it was made."""

import json
from pathlib import Path
from typing import Annotated

import pytest
from blake3 import blake3

from engine.formats.load import Loaded
from engine.formats.png import png_texts
from engine.node import Artifact, Mentions, ModelFolder, Shown
from engine.outputs import without_png_text
from engine.provenance import made_of, source_of
from engine.settings import Settings
from tests.engine.test_outputs import png
from tests.engine.words import Vocabulary, engine, n


@pytest.fixture
def words():
    words = Vocabulary()

    @words.registry.node("Picture", output_node=True)
    def picture(name: str, note: str = "") -> Shown[None]:
        return Shown(None, files=(Artifact(png(), "a"), Artifact(png((5, 5)), "a")))

    return words


GRAPH = {
    "1": n("Weights", name="big.safetensors"),
    "2": n("Weights", name="big.safetensors"),
    "3": n("Picture", name=("1", 0), note="x"),
    "4": n("Show", value=("2", 0)),
}


def texts_of(file):
    with Path(file["path"]).open("rb") as stream:
        return {name: json.loads(text) for name, text in png_texts(stream).items()}


def test_each_file_says_what_it_is_and_what_went_into_it(words, tmp_path: Path):
    model = tmp_path / "models" / "checkpoints" / "big.safetensors"
    model.parent.mkdir(parents=True)
    model.write_bytes(bytes(range(256)) * 2**17)  # over 16 MB: its fingerprint is of a sample
    settings = Settings(device="cpu", precision="fp32", ancestral_noise="same-seed", runtime="torch 2.1")
    with engine(words, tmp_path, settings=settings) as e:
        files = e.run(GRAPH, {"note": "y"}, notes={"batch": {"row": 3}}).outputs["3"].files
    made = [texts_of(file)["loomis"]["made"] for file in files]
    assert [(each["node"], each["index"]) for each in made] == [("3", 0), ("3", 1)]
    for file, each in zip(files, made, strict=True):
        assert each["result"] == blake3(without_png_text(Path(file["path"]).read_bytes())).hexdigest()
        assert each["parameters"] == {"note": "y"} and each["batch"] == {"row": 3}
        digest = blake3(model.read_bytes()).hexdigest()
        assert each["files"] == [{"kind": "checkpoints", "name": "big.safetensors", "blake3": digest}]
        assert each["versions"].keys() == {"loomis", "python", "torch"}
        assert each["settings"] == {"device": "cpu", "precision": "fp32", "ancestral_noise": "same-seed"}
    assert texts_of(files[0])["prompt"]["3"]["inputs"]["note"] == "y"


def test_a_model_in_parts_is_told_with_all_its_parts(words, tmp_path: Path):
    @words.registry.node("Parts", output_node=True)
    def parts(path: Annotated[str, ModelFolder("diffusers")]) -> Shown[None]:
        return Shown(None, files=(Artifact(png(), "a"),))

    folder = tmp_path / "models" / "diffusers" / "sd"
    (folder / "unet").mkdir(parents=True)
    for name in ("model_index.json", "unet/a.safetensors", "README.md"):
        (folder / name).write_bytes(name.encode())
    with engine(words, tmp_path) as e:
        (file,) = e.run({"1": n("Parts", path="sd")}).outputs["1"].files
    assert [(each["kind"], each["name"]) for each in texts_of(file)["loomis"]["made"]["files"]] == [
        ("diffusers", "sd/model_index.json"),
        ("diffusers", "sd/unet/a.safetensors"),
    ]


def test_the_workflow_as_it_was_given_is_kept_where_another_graph_ran(words, tmp_path: Path):
    given = {"3": n("Picture", name="a", note="x"), "note": {"text": "no node"}}
    document = {"nodes": [{"id": 3, "type": "Picture", "widgets_values": ["a", "b"]}], "links": []}
    with engine(words, tmp_path) as e:
        runs = [e.run(given, {"note": "y"}), e.run({"3": given["3"]})]
        runs += [e.run(given, {"note": "z"}, extra={"workflow": document}), e.run(document, {"note": "q"})]
    sources = [texts_of(run.outputs["3"].files[0])["loomis"].get("source") for run in runs]
    assert sources == [given, None, None, None]
    assert source_of(Loaded({}, None, (), "api", "png", loomis={"source": given})) == given
    assert source_of(Loaded({}, None, (), "api", "png", loomis={"source": {"a": 1}})) is None


def test_choices_that_were_made_at_submission_are_recorded(words, tmp_path: Path):
    document = {
        "version": 0.4,
        "nodes": [
            {"id": 1, "type": "Seed (rgthree)", "widgets_values": [-1, None, None, None]},
            {"id": 3, "type": "Picture", "widgets_values": ["a", "b"]},
        ],
        "links": [],
    }
    with engine(words, tmp_path) as e:
        loaded = e.load(document, seed=5)
        (file, _) = e.run(loaded).outputs["3"].files
    made = texts_of(file)["loomis"]["made"]
    (pick,) = made["picks"]
    assert (pick["node"], pick["input"], pick["from"]) == ("1", "seed", "-1")
    assert pick["picked"].endswith(f"it is {loaded.prompt['1']['inputs']['seed']}.")


def test_a_text_names_files_too(words, tmp_path: Path):
    @words.registry.node("Prompt", output_node=True)
    def prompt(text: Annotated[str, Mentions("embeddings", r"<(\w+)>")]) -> Shown[None]:
        return Shown(None, files=(Artifact(png(), "p"),))

    folder = tmp_path / "models" / "embeddings"
    folder.mkdir(parents=True)
    (folder / "fox.pt").write_bytes(b"fox")
    with engine(words, tmp_path) as e:
        (file,) = e.run({"1": n("Prompt", text="a <fox> and a hare")}).outputs["1"].files
    found = texts_of(file)["loomis"]["made"]["files"]
    assert found == [{"kind": "embeddings", "name": "fox.pt", "blake3": blake3(b"fox").hexdigest()}]


@pytest.mark.parametrize("junk", [{}, {"made": 1}, {"made": {"files": [1]}}, {"made": {"versions": {"a": 1}}}])
def test_what_has_another_form_says_nothing(junk):
    assert made_of(Loaded({}, None, (), "api", "png", loomis=junk)) == {}
