"""Look into model files by name, without loading what they hold."""

from engine.context import Context
from engine.errors import FileError
from nodes.models import families
from nodes.models.families.checkpoint import Checkpoint
from nodes.models.weights import open_weights


def detected(ctx: Context, folder: str, name: str) -> Checkpoint:
    """Return what a model file holds. Reads its header only.

    Raises:
        FileError: it is not there, or not a whole weights file.
        ModelError: no family knows it.
    """
    path = ctx.folders.model(folder, name)
    if path is None:
        raise FileError(f"{name} is not in {folder}.", got=name, hint="Run `loomis models` to see what is there.")
    return families.detect(open_weights(path))
