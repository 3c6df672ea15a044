"""The modules that node packs import, by the names that ComfyUI has them under.

`answer` gives the module for a dotted name. What stands in a file here works; what does not is a placeholder: it can
be imported, subclassed and named in type hints, and raises one error when it is used.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from nodes.packs.names.extras import ExtrasModule
from nodes.packs.names.placeholders import AbsentModule

NAMES = frozenset({
    "app", "comfy", "comfy_api", "comfy_api_nodes", "comfy_config", "comfy_execution", "comfy_extras",
    "comfyui_version", "execution", "folder_paths", "latent_preview", "node_helpers", "nodes", "protocol", "server",
})  # fmt: skip
"""The first parts of the names that are answered."""


def answer(name: str) -> ModuleType | None:
    """Return the module that foreign code means by a dotted name, or None where it is none of ComfyUI's.

    Raises:
        ModuleNotFoundError: the name leads into a module that is no package.
    """
    return _module(name) if name.partition(".")[0] in NAMES else None


@cache
def _module(name: str) -> ModuleType:
    outer, _, last = name.rpartition(".")
    parent = _module(outer) if outer else None
    if not isinstance(parent, AbsentModule) and find_spec(f"{__name__}.{name}"):
        return import_module(f"{__name__}.{name}")
    made = ExtrasModule(name) if outer == "comfy_extras" else AbsentModule(name)
    if parent is not None:
        setattr(parent, last, made)
    return made


def modules_of(package: str) -> Callable[[str], ModuleType]:
    """Return the ``__getattr__`` of a package here: its members are modules, imported when they are first named."""

    def get(name: str) -> ModuleType:
        if name.startswith("__"):
            raise AttributeError(name)
        return _module(f"{package.removeprefix(f'{__name__}.')}.{name}")

    return get
