"""Everything that can be wrong gives one clear error, changes nothing and leaves the next run working."""

import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from typer.testing import CliRunner, Result

import nodes
from engine import Engine, Folders, Registry, Settings
from engine.errors import FileError, LoomisError, ValidationError
from engine.node import Expanded, Hidden, LinkTo
from engine.types import Image
from nodes import EMBEDDED
from server.cli import app
from tests.acceptance.bad_inputs import BAD, GOOD, NAN, Bad, Malice, picture, prepare, written
from tests.engine.words import n

Loomis = Callable[..., Result]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("bad")
    prepare(home)
    return home


@pytest.fixture
def loomis(home: Path, monkeypatch: pytest.MonkeyPatch) -> Loomis:
    """The command, in this process."""
    places = {"MODELS": "models", "INPUT": "input", "OUT": "output", "DATA": "data"}
    for name, folder in places.items():
        monkeypatch.setenv(f"LOOMIS_{name}", str(home / folder))
    monkeypatch.setenv("LOOMIS_DEVICE", "cpu")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))

    def run(workflow: object, *args: str) -> Result:
        (home / "workflow.json").write_bytes(written(workflow))
        return CliRunner().invoke(app, ["run", str(home / "workflow.json"), *args], prog_name="loomis")

    return run


@pytest.fixture(scope="module")
def engine(home: Path) -> Iterator[Engine]:
    """One engine for every bad input, with a node that makes a cycle."""
    registry = Registry()
    registry.specs.update(nodes.vocabulary().specs)

    @registry.node("Circle")
    def circle(image: Image, id: Annotated[str, Hidden("UNIQUE_ID")]) -> Expanded[Image]:
        return Expanded({f"{id}.1": n("ImageInvert", image=(id, 0))}, (LinkTo(f"{id}.1"),))

    folders = Folders((home / "models", EMBEDDED), home / "input", home / "output", home / "temp")
    with Engine(registry, folders=folders, settings=Settings(device="cpu"), data=home / "engine") as engine:
        engine.run(GOOD)
        yield engine


def files(home: Path) -> set[str]:
    """Return what lies in the output folder and where bad prefixes would write."""
    made = [*(home / "output").rglob("*"), *home.glob("*escaped*"), *home.glob("ran"), *Path("/tmp").glob("escaped*")]
    return {str(path) for path in made}


@pytest.mark.parametrize("name", BAD)
def test_the_command_says_what_is_wrong(name: str, home: Path, loomis: Loomis):
    bad = BAD[name]
    before = files(home)
    told = loomis(bad.workflow, "--quiet", *bad.args)
    assert told.exit_code == bad.code and bad.says in told.stderr and not told.stdout
    check_block(told.stderr, bad)
    assert files(home) == before


def check_block(text: str, bad: Bad) -> None:
    """See that there is one block that says what, where, what was got and expected, and what to do."""
    assert text.count("error:") == 1 and "Traceback" not in text and len(text) < 2000
    labels = {line.split()[0] for line in text.splitlines() if line.startswith("  ")}
    nothing = "it is missing" in text or "class_type" in text
    assert {"expected", "do"} <= labels and (nothing or "got" in labels)
    if bad.where:
        assert f"Node {bad.where}" in text or f"node {bad.where}" in text


@pytest.mark.parametrize("name", [name for name, bad in BAD.items() if not bad.args])
def test_the_engine_says_what_is_wrong_and_goes_on(name: str, home: Path, engine: Engine):
    bad = BAD[name]
    before = files(home)
    with pytest.raises(LoomisError) as caught:
        engine.run(bad.workflow)
    faults = caught.value.faults if isinstance(caught.value, ValidationError) else [caught.value]
    assert bad.says in f"{faults[0].message} {faults[0].hint}"
    assert bad.where in (None, *(fault.node for fault in faults))
    assert files(home) == before
    assert engine.run(GOOD).outputs["2"].files[0]["filename"] == "good_00001_.png"


@pytest.mark.parametrize(
    ("graph", "says"),
    [
        ({"1": n("PreviewAny", source="\ud83d")}, r"is no \*"),
        ({"2": n("PreviewAny", source=("3", 0)), "3": n("PrimitiveString", value="\ud83d")}, "is no STRING"),
        ({"1": n("PreviewAny", source=NAN)}, "nan is no number"),
    ],
)
def test_what_no_file_can_hold_is_refused_in_a_program_and_mended_in_a_file(
    graph: dict[str, Any], says: str, engine: Engine, loomis: Loomis
):
    with pytest.raises(ValidationError, match=says):
        engine.run(graph)
    told = loomis(graph, "--quiet")
    assert told.exit_code == 0 and told.stdout.strip() in ("\ufffd", "null", "None")


def test_the_code_in_the_bad_pickle_is_real(tmp_path: Path):
    pickle.loads(pickle.dumps(Malice(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


def test_a_cycle_that_an_expansion_makes(engine: Engine, home: Path):
    before = files(home)
    with pytest.raises(ValidationError, match="depend on each other"):
        engine.run(
            {**GOOD, "2": n("SaveImage", images=("3", 0), filename_prefix="bad"), "3": n("Circle", image=("1", 0))}
        )
    assert files(home) == before and engine.run(GOOD).outputs["2"].files


def test_several_faults_are_told_at_once(loomis: Loomis):
    told = loomis({**picture(width=0, height="tall"), "3": n("SaveImag")}, "--json")
    error = json.loads(told.stdout.splitlines()[-1])["error"]
    assert told.exit_code == 2 and not told.stderr
    assert {(fault["node"], fault["input"], fault["code"]) for fault in error["faults"]} == {
        ("1", "width", "value_smaller_than_min"),
        ("1", "height", "invalid_input_type"),
    }


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/loomis"])
def test_an_output_folder_that_can_not_be_written(place: str, home: Path, loomis: Loomis, tmp_path: Path):
    (tmp_path / "file").write_bytes(b"mine")
    told = loomis(GOOD, "--out", str(tmp_path / place))
    assert told.exit_code == 3 and "can't be written" in told.stderr and "Choose another with --out." in told.stderr
    assert told.stderr.count("error:") == 1 and "ran" not in told.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and (tmp_path / "file").read_bytes() == b"mine"
    assert loomis(GOOD).exit_code == 0


def test_a_subfolder_that_can_not_be_written(home: Path, engine: Engine):
    (home / "output" / "taken").write_bytes(b"")
    with pytest.raises(FileError, match="can't be written") as caught:
        engine.run({**GOOD, "2": n("SaveImage", images=("1", 0), filename_prefix="taken/a")})
    assert caught.value.node == "2" and (home / "output" / "taken").read_bytes() == b""
    (home / "output" / "taken").unlink()
    assert engine.run({**GOOD, "2": n("SaveImage", images=("1", 0), filename_prefix="taken/a")}).outputs["2"].files


def test_a_data_folder_that_can_not_be_written_costs_only_remembering(loomis: Loomis, tmp_path: Path):
    told = loomis(GOOD, "--data", "/proc/loomis", "--out", str(tmp_path))
    assert told.exit_code == 0 and [path.name for path in tmp_path.iterdir()] == ["good_00001_.png"]


def test_partial_runs_what_the_faults_leave(home: Path, loomis: Loomis):
    workflow = {
        **GOOD,
        "3": n("EmptyImage", width=0, height=8, batch_size=1, color=0),
        "4": n("SaveImage", images=("3", 0), filename_prefix="bad"),
    }
    refused = loomis(workflow, "--quiet")
    assert refused.exit_code == 2 and "stops     node 4" in refused.stderr
    told = loomis(workflow, "--partial", "--quiet")
    assert told.exit_code == 0 and [Path(line).name[:5] for line in told.stdout.splitlines()] == ["good_"]
    assert "left out: Node 3" in told.stderr
    assert loomis({**workflow, "2": workflow["4"]}, "--partial", "--quiet").exit_code == 2


def test_faults_of_nodes_that_nothing_needs_do_not_refuse_the_run(engine: Engine, loomis: Loomis):
    workflow = {
        **GOOD,
        "3": n("NoSuchNode", image=("1", 0)),
        "4": n("EmptyImage", width=0, height=8, batch_size=1, color=0),
        "5": n("ImageInvert", image=("6", 0)),
        "6": n("ImageInvert", image=("5", 0)),
        "7": n("CheckpointLoaderSimple", ckpt_name="none.safetensors"),
    }
    result = engine.run(workflow)
    assert result.outputs["2"].files and {fault.node for fault in result.faults} == {"3", "4", "5", "6", "7"}
    assert loomis(workflow, "--quiet").exit_code == 0


def test_a_truncated_upscaler_and_vae(home: Path, engine: Engine):
    for kind, type, name in (("upscale_models", "UpscaleModelLoader", "model_name"), ("vae", "VAELoader", "vae_name")):
        (home / "models" / kind).mkdir(exist_ok=True)
        (home / "models" / kind / "cut.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
        graph = {
            "1": n(type, **{name: "cut.safetensors"}),
            "3": n("EmptyImage", width=8, height=8, batch_size=1, color=0),
        }
        graph["2"] = n("PreviewAny", source=("1", 0))
        if type == "UpscaleModelLoader":
            graph["2"] = n("ImageUpscaleWithModel", upscale_model=("1", 0), image=("3", 0))
            graph["4"] = n("PreviewImage", images=("2", 0))
        with pytest.raises(FileError, match="is truncated"):
            engine.run(graph)
        assert engine.run(GOOD).outputs["2"].files
