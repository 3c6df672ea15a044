"""Load folders of pictures, as a training takes them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from engine.context import Context
from engine.errors import FileError
from engine.node import Field, InputFile, InputFolder, OptionalInput, Widget, node
from engine.types import Image
from nodes.lazy import lazy
from nodes.recipes import Clip, Cond, Conditioning

if TYPE_CHECKING:
    from nodes.models import encode
    from nodes.pixels import image_set
else:
    encode = lazy("nodes.models.encode")
    image_set = lazy("nodes.pixels.image_set")

PICTURES = InputFile().suffixes
FOLDER = "The folder to load images from."
Folder = Annotated[str, InputFolder(PICTURES), Widget(tooltip=FOLDER)]
CaptionedFolder = Annotated[str, InputFolder((*PICTURES, ".txt")), Widget(tooltip=FOLDER)]
ResizeMethod = Annotated[Literal["None", "Stretch", "Crop", "Pad"], OptionalInput()]
FittedSide = Annotated[int, Field(ge=-1, le=10_000), Widget(step=1), OptionalInput()]
"""A side in pixels; -1 is that of the first picture."""

SHOWN = 3
"""How many pictures without a caption are named."""


class ImageTextSet(NamedTuple):
    IMAGE: Image
    CONDITIONING: Conditioning


@node(
    "LoadImageSetFromFolderNode",
    version=2,
    category="loaders",
    display_name="Load Image Dataset from Folder",
    experimental=True,
)
def load_image_set(ctx: Context, folder: Folder, resize_method: ResizeMethod = "None") -> Image:
    """Load the pictures of a folder in the input folder as one batch, by name.

    Those of a folder in it whose name is like ``10_word`` are there so many times. A resize method brings them to the
    size of the first one; without, all have to have one size. Not compared with the reference.
    """
    return image_set.batch(image_set.pictures_below(_found(ctx, folder), PICTURES), resize_method)


@node(
    "LoadImageTextSetFromFolderNode",
    version=3,
    category="loaders",
    display_name="Load Image and Text Dataset from Folder",
    experimental=True,
    resource="gpu",
    numeric=True,
)
def load_image_text_set(
    ctx: Context,
    folder: CaptionedFolder,
    clip: Annotated[Clip, Widget(tooltip="The CLIP model used for encoding the text.")],
    resize_method: ResizeMethod = "None",
    width: FittedSide = -1,
    height: FittedSide = -1,
) -> ImageTextSet:
    """Load the pictures of a folder in the input folder as one batch, and encode a caption for each.

    The caption of ``a.png`` is in ``a.txt``; without such a file it is empty. Those of a folder in it whose name is
    like ``10_word`` are there so many times. Not compared with the reference.
    """
    paths = image_set.pictures_below(_found(ctx, folder), PICTURES)
    captions = [image_set.caption(path) for path in paths]
    if without := dict.fromkeys(path.name for path, text in zip(paths, captions, strict=True) if text is None):
        shown = ", ".join([*without][:SHOWN])
        ctx.warn(f"Pictures in {folder} without a caption beside them: {len(without)} ({shown} ...).")
    images = image_set.batch(paths, resize_method, width, height)
    texts = [*dict.fromkeys(text or "" for text in captions)]
    encoded: dict[str, Cond] = {}
    for done, text in enumerate(texts):
        ctx.progress(done, len(texts))
        found = encode.encode(ctx, text, clip)
        encoded[text] = Cond(found.context, found.pooled)
    return ImageTextSet(images, Conditioning(tuple(encoded[text or ""] for text in captions)))


def _found(ctx: Context, folder: str) -> Path:
    path = ctx.folders.input_folder(folder)
    if path is None:
        raise FileError(
            f"The folder {folder!r} is not there.",
            input="folder",
            got=folder,
            expected=f"a folder in {ctx.folders.input}",
            hint="Put it there, or choose another.",
        )
    return path
