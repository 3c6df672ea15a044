"""``loomis cancel``."""

import json
from pathlib import Path

from tests.server.conftest import Command
from tests.server.words import after


def test_jobs_are_cancelled(talking: Command, here: Path) -> None:
    ids = []
    for value in (61, 62):
        (here / "job.json").write_text(json.dumps(after(Nap={"value": value, "seconds": 30})))
        ids.append(talking("submit", "job.json").out.strip())
    ran = talking("cancel", *reversed(ids))

    assert ran.code == 0
    assert [line.split()[0] for line in ran.out.splitlines()] == ids[::-1]
    assert talking("watch", *ids).code == 130
    assert talking("cancel", ids[0], "--json").lines[0]["state"] == "cancelled"


def test_the_beginning_of_an_id_is_enough_when_only_one_job_has_it(talking: Command, here: Path) -> None:
    for id in ("night-1", "night-10", "night-22"):
        (here / "job.json").write_text(json.dumps(after(Nap={"value": len(id), "seconds": 30})))
        talking("submit", "job.json", "--id", id)
    ran = talking("cancel", "night-2", "night-")

    assert (ran.code, ran.out) == (1, "")
    assert "3 jobs begin with 'night-'" in ran.err and "night-10 (" in ran.err
    assert talking("cancel", "night-2", "night-1", "night-10").out.split()[0] == "night-22"
    assert [talking("watch", id).code for id in ("night-1", "night-10", "night-22")] == [130] * 3


def test_a_job_that_is_not_there_is_told(talking: Command) -> None:
    ran = talking("cancel", "none")

    assert (ran.code, "no job" in ran.err) == (1, True)
