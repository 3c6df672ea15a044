"""Write the files of our nodes when foreign code calls them, and the pictures that it saves by its own classes."""

import json
import threading
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from engine.outputs import SPLICERS, filler, numbered, with_png_text, write
from engine.schema import Artifact
from nodes.packs import current
from nodes.packs.names.folder_paths import ours
from nodes.pixels.files import as_bytes

_numbering = threading.Lock()


def save_file(folder: Path, prefix: str, suffix: str, data: bytes) -> dict[str, str]:
    """Write a file under the next number that is free. Returns its name, and the folder below ``folder``.

    Raises:
        FileError: it would lie outside of our folders, or they can't be written.
    """
    with _numbering:
        name = numbered(ours(folder), prefix, suffix)(0)
        write(folder / name, data)
    path = Path(name)
    below = path.parent.as_posix()
    return {"filename": path.name, "subfolder": "" if below == "." else below}


def save_artifacts(artifacts: Iterable[Artifact], texts: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    """Write the files that a node of ours made, with texts as JSON inside. Returns them as clients find them."""
    shown: dict[str, list[dict[str, str]]] = {}
    for index, artifact in enumerate(artifacts):
        splice = SPLICERS.get(artifact.suffix)
        data = splice(artifact.data, texts) if splice and texts else artifact.data
        folder = current.places().place(artifact.folder).absolute()
        prefix = filler(index, artifact.width, artifact.height)(artifact.prefix)
        saved = save_file(folder, prefix, artifact.suffix, data)
        shown.setdefault(artifact.kind, []).append({**saved, "type": artifact.folder})
    return shown


def save_pictures(
    images: Iterable[Tensor], folder: Path, prefix: str, texts: Mapping[str, Any], compress_level: int = 4
) -> list[dict[str, str]]:
    """Write pictures (height, width, channels), 0 to 1, as PNG files with texts as JSON inside."""
    saved = []
    for index, image in enumerate(images):
        height, width = image.shape[:2]
        pixels = as_bytes(image)
        file = BytesIO()
        whole = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
        Image.fromarray(whole).save(file, "PNG", compress_level=compress_level)
        name = filler(index, width, height)(prefix)
        saved.append(save_file(folder, name, ".png", with_png_text(file.getvalue(), texts)))
    return saved


def workflow_texts(prompt: Any, extra_pnginfo: Any) -> dict[str, Any]:
    """Return the texts of a picture: the prompt, and each extra by its name; not what JSON has no form for."""
    texts = {} if prompt is None else {"prompt": prompt}
    return {str(name): text for name, text in {**texts, **(extra_pnginfo or {})}.items() if _is_plain(text)}


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True
