"""Pictures to what an image encoder makes of them."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from nodes.models.assemble import assemble
from nodes.models.families.checkpoint import Network
from nodes.models.weights import Weights
from nodes.recipes import ClipVisionOutput

MEAN = (0.48145466, 0.4578275, 0.40821073)
SPREAD = (0.26862954, 0.26130258, 0.27577711)
"""Of each colour in what CLIP was trained on (Radford et al. 2021)."""


@dataclass(frozen=True, slots=True)
class ImageEncoder:
    """An image encoder, built; it takes pictures of ``side`` pixels squared."""

    module: Any
    side: int

    @torch.no_grad()
    def __call__(self, image: Tensor, crop: bool) -> ClipVisionOutput:
        """Encode pictures (batch, height, width, channels), 0 to 1."""
        out = self.module(self.prepared(image, crop).to(next(self.module.parameters())), output_hidden_states=True)
        last, penultimate = out.last_hidden_state, out.hidden_states[-2]
        return ClipVisionOutput(*(each.float().cpu() for each in (out.image_embeds, last, penultimate)))

    def prepared(self, image: Tensor, crop: bool) -> Tensor:
        """Return pictures in the size and the range that the encoder takes.

        With ``crop`` the longer side is cut, else the proportions change. Resized ones are rounded to 8 bits.
        """
        planes = image[..., :3].movedim(-1, 1).float()
        if planes.shape[-2:] != (self.side, self.side):
            factor = self.side / min(planes.shape[-2:])
            height, width = (round(side * factor) if crop else self.side for side in planes.shape[-2:])
            planes = interpolate(planes, (height, width), mode="bicubic", antialias=True)
            top, left = (height - self.side) // 2, (width - self.side) // 2
            planes = planes[..., top : top + self.side, left : left + self.side]
        planes = (planes * 255).clamp(0, 255).round() / 255
        return (planes - torch.tensor(MEAN)[:, None, None]) / torch.tensor(SPREAD)[:, None, None]


def image_encoder(weights: Weights, network: Network, device: torch.device) -> ImageEncoder:
    """Build an image encoder in float32. Raises ModelError where a tensor is missing or of another shape."""
    module = assemble(network, weights, device, (torch.float32,))
    patches = (network.config["image_size"] // network.config["patch_size"]) ** 2
    for part in module.modules():
        if "position_ids" in part._buffers:  # not in the file, and made without memory as all else
            part._buffers["position_ids"] = torch.arange(1 + patches, device=device)[None]
    return ImageEncoder(module, network.config["image_size"])
