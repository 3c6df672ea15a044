"""Node classes by name: the module ``nodes``, whose classes are our nodes.

``NODE_CLASS_MAPPINGS`` begins with ours, and gets those of packs as they are loaded.
"""

import hashlib
import random
import string
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import Tensor

from engine.errors import InputError
from nodes import vocabulary
from nodes.inputs import MAX_SIDE
from nodes.packs.names import folder_paths
from nodes.packs.names.classes import node_class
from nodes.packs.names.comfy import model_management
from nodes.packs.names.placeholders import members_of
from nodes.packs.names.saving import save_pictures, workflow_texts
from nodes.pixels.files import read_image

MAX_RESOLUTION = MAX_SIDE
EXTENSION_WEB_DIRS: dict[str, str] = {}
LOADED_MODULE_DIRS: dict[str, str] = {}

_placeholder = members_of(__name__)


def __getattr__(name: str) -> Any:
    return NODE_CLASS_MAPPINGS[name] if name in OURS else _placeholder(name)


def before_node_execution() -> None:
    """Stop here if the run was cancelled. Raises InterruptProcessingException."""
    model_management.throw_exception_if_processing_interrupted()


def interrupt_processing(value: bool = True) -> None:
    """Ask that the run of the node that calls this ends, or take that back."""
    model_management.interrupt_current_processing(value)


OURS = [spec.type for spec in vocabulary() if not spec.foreign]


class SaveImage(node_class("SaveImage")):  # type: ignore[misc]
    """Saves pictures. Subclasses save elsewhere by other members."""

    def __init__(self) -> None:
        self.output_dir = folder_paths.get_output_directory()
        self.type = "output"
        self.prefix_append = ""
        self.compress_level = 4

    def save_images(
        self,
        images: Iterable[Tensor],
        filename_prefix: str = "ComfyUI",
        prompt: Any = None,
        extra_pnginfo: Any = None,
    ) -> dict[str, Any]:
        """Write pictures as PNG files with the workflow inside. Returns what clients are shown.

        Raises:
            FileError: ``output_dir`` or the prefix lies outside of our folders.
        """
        saved = save_pictures(
            images,
            Path(self.output_dir),
            f"{filename_prefix}{self.prefix_append}",
            workflow_texts(prompt, extra_pnginfo),
            self.compress_level,
        )
        return {"ui": {"images": [{**file, "type": self.type} for file in saved]}}


class PreviewImage(SaveImage):
    """Shows pictures: they go to the temporary folder."""

    loomis_spec = node_class("PreviewImage").loomis_spec
    DESCRIPTION = loomis_spec.description
    CATEGORY = loomis_spec.category

    def __init__(self) -> None:
        self.output_dir = folder_paths.get_temp_directory()
        self.type = "temp"
        self.prefix_append = f"_temp_{''.join(random.choices(string.ascii_lowercase, k=5))}"
        self.compress_level = 1


class LoadImage(node_class("LoadImage")):  # type: ignore[misc]
    """Loads a picture of the input folder, also outside of a run."""

    def load_image(self, image: str) -> tuple[Tensor, Tensor]:
        """Return pictures, and masks of where they are transparent. Raises FileError where there is none."""
        return read_image(Path(folder_paths.get_annotated_filepath(image)))

    @classmethod
    def IS_CHANGED(cls, image: str) -> str:
        """Return what tells a file's content."""
        return hashlib.sha256(Path(folder_paths.get_annotated_filepath(image)).read_bytes()).hexdigest()

    @classmethod
    def VALIDATE_INPUTS(cls, image: str) -> bool | str:
        """Return True, or what is wrong."""
        return folder_paths.exists_annotated_filepath(image) or f"There is no picture {image!r}."


NODE_CLASS_MAPPINGS: dict[str, Any] = {
    **{type: node_class(type) for type in OURS},
    **{cls.__name__: cls for cls in (SaveImage, PreviewImage, LoadImage)},
}
NODE_DISPLAY_NAME_MAPPINGS: dict[str, str] = {type: vocabulary()[type].display_name for type in OURS}


def common_ksampler(
    model: Any,
    seed: int,
    steps: int,
    cfg: float,
    sampler_name: str,
    scheduler: str,
    positive: Any,
    negative: Any,
    latent: Any,
    denoise: float = 1.0,
    disable_noise: bool = False,
    start_step: int | None = None,
    last_step: int | None = None,
    force_full_denoise: bool = False,
) -> Any:
    """Return a latent in a tuple, as KSampler denoises it, or KSamplerAdvanced where only some steps are wanted.

    Raises:
        InputError: some steps are wanted of a schedule that is cut by ``denoise``.
    """
    common = (steps, cfg, sampler_name, scheduler, positive, negative, latent)
    if start_step is None and last_step is None and not disable_noise:
        return NODE_CLASS_MAPPINGS["KSampler"]().sample(model, seed, *common, denoise)
    if denoise != 1.0:
        raise InputError(
            "Only a whole schedule can be cut to some of its steps.",
            got=f"denoise {denoise}, steps {start_step} to {last_step}",
            expected="denoise 1.0",
            hint="Give the first step in place of denoise.",
        )
    return NODE_CLASS_MAPPINGS["KSamplerAdvanced"]().sample(
        model,
        "disable" if disable_noise else "enable",
        seed,
        *common,
        start_step or 0,
        10000 if last_step is None else last_step,
        "disable" if force_full_denoise else "enable",
    )
