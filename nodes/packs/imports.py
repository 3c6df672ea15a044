"""What the modules of a pack get when they import something.

Each pack's modules are executed with ``__builtins__`` of their own. Their ``import`` statement, and their
``importlib``, answer the names of ComfyUI (``nodes``, ``server``, ``folder_paths``, ``comfy``, ...) from
`nodes.packs.names`. So these names are nobody else's: ``sys.modules`` has a pack's own modules only, below
``custom_nodes``. What a pack puts into ``sys.path`` and ``sys.modules`` is seen by that pack alone, and what it
prints goes to standard error.
"""

import builtins
import importlib
import importlib.util
import subprocess
import sys
from collections import ChainMap
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from nodes.packs.find import Pack
from nodes.packs.guard import FailingPopen, failing
from nodes.packs.names import NAMES, answer

ROOT = "custom_nodes"
ON_PATH = "sys_path"
"""The package of a pack that holds what it found on a ``sys.path`` that it extended."""


class Imports:
    """The imports of one pack."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self.modules = SeenModules({}, sys.modules)
        self.sys = SeenSys(self.modules)
        util = Seen(importlib.util, spec_from_file_location=self._spec_from_file, find_spec=self._find_spec)
        self._importlib = Seen(importlib, import_module=self.module, util=util)
        starts = {name: failing(getattr(subprocess, name)) for name in ("run", "call", "check_call", "check_output")}
        self._instead: dict[str, ModuleType] = {
            "sys": self.sys,
            "importlib": self._importlib,
            "importlib.util": util,
            "subprocess": Seen(subprocess, Popen=FailingPopen, **starts),
        }
        self.builtins = {**vars(builtins), "__import__": self._import, "print": _print}

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """Do what ``import`` does. See ``__import__``."""
        top = name.partition(".")[0]
        if level or not (top in NAMES or name in self._instead or self._is_own(top)):
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        leaf = self.module(name)
        if not fromlist:
            return self.module(top)
        for each in fromlist:
            if each != "*" and hasattr(leaf, "__path__") and not hasattr(leaf, each):
                self.module(f"{name}.{each}")
        return leaf

    def module(self, name: str, package: str | None = None) -> ModuleType:
        """Return a module by its dotted name, imported where it was not. See ``importlib.import_module``."""
        top = name.partition(".")[0]
        if name in self.modules.maps[0]:
            return self.modules[name]
        if (found := answer(name)) is not None:
            return found
        if seen := self._instead.get(name):
            return seen
        if top and self._is_own(top):
            return importlib.import_module(f"{self.pack.module}.{ON_PATH}.{name}")
        return importlib.import_module(name, package)

    def _is_own(self, top: str) -> bool:
        """Whether the pack has a module of this name: one that it registered, or one on a path that it added."""
        if top in self.modules.maps[0]:
            return True
        added = self.sys.added()
        if not added:
            return False
        parent = self.pack.module + f".{ON_PATH}"
        if parent not in sys.modules:
            sys.modules[parent] = ModuleType(parent)
        sys.modules[parent].__path__ = added
        return f"{parent}.{top}" in sys.modules or PathFinder.find_spec(top, added) is not None

    def execute(self, name: str, file: Path) -> None:
        """Execute a file as a module that nobody imports."""
        loader = PackLoader(name, str(file), self)
        spec = importlib.util.spec_from_file_location(name, file, loader=loader)
        if spec:
            loader.exec_module(importlib.util.module_from_spec(spec))

    def loader(self, found: object) -> "PackLoader | None":
        """Return what loads a Python file for this pack, in place of what would load it for everybody."""
        return PackLoader(found.name, found.path, self) if type(found) is SourceFileLoader else None

    def _spec_from_file(self, name: str, location: Any = None, **options: Any) -> ModuleSpec | None:
        spec = importlib.util.spec_from_file_location(name, location, **options)
        if spec is not None:
            spec.loader = self.loader(spec.loader) or spec.loader
        return spec

    def _find_spec(self, name: str, package: str | None = None) -> ModuleSpec | None:
        found = answer(name)
        return importlib.util.find_spec(name, package) if found is None else ModuleSpec(name, None)


class Seen(ModuleType):
    """A module as a pack sees it: some members are others, and what the pack sets is set for that pack alone."""

    def __init__(self, module: ModuleType, **members: object) -> None:
        super().__init__(module.__name__)
        vars(self).update(members, __wrapped__=module)

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["__wrapped__"], name)


class SeenSys(Seen):
    """The module ``sys``, with a path and modules of the pack's own."""

    def __init__(self, modules: "SeenModules") -> None:
        super().__init__(sys, path=list(sys.path), modules=modules)

    def __getattr__(self, name: str) -> Any:
        return sys.stderr if name == "stdout" else super().__getattr__(name)

    def added(self) -> list[str]:
        """Return what the pack added to the path."""
        return [str(each) for each in self.path if each not in sys.path]


class SeenModules(ChainMap[str, ModuleType]):
    """``sys.modules`` as a pack sees it: what it registered, the names of ComfyUI, then everybody's."""

    def __getitem__(self, name: str) -> ModuleType:
        if name not in self.maps[0] and (found := answer(name)) is not None:
            return found
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (isinstance(name, str) and name.partition(".")[0] in NAMES)


class PackLoader(SourceFileLoader):
    """Executes a file with a pack's builtins."""

    def __init__(self, name: str, path: str, imports: Imports) -> None:
        super().__init__(name, path)
        self._imports = imports

    def get_code(self, fullname: str) -> CodeType:
        """Compile the file as it is: bytecode is kept by size and second alone, a pack's version is its content."""
        return self.source_to_code(self.get_data(self.path), self.path)

    def exec_module(self, module: ModuleType) -> None:
        """Execute the file.

        Raises:
            FileError: it has changed, so that what it gives would be taken for what it gave.
        """
        self._imports.pack.check(Path(self.path))
        vars(module)["__builtins__"] = self._imports.builtins
        super().exec_module(module)


class PackFinder:
    """Finds the modules of packs by their full names, ``custom_nodes.PACK...``."""

    def __init__(self) -> None:
        self.packs: dict[str, Imports] = {}

    def add(self, pack: Pack) -> Imports:
        """Let a pack's modules be found from now on. One that was imported with other sources is imported anew."""
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
            root = sys.modules[ROOT] = ModuleType(ROOT)
            root.__path__ = []
        known = self.packs.get(pack.module)
        if known is None or (known.pack, known.pack.digest) != (pack, pack.digest):
            self.forget(pack)
            known = self.packs[pack.module] = Imports(pack)
        return known

    def forget(self, pack: Pack) -> None:
        """Take the modules of a pack out of the process: it failed half way, or is another now."""
        for name in [name for name in sys.modules if name == pack.module or name.startswith(f"{pack.module}.")]:
            del sys.modules[name]
        self.packs.pop(pack.module, None)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to load a module of a pack."""
        imports = self.packs.get(".".join(name.split(".", 2)[:2]))
        if imports is None:
            return None
        if name == imports.pack.module:
            places = [str(imports.pack.path)] if imports.pack.path.is_dir() else None
            file = imports.pack.file
            return importlib.util.spec_from_file_location(
                name,
                file,
                loader=PackLoader(name, str(file), imports),
                submodule_search_locations=places,
            )
        spec = PathFinder.find_spec(name, path)
        if spec is not None:
            spec.loader = imports.loader(spec.loader) or spec.loader
        return spec


finder = PackFinder()
"""The one finder of this process."""


def _print(*values: object, file: Any = None, **options: Any) -> None:
    print(*values, file=file or sys.stderr, **options)
