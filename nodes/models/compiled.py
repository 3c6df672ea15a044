"""Networks compiled by torch."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from engine.errors import SettingError

COMPILERS = ("c++", "g++", "clang++", "cl")


def check() -> None:
    """Raise SettingError where there is no C++ compiler: torch needs one on every device."""
    named = os.environ.get("CXX")
    if not any(map(shutil.which, [named] if named else COMPILERS)):
        raise SettingError(
            "Networks can't be compiled: there is no C++ compiler.",
            got=named or "none on the path",
            expected=" or ".join(COMPILERS),
            hint="Install one, or leave --compile out.",
        )


def compiled(module: nn.Module, backend: str = "inductor") -> nn.Module:
    """Return the module, to be compiled when it is called: once for each size."""
    module.compile(dynamic=False, backend=backend)
    return module


@contextmanager
def as_written(is_hooked: bool) -> Iterator[None]:
    """Run modules as they are written, not compiled, where something is hooked into them for one call."""
    if not is_hooked:
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield
