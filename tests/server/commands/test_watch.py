"""``loomis watch``."""

import json
from pathlib import Path

from tests.server.conftest import Command
from tests.server.words import after, shown


def submitted(talking: Command, here: Path, workflow: object) -> str:
    (here / "job.json").write_text(json.dumps(workflow))
    return talking("submit", "job.json").out.strip()


def test_a_job_is_told_from_its_beginning(talking: Command, here: Path) -> None:
    job = submitted(talking, here, shown(41))
    talking("watch", job)
    again = talking("watch", job)

    assert (again.code, again.out) == (0, "41\n")
    assert "done in" in again.err


def test_a_remembered_node_has_its_type(talking: Command, here: Path) -> None:
    for _ in range(2):
        job = submitted(talking, here, shown(46))
    told = [line.split() for line in talking("watch", job).err.splitlines()]

    assert told[:3] == [["2", "remembered"], ["1", "Number", "remembered"], ["2", "Show", "remembered"]]


def test_several_jobs_are_told_apart(talking: Command, here: Path) -> None:
    jobs = [submitted(talking, here, shown(value)) for value in (42, 43)]
    ran = talking("watch", *jobs)

    assert ran.out == "42\n43\n"
    assert {line[:8] for line in ran.err.splitlines()} == {job[:8] for job in jobs}
    assert ran.err.count("queued") == 2


def test_json_has_the_numbers_of_facts(talking: Command, here: Path) -> None:
    job = submitted(talking, here, shown(44))
    *facts, _ = talking("watch", job, "--json").lines
    seqs = [fact["seq"] for fact in facts if fact["event"] == "fact"]
    *later, _ = talking("watch", job, "--json", "--since", str(seqs[1])).lines

    assert seqs == sorted(seqs)
    assert [fact["seq"] for fact in later] == seqs[2:]


def test_a_cancelled_job_and_one_that_is_not_there(talking: Command, here: Path) -> None:
    job = submitted(talking, here, after(Nap={"value": 45, "seconds": 30}))
    assert talking("cancel", job).code == 0

    assert talking("watch", job).code == 130
    assert talking("watch", "none").code == 1
