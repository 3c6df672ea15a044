"""The first thing a worker process is told: the settings, and where its node types come from."""

from dataclasses import astuple, dataclass
from importlib import import_module

import msgpack

from engine import Engine
from engine.node import Registry
from server.opening import open_engine, vocabulary
from server.settings import Options


@dataclass(frozen=True, slots=True)
class Opening:
    """Settings as JSON, the function that returns the node types as ``module:function``, and what to import ahead."""

    options: str
    vocabulary: str
    ahead: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Return the opening as one msgpack array."""
        packed: bytes = msgpack.packb(astuple(self))
        return packed

    def open(self) -> Engine:
        """Return the engine that was described."""
        options = Options.model_validate_json(self.options)
        return open_engine(options, vocabulary(options, find_vocabulary(self.vocabulary)))


def find_vocabulary(name: str) -> Registry:
    """Return what a function returns that is named as ``module:function``."""
    module, _, function = name.partition(":")
    registry: Registry = getattr(import_module(module), function)()
    return registry
