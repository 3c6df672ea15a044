"""A rough picture of a latent on its way."""

import io

import torch
from PIL import Image
from torch import Tensor

from nodes.models.families.checkpoint import LatentFormat

PREVIEW_PIXELS = 256


def preview(denoised: Tensor, form: LatentFormat) -> bytes:
    """Return the first picture of a batch as a JPEG, by a linear map from latent channels to colours."""
    matrix = torch.tensor(form.rgb, dtype=torch.float32, device=denoised.device)
    colours = torch.einsum("chw,cr->hwr", denoised[0].float(), matrix)
    pixels = ((colours + 1) * 127.5).clamp(0, 255).byte().cpu().numpy()
    picture = Image.fromarray(pixels)
    scale = max(1, PREVIEW_PIXELS // max(picture.size))
    picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
