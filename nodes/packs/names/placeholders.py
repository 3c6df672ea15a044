"""What stands where Loomis has nothing of its own: it can be named, and raises one error when it is used."""

from abc import ABCMeta
from collections.abc import Callable
from functools import cache
from types import FunctionType, ModuleType
from typing import Any, NoReturn

from engine.errors import NodeFailure
from nodes.packs import current

HERE = "nodes.packs.names."
"""What stands before the name of a module that answers a foreign one."""


def absent(member: str) -> NodeFailure:
    """Return the error of foreign code that uses a member of ComfyUI, such as ``comfy.sd.VAE``, that is not there."""
    pack, type = current.node() or ("", "")
    who = f"The node {type} of {pack}" if type else f"The pack {pack}" if pack else "Foreign code"
    return NodeFailure(
        f"{who} uses {member} of ComfyUI, which Loomis does not have.",
        got=member,
        expected="code that needs no more of ComfyUI than Loomis answers",
        hint="Use another node in its place.",
    )


class Absent(ABCMeta):
    """The type of placeholders. Their attributes are placeholders too; subclasses can be defined and not made."""

    absent_name: str

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return placeholder(f"{cls.absent_name}.{name}")

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if not kwargs and len(args) == 1 and isinstance(args[0], FunctionType) and not _in_a_node():
            return _decorated(cls.absent_name)
        raise absent(cls.absent_name)

    def __bool__(cls) -> bool:
        return True

    def _used(cls, *args: object) -> NoReturn:
        raise absent(cls.absent_name)

    __iter__ = __len__ = __contains__ = __getitem__ = __setitem__ = __enter__ = __exit__ = _used
    __add__ = __sub__ = __mul__ = __truediv__ = __lt__ = __gt__ = __int__ = __float__ = __index__ = _used


def _in_a_node() -> bool:
    running = current.node()
    return running is not None and bool(running[1])


def _decorated(member: str) -> Callable[..., NoReturn]:
    def used(*args: object, **kwargs: object) -> NoReturn:
        raise absent(member)

    return used


@cache
def placeholder(member: str) -> Any:
    """Return what stands for a member of ComfyUI, named in full."""
    module, _, name = member.rpartition(".")
    return Absent(name, (), {"absent_name": member, "__module__": module})


def members_of(module: str) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a module here: what it does not define is a placeholder."""

    def get(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return placeholder(f"{module.removeprefix(HERE)}.{name}")

    return get


class AbsentModule(ModuleType):
    """A module of placeholders."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__ = []

    def __getattr__(self, name: str) -> Any:
        return members_of(self.__name__)(name)
