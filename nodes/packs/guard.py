"""Packs install and download nothing of themselves: a process that loads packs starts no pip, and asks no hub."""

import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Collection
from functools import cache
from typing import Any

from engine.errors import LoomisError
from nodes.packs import current

log = logging.getLogger("loomis.packs")

STARTS = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"})
INSTALLS = re.compile(r"\b(pip3?|uv|conda|mamba|ensurepip|easy_install)\b.*\b(install|add|sync|upgrade)\b|ensurepip")


class Installs(LoomisError):
    """A pack tried to install software."""

    code = "pack_installs"


def stay_offline() -> None:
    """Let the libraries of model hubs work from what is on disk, unless the user set them otherwise."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
        os.environ.setdefault(name, "1")


@cache
def forbid_installs() -> None:
    """Refuse from now on, in this process, to start a program that installs Python packages."""
    sys.addaudithook(_refuse)


class FailingPopen(subprocess.Popen[Any]):
    """As ``subprocess.Popen``, but what installs fails, as it does without a network."""

    def __init__(self, args: Any, *more: Any, **options: Any) -> None:
        super().__init__(_failing(args, options), *more, **options)


def failing(start: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of ``subprocess`` with which what installs fails, as it does without a network."""

    def run(args: Any, *more: Any, **options: Any) -> Any:
        return start(_failing(args, options), *more, **options)

    return run


def _failing(args: Any, options: dict[str, Any]) -> Any:
    if not INSTALLS.search(" ".join(_words(args))):
        return args
    pack, _ = current.node() or ("A node pack", "")
    log.warning("%s tried to install software; Loomis does not let it: %s", pack, " ".join(_words(args))[:200])
    options.pop("shell", None)
    return [sys.executable, "-c", "raise SystemExit('Loomis installs nothing for node packs.')"]


def _refuse(event: str, arguments: tuple[Any, ...], starts: Collection[str] = STARTS) -> None:
    """Be the audit hook. ``starts`` is bound here: hooks outlive the names of their modules."""
    if event not in starts:
        return
    command = " ".join(_words(arguments))
    if INSTALLS.search(command):
        raise Installs(
            "A node pack tried to install software; Loomis does not let it.",
            got=command[:200],
            hint="Read the pack's requirements.txt, and install by hand what you want of it.",
        )


def _words(arguments: Any) -> list[str]:
    if isinstance(arguments, list | tuple):
        return [word for each in arguments for word in _words(each)]
    if isinstance(arguments, bytes):
        return [arguments.decode(errors="replace")]
    return [arguments] if isinstance(arguments, str) else []
