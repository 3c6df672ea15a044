"""What an extension is, and what its nodes may ask of the run."""

from typing import Any

from PIL import Image

from nodes.packs import current
from nodes.packs.names import progress
from nodes.packs.names.latent_preview import MAX_PREVIEW_RESOLUTION
from nodes.packs.names.placeholders import placeholder


class ComfyExtension:
    """A pack of newer nodes, as ``comfy_entrypoint`` returns it."""

    async def on_load(self) -> None:
        """Prepare the pack. Called once, before its nodes are listed."""

    async def get_node_list(self) -> list[Any]:
        """Return the node classes."""
        raise NotImplementedError


class _Progress:
    def set_progress(
        self, value: float, max_value: float, node_id: str | None = None, preview_image: Any = None, **options: Any
    ) -> None:
        """Say how far the node that runs is, with a picture of Pillow's if there is one.

        Raises:
            InterruptProcessingException: the run was cancelled.
        """
        shown = ("JPEG", preview_image, MAX_PREVIEW_RESOLUTION) if isinstance(preview_image, Image.Image) else None
        progress.report(current.context(), value, max_value, shown)


class _AsyncProgress:
    async def set_progress(self, *args: Any, **kwargs: Any) -> None:
        """Say how far the node that runs is."""
        _Progress().set_progress(*args, **kwargs)


class ComfyAPISync:
    """What a node may ask of the run."""

    VERSION = "latest"
    execution: Any = _Progress()
    node_replacement = placeholder("comfy_api.latest.ComfyAPI.node_replacement")


class ComfyAPI(ComfyAPISync):
    """What an asynchronous node may ask of the run."""

    execution: Any = _AsyncProgress()
