import json
from pathlib import Path
from typing import Annotated

from hypothesis import given
from hypothesis import strategies as st

from engine import Engine, Folders, Registry
from engine.schema import Files
from server.jobs.records import BatchPart, Submission
from server.jobs.submit import digest, encode, make_job, model_files, parts
from tests.engine.words import n


def test_what_tells_two_submissions_apart_is_their_content_not_their_place():
    graph = {"1": n("Number", value=1)}
    body = encode(Submission(graph, extra={"a": 1}))
    assert digest(body) == digest(
        encode(Submission(graph, id="x", priority=5, front=True, labels=("l",), extra={"a": 1}))
    )
    for other in (Submission(graph), Submission(graph, targets=("1",), extra={"a": 1}), Submission({}, extra={"a": 1})):
        assert digest(encode(other)) != digest(body)


TEXTS = st.text() | st.just(",\n") | st.just('",\n"workflow": {')
VALUES = st.recursive(st.none() | st.booleans() | st.integers() | TEXTS, lambda each: st.dictionaries(TEXTS, each))


@given(st.dictionaries(TEXTS, VALUES), st.dictionaries(TEXTS, VALUES))
def test_the_parts_of_a_submission_are_found_without_reading_it(workflow, extra):
    extra.pop("auth_token_comfy_org", None)
    part = BatchPart("folder", {"row": 1}, None)
    body = encode(Submission(workflow, extra=extra, targets=("1",), part=part))
    assert {name: json.loads(text) for name, text in parts(body).items()} == json.loads(body)
    assert json.loads(body)["workflow"] == workflow and json.loads(parts(body)["extra"]) == extra
    before = json.dumps(json.loads(body)).encode()  # as an earlier version wrote it
    assert parts(before) == parts(body) and digest(before) == digest(body)


def test_a_submission_of_many_nodes_is_written_as_one_of_few(monkeypatch):
    submission = Submission({"é" * number: n("Number", value=number) for number in range(7)}, extra={"a": [1, {}]})
    few = encode(submission)
    monkeypatch.setattr("server.jobs.submit.MANY", 0)
    assert encode(submission) == few


def test_a_job_names_the_model_files_of_its_graph(tmp_path: Path):
    registry = Registry()

    @registry.node("Load", output_node=True)
    def load(name: Annotated[str, Files("checkpoints")], other: Annotated[str, Files("vae")]) -> str:
        return name + other

    for file in ("checkpoints/a.safetensors", "vae/b.safetensors"):
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).touch()
    graph = {"1": n("Load", name="a.safetensors", other="b.safetensors")}
    with Engine(registry, folders=Folders(models=(tmp_path,))) as engine:
        bound = engine.check(graph)
    assert model_files(bound) == {"checkpoints/a.safetensors", "vae/b.safetensors"}
    job = make_job(Submission(graph, timeout=5), "id", 3.0, bound)
    assert job.models == ("checkpoints/a.safetensors", "vae/b.safetensors")
    assert job.deadline
    assert round(job.deadline - job.created) == 5
