"""Sockets: the names of what travels on a wire, and what an image and a mask are.

A socket is named in an annotation, so the signature of a node is its schema::

    def image_invert(image: Image) -> Image: ...
"""

from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Socket:
    """The name that a workflow file and an editor know a wire by, such as ``IMAGE``. ``*`` fits everything."""

    name: str


Tensor: TypeAlias = Any
"""A ``torch.Tensor``. The engine never imports torch, so it can't say so."""

Image = Annotated[Tensor, Socket("IMAGE")]
"""Pictures: float32 tensor (batch, height, width, channels), values 0 to 1, on the CPU, 3 or 4 channels."""

Mask = Annotated[Tensor, Socket("MASK")]
"""Masks: float32 tensor (batch, height, width), values 0 to 1, on the CPU."""

Anything = Annotated[Any, Socket("*")]
"""A value of any socket."""
