"""What packs do to each prompt before it is checked."""

import json
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
    text, problems = handled(["a", "b", "broken"], json.dumps(BODY))
    assert problems == ["The node pack broken is skipped."]
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
    text, (problem,) = handled(["a"], json.dumps(BODY))
    assert json.loads(text)["prompt"] == {"1": {"inputs": {"seed": 2}}}
    assert problem.startswith("What the node pack a does to each prompt failed, so it was left out: ")
