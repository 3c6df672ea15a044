"""What a server asks of the code of node packs, in the worker that has it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from engine import Engine
from engine.values import from_bytes, pack, to_bytes, unpack
from server.refresh import refresh_packs

if TYPE_CHECKING:
    from nodes.packs.routes import Answer


def answer(engine: Engine, what: str, body: bytes) -> bytes:
    """Answer a question: both are the byte forms of plain values."""
    return to_bytes(pack(QUESTIONS[what](engine, *unpack(from_bytes(body)))))


def _changed(engine: Engine, type: str, literals: Mapping[str, Any]) -> Any:
    """Return what the result of a node depends on besides its inputs."""
    fingerprint = engine.registry[type].fingerprint
    return fingerprint(**literals) if fingerprint else None


def _wrong(engine: Engine, type: str, literals: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with a node's inputs, by input."""
    check = engine.registry[type].check
    return dict(check(literals, types)) if check else {}


def _request(
    engine: Engine, pack: str, method: str, path: str, headers: list[tuple[str, str]], body: bytes
) -> "Answer":
    """Return the answer of a pack's route to a request."""
    from nodes.packs.routes import answer_request  # needs what packs bring

    return answer_request(pack, method, path, headers, body)


def _prompt(engine: Engine, packs: list[str], text: str) -> tuple[str, list[str], list[str]]:
    """Return a request to run a prompt, as JSON, after packs saw it, what went wrong and what was left out."""
    from nodes.packs.prompts import handled

    return handled(packs, text)


def _refresh(engine: Engine) -> None:
    """Describe packs anew whose folders changed."""
    refresh_packs()


QUESTIONS: Mapping[str, Callable[..., Any]] = {
    "changed": _changed,
    "wrong": _wrong,
    "request": _request,
    "prompt": _prompt,
    "refresh": _refresh,
}
