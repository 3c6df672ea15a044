"""What packs do to each prompt before it is checked."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.errors import LoomisError
from engine.folders import Folders
from nodes.packs import current
from nodes.packs.names.server import PromptServer
from nodes.packs.prompts import LARGEST, handled

BODY = {"prompt": {"1": {"inputs": {"seed": 1}}}, "client_id": "me"}


@pytest.fixture
def handlers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[tuple[str, Callable[[Any], Any]]]]:
    """The handlers of two packs, of which one can't be imported."""

    def load(pack: str) -> None:
        if pack == "broken":
            raise LoomisError("The node pack broken is skipped.")

    current.begin(Folders((), *(tmp_path_factory.mktemp("places"),) * 3), None, load)  # type: ignore[arg-type]
    kept, PromptServer.instance = PromptServer.instance, PromptServer()
    yield PromptServer.instance.prompt_handlers
    PromptServer.instance = kept


def add(name: str) -> Callable[[Any], Any]:
    def handler(body: Any) -> Any:
        body["prompt"]["1"]["inputs"]["seed"] += 1
        body.setdefault("seen", []).append([name, current.node()])
        return body

    return handler


def test_they_see_it_one_after_the_other_as_who_they_are(handlers: Any) -> None:
    handlers += [("a", add("first")), ("b", add("second")), ("c", add("of a pack that is not asked"))]
    text, problems, left_out = handled(["a", "b", "broken"], json.dumps(BODY))
    assert (problems, left_out) == (["The node pack broken is skipped."], [])
    seen = [["first", ["a", ""]], ["second", ["b", ""]]]
    assert json.loads(text) == {"prompt": {"1": {"inputs": {"seed": 3}}}, "client_id": "me", "seen": seen}


def fails(body: Any) -> Any:
    body["prompt"].clear()
    raise ValueError("no")


@pytest.mark.parametrize(
    "wrong",
    [
        fails, lambda body: None, lambda body: [body], lambda body: {"prompt": []}, lambda body: exit(),
        lambda body: body | {"extra": object()}, lambda body: body | {"number": float("nan")},
        lambda body: body | {"text": "x" * LARGEST},
    ],
)  # fmt: skip
def test_what_fails_or_gives_nonsense_leaves_it_as_it_was(handlers: Any, wrong: Callable[[Any], Any]) -> None:
    handlers += [("a", wrong), ("a", add("next"))]
    text, (problem,), _ = handled(["a"], json.dumps(BODY))
    assert json.loads(text)["prompt"] == {"1": {"inputs": {"seed": 2}}}
    assert problem.startswith("What the node pack a does to each prompt failed, so it was left out: ")


def test_one_that_takes_too_long_is_left_out_from_then_on(handlers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodes.packs.prompts.SECONDS", 0.05)
    calls, over = [], threading.Event()

    def hangs(body: Any) -> Any:
        calls.append(body)
        over.wait(20)

    handlers += [("a", hangs), ("a", add("next"))]
    text, (problem,), left_out = handled(["a"], json.dumps(BODY))
    assert "took more than 0.05 s, so it is left out until the server starts again" in problem and left_out == []
    again, problems, left_out = handled(["a"], json.dumps(BODY))
    assert problems == [] and left_out == [
        "What the node pack a does to each prompt was left out: it took too long before."
    ]
    assert len(calls) == 1
    assert json.loads(text)["prompt"] == json.loads(again)["prompt"] == {"1": {"inputs": {"seed": 2}}}
    over.set()


def test_a_timeout_of_its_own_is_a_failure(handlers: Any) -> None:
    def times_out(body: Any) -> Any:
        raise TimeoutError("of its own")

    handlers += [("a", times_out)]
    for _ in range(2):
        _, (problem,), left_out = handled(["a"], json.dumps(BODY))
        assert problem.endswith("so it was left out: TimeoutError: of its own") and left_out == []
