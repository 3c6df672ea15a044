"""What newer nodes show: ``comfy_api.latest.ui``."""

import random
import string
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from nodes.packs.names import folder_paths
from nodes.packs.names.comfy_api.latest._io import FolderType
from nodes.packs.names.placeholders import members_of
from nodes.packs.names.saving import save_pictures, workflow_texts

__getattr__ = members_of("comfy_api.latest.ui")


class SavedResult(dict[str, Any]):
    """A file that clients can fetch."""

    def __init__(self, filename: str, subfolder: str, type: FolderType) -> None:
        super().__init__(filename=filename, subfolder=subfolder, type=str(type))

    @property
    def filename(self) -> str:
        return str(self["filename"])

    @property
    def subfolder(self) -> str:
        return str(self["subfolder"])

    @property
    def type(self) -> FolderType:
        return FolderType(self["type"])


class Shown:
    """What a node shows, under the names that clients know."""

    def __init__(self, **shown: Any) -> None:
        self.shown = shown

    def as_dict(self) -> dict[str, Any]:
        """Return it as classic nodes do under ``ui``."""
        return self.shown


class SavedImages(Shown):
    """Pictures that were saved."""

    def __init__(self, results: Sequence[SavedResult], is_animated: bool = False) -> None:
        super().__init__(images=list(results), **({"animated": (True,)} if is_animated else {}))
        self.results = list(results)


class PreviewVideo(Shown):
    """Videos that were saved."""

    def __init__(self, values: Sequence[SavedResult], **options: Any) -> None:
        super().__init__(images=list(values), animated=(True,))


class PreviewText(Shown):
    """A text."""

    def __init__(self, value: str, **options: Any) -> None:
        super().__init__(text=(value,))


class PreviewUI3D(Shown):
    """A three-dimensional model, and where it is seen from."""

    def __init__(self, model_file: Any, camera_info: Any = None, **options: Any) -> None:
        super().__init__(result=[model_file, camera_info, options.get("bg_image")])


class ImageSaveHelper:
    """Saves pictures."""

    @staticmethod
    def save_images(
        images: Iterable[Tensor],
        filename_prefix: str,
        folder_type: FolderType,
        cls: Any = None,
        compress_level: int = 4,
    ) -> list[SavedResult]:
        """Write pictures as PNG files, with the workflow of the node class inside. Returns where they are."""
        folder = Path(str(folder_paths.get_directory_by_type(str(folder_type))))
        texts = workflow_texts(cls.hidden.prompt, cls.hidden.extra_pnginfo) if cls is not None else {}
        saved = save_pictures(images, folder, filename_prefix, texts, compress_level)
        return [SavedResult(**file, type=folder_type) for file in saved]

    @staticmethod
    def get_save_images_ui(
        images: Iterable[Tensor], filename_prefix: str, cls: Any = None, compress_level: int = 4
    ) -> SavedImages:
        """Write pictures to the output folder. Returns what to show of them."""
        return SavedImages(ImageSaveHelper.save_images(images, filename_prefix, FolderType.output, cls, compress_level))


class PreviewImage(Shown):
    """Pictures (batch, height, width, channels), which go to the temporary folder."""

    def __init__(self, image: Tensor, animated: bool = False, cls: Any = None, **options: Any) -> None:
        prefix = f"ComfyUI_temp_{''.join(random.choices(string.ascii_lowercase, k=5))}"
        self.values = ImageSaveHelper.save_images(image, prefix, FolderType.temp, cls, 1)
        super().__init__(images=self.values, animated=(animated,))


class PreviewMask(PreviewImage):
    """Masks (batch, height, width), which go to the temporary folder."""

    def __init__(self, mask: Tensor, animated: bool = False, cls: Any = None, **options: Any) -> None:
        super().__init__(mask.reshape(-1, *mask.shape[-2:], 1).expand(-1, -1, -1, 3), animated, cls)
