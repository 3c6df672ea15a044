"""``loomis jobs``."""

import json
import time
from pathlib import Path

from tests.server.conftest import Command
from tests.server.words import after, shown


def submitted(talking: Command, here: Path, workflow: object, *more: str) -> str:
    (here / "job.json").write_text(json.dumps(workflow))
    return talking("submit", "job.json", *more).out.strip()


def test_jobs_are_listed(talking: Command, here: Path) -> None:
    job = submitted(talking, here, shown(51), "--label", "listed")
    talking("watch", job)
    ran = talking("jobs", "--label", "listed")

    assert ran.code == 0
    assert ran.out.splitlines()[0].split() == ["job", "state", "submitted", "took", "labels"]
    assert ran.out.splitlines()[1].split()[:2] == [job, "succeeded"]
    assert "1 of 1 jobs" in ran.out


def test_states_choose_and_json_has_all(talking: Command, here: Path) -> None:
    failed = submitted(talking, here, after(Fail={"value": 1}), "--label", "chosen")
    talking("watch", failed)
    data = talking("jobs", "--state", "failed", "--label", "chosen", "--json").lines[0]

    assert [job["id"] for job in data["jobs"]] == [failed]
    assert talking("jobs", "--state", "running", "--label", "chosen").out.startswith("0 of 0 jobs")


def test_one_job_is_shown_whole(talking: Command, here: Path) -> None:
    job = submitted(talking, here, shown(52))
    talking("watch", job)
    lines = talking("jobs", job[:13]).out.splitlines()
    told = dict(line.split(maxsplit=1) for line in lines[:-1])

    assert (told["id"], told["state"], lines[-1]) == (job, "succeeded", "52")
    data = talking("jobs", job, "--json").lines[0]
    assert time.mktime(time.strptime(told["ended"], "%Y-%m-%d %H:%M:%S")) == int(data["ended"])
    assert told["took"].endswith("s") and not {"number", "attempts", "priority"} & told.keys()
    assert talking("jobs", "none").code == 1
