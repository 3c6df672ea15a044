import json
from dataclasses import dataclass

import pytest

from engine import events
from engine.api import Output, Result
from engine.errors import Fault
from engine.formats import Diagnostic
from server.telling import MOST_LINES, FilesOnly, JsonLines, Lines, OnTerminal, Story, event_data

PLANNED = events.Planned(2, "j", ("1",), {"2": "seed changed"}, ("3",), (1.0, 3.0), {"2": (1.0, 2.0), "3": (0.0, 1.0)})


def test_a_story_has_one_line_a_node():
    story = Story({"1": "Loader"})
    told = [
        story.line(event)
        for event in (
            events.Started(1, "j", 0.0),
            PLANNED,
            events.Remembered(3, "j", "1", "Loader"),
            events.NodeStarted(4, "j", "2", "KSampler", "seed changed"),
            events.Progress(5, "j", "2", 1, 20),
            events.NodeFinished(6, "j", "2", 1.23),
            events.Warned(7, "j", "The disk is full."),
            events.Finished(8, "j", 1.5),
        )
    ]
    assert [" ".join(line.split()) for line in told if line] == [
        "1 remembered, 1 to run, 1 that may follow; 1.0 s to 3.0 s expected",
        "1 Loader remembered",
        "2 KSampler ran 1.2 s (seed changed)",
        "warning: The disk is full.",
        "done in 1.5 s",
    ]


def test_no_time_is_promised_while_a_node_never_ran():
    planned = events.Planned(2, "j", (), {"1": "never run", "2": "seed changed"}, (), (1.0, 2.0), {"2": (1.0, 2.0)})
    assert Story({}).line(planned) == "2 to run"


def test_a_large_graph_is_counted():
    story = Story({})
    lines = [story.line(events.Remembered(n, "j", str(n), "Loader")) for n in range(MOST_LINES + 5)]
    assert sum(line is not None for line in lines) == MOST_LINES
    assert story.line(events.Finished(0, "j", 0.25)) == "done and 5 more nodes, in 250 ms"


def test_a_node_type_from_a_file_does_not_steer_the_terminal():
    assert "\x1b" not in Story({"1": "\x1b[31m"}).line(events.Remembered(1, "j", "1", "Loader"))


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (events.Started(1, "j", 0.0), "started"),
        (PLANNED, "planned"),
        (events.NodeStarted(1, "j", "2", "X", "never run"), "node_started"),
        (events.Progress(1, "j", "2", 1, 20, lambda: b""), "progress"),
        (events.Remembered(1, "j", "2", "Add"), "remembered"),
        (events.NodeFinished(1, "j", "2", 0.5), "node_finished"),
        (events.Saved(1, "j", "2", ({"path": "a.png"},), {}, True), "saved"),
        (events.Warned(1, "j", "no"), "warned"),
        (events.Finished(1, "j", 0.5), "finished"),
        (events.Failed(1, "j", {"code": "input"}), "failed"),
        (events.WasCancelled(1, "j"), "was_cancelled"),
    ],
)
def test_every_event_is_one_json_line(event, kind, capsys):
    JsonLines()(event)
    line = json.loads(capsys.readouterr().out)
    assert line["event"] == kind
    assert line.keys() == {"event", *type(event).__dataclass_fields__} - {"preview"}


def test_event_data_keeps_its_fields():
    data = event_data(events.Progress(5, "j", "2", 1, 20, lambda: b""))
    assert data == {"event": "progress", "seq": 5, "job": "j", "node": "2", "value": 1, "maximum": 20, "note": ""}


RESULT = Result(
    "j",
    {"9": Output(({"path": "/there/a.png"}, {"path": "/there/b.png"}), {}), "8": Output((), {"text": ["a fox", 3]})},
    {},
    1.5,
    (Fault("x", "Node 7 is wrong.", "7"),),
    (Diagnostic("y", "Odd."),),
)


def test_a_result_as_json(capsys):
    JsonLines().finish(RESULT)
    assert json.loads(capsys.readouterr().out)["result"] == {
        "outputs": {"9": ["/there/a.png", "/there/b.png"], "8": []},
        "notes": {"8": {"text": ["a fox", 3]}},
        "faults": [{"code": "x", "message": "Node 7 is wrong.", "node": "7"}],
        "diagnostics": [{"code": "y", "message": "Odd.", "level": "warning"}],
        "seconds": 1.5,
    }


@pytest.mark.parametrize("teller", [Lines({}), FilesOnly(), OnTerminal({})])
def test_a_result_for_a_person(teller, capsys):
    teller.finish(RESULT)
    assert capsys.readouterr() == ("/there/a.png\n/there/b.png\na fox\n3\n", "left out: Node 7 is wrong.\n")


@dataclass
class Clock:
    now: float = 0.0

    def monotonic(self) -> float:
        return self.now


def test_lines_tell_a_slow_node_now_and_then(capsys, monkeypatch):
    clock = Clock()
    monkeypatch.setattr("server.telling.time", clock)
    lines = Lines({"2": "KSampler"})
    for step in range(1, 21):
        clock.now += 1.0
        lines(events.Progress(step, "j", "2", step, 20))
    told = capsys.readouterr().err.splitlines()
    assert [line.split()[-3] for line in told] == ["6", "12", "18"]


def test_files_only_says_warnings(capsys):
    teller = FilesOnly()
    teller(PLANNED)
    teller(events.Warned(1, "j", "The disk is full."))
    assert capsys.readouterr() == ("", "warning: The disk is full.\n")
