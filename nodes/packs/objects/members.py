"""What foreign objects offer, and the one error of what they don't."""

from typing import Any

from engine.context import Context
from engine.errors import InputError, NodeFailure
from nodes.packs import current


class NoSuchMember(NodeFailure, AttributeError):
    """Foreign code asks an object for something that Loomis does not offer. ``hasattr`` says False."""


def no_member(kind: str, name: str, hint: str | None = None) -> NoSuchMember:
    """Return the error for ``kind.name``, such as ``MODEL.add_callback``."""
    return NoSuchMember(
        f"{_who()} uses {kind}.{name}, which Loomis does not offer.",
        got=f"{kind}.{name}",
        hint=hint or f"Use another node in its place, and report {kind}.{name} if you need this one.",
    )


def unusable(kind: str, got: object, expected: str) -> InputError:
    """Return the error for something that foreign code gave as a ``kind`` and that is none."""
    return InputError(
        f"{_who()} gives a {kind} that is none.", got=got, expected=expected, hint="Report this to the pack."
    )


def context() -> Context:
    """Return the context of the node that runs.

    Raises:
        NodeFailure: foreign code works with models while no node runs.
    """
    found = current.context()
    if found is None:
        raise NodeFailure(f"{_who()} works with a model outside of a node.", hint="Report this to the pack.")
    return found


def _who() -> str:
    pack, type = current.node() or ("", "")
    return f"The node {type} of {pack}" if type else f"The pack {pack}" if pack else "Foreign code"


class Members:
    """An object of which foreign code may use what is defined, and nothing else."""

    kind: str
    """What packs know it as: MODEL, CLIP, ..."""

    def __getattr__(self, name: str) -> Any:
        return self._refuse(name)

    def _refuse(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if hasattr(type(self), name):  # Python asks here when a property raises an AttributeError of its own
            return object.__getattribute__(self, name)
        raise no_member(self.kind, name)
