"""``loomis submit``."""

import json
from pathlib import Path

from tests.server.conftest import Command
from tests.server.words import after, n, shown


def write(folder: Path, workflow: object) -> str:
    (folder / "job.json").write_text(json.dumps(workflow))
    return "job.json"


def test_it_prints_the_id_of_the_job(talking: Command, here: Path) -> None:
    ran = talking("submit", write(here, shown(3)), "--label", "night", "--priority", "5")
    assert (ran.code, ran.err) == (0, "")
    job = talking("jobs", ran.out.strip(), "--json").lines[0]

    assert (job["labels"], job["priority"]) == (["night"], 5)


def test_it_can_be_watched_to_its_end(talking: Command, here: Path) -> None:
    ran = talking("submit", write(here, shown(3)), "--set", "Number.value=31", "--watch")

    assert (ran.code, ran.out) == (0, "31\n")
    assert "  2 Show " in ran.err and "done in" in ran.err


def test_a_job_that_fails_gives_the_exit_code_of_a_run(talking: Command, here: Path) -> None:
    ran = talking("submit", write(here, after(Fail={"value": 3})), "-w")

    assert ran.code == 1
    assert "no 3" in ran.err


def test_json_is_a_job_or_lines_of_what_happens(talking: Command, here: Path) -> None:
    file = write(here, shown(3))
    assert talking("submit", file, "--json").lines[0]["state"] == "queued"
    *facts, last = talking("submit", file, "--json", "--watch").lines

    assert [fact["kind"] for fact in facts if fact["event"] == "fact"][-1] == "succeeded"
    assert last["job"]["outputs"]["2"]["notes"] == {"text": ["3"]}


def test_an_invalid_workflow_is_refused(talking: Command, here: Path) -> None:
    ran = talking("submit", write(here, {"1": n("Add", a=1, b="many"), "2": n("Show", value=("1", 0))}))

    assert ran.code == 2
    assert "input b" in ran.err


def test_the_same_id_is_submitted_once(talking: Command, here: Path) -> None:
    file = write(here, shown(77))
    assert [talking("submit", file, "--id", "mine-77").out for _ in range(2)] == ["mine-77\n"] * 2
    other = talking("submit", write(here, shown(78)), "--id", "mine-77")

    assert (other.code, "another job" in other.err) == (1, True)


def test_a_saved_workflow_and_declared_parameters_are_sent_whole(talking: Command, here: Path) -> None:
    saved = {
        "version": 0.4,
        "nodes": [
            {
                "id": 1,
                "type": "Number",
                "widgets_values": [4],
                "outputs": [{"name": "INT", "type": "INT", "links": [1]}],
            },
            {"id": 2, "type": "Show", "inputs": [{"name": "value", "type": "*", "link": 1}]},
        ],
        "links": [[1, 1, 0, 2, 0, "INT"]],
    }
    assert talking("submit", write(here, saved), "--watch").out == "4\n"
    declared = {"prompt": shown(3), "loomis": {"parameters": {"count": "1.value"}}}
    ran = talking("submit", write(here, declared), "--set", "count=32", "--watch")

    assert (ran.code, ran.out) == (0, "32\n"), ran.err


def test_a_server_that_is_not_there_is_told(loomis: Command, here: Path) -> None:
    ran = loomis("submit", write(here, shown(1)), "--server", "http://127.0.0.1:9")

    assert ran.code == 1
    assert "loomis serve" in ran.err


def test_an_address_that_is_none_is_told(loomis: Command, here: Path) -> None:
    ran = loomis("submit", write(here, shown(1)), "--server", "localhost")

    assert (ran.code, "http://127.0.0.1:8188" in ran.err) == (2, True)
