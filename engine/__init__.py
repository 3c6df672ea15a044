"""The graph machine: nodes as typed functions, workflows as data, results remembered. Knows nothing of diffusion."""

from engine.api import Engine, Result
from engine.folders import Folders
from engine.node import Registry
from engine.settings import Settings

__all__ = ["Engine", "Folders", "Registry", "Result", "Settings"]
