"""Change the size of pictures and latents, with the methods that workflow files name."""

from functools import lru_cache

import numpy
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate


def resize(samples: Tensor, width: int, height: int, method: str, crop: str = "disabled") -> Tensor:
    """Return ``samples`` (batch, channels, height, width) at another size.

    ``nearest-exact``, ``bilinear``, ``area`` and ``bicubic`` are torch's without antialiasing, so bicubic may overshoot
    the range. ``lanczos`` works on 8-bit pictures of 1, 3 or 4 channels. ``bislerp`` turns channel vectors. With
    ``crop`` "center" the longer side is cut to the new proportions first.
    """
    if crop == "center":
        samples = center_crop(samples, width / height)
    if method == "lanczos":
        return lanczos(samples, width, height)
    if method == "bislerp":
        return bislerp(samples, width, height)
    return interpolate(samples, (height, width), mode=method)


def fitted(samples: Tensor, like: Tensor, method: str = "bilinear") -> Tensor:
    """Return ``samples`` in height and width of ``like``, cut to its proportions first; equal ones as they are."""
    height, width = like.shape[-2:]
    return samples if samples.shape[-2:] == (height, width) else resize(samples, width, height, method, "center")


def cycled(samples: Tensor, count: int) -> Tensor:
    """Return ``count`` items of a batch, from the first again where there are fewer."""
    return samples[torch.arange(count, device=samples.device) % len(samples)]


def centred(samples: Tensor, length: int, axis: int) -> Tensor:
    """Return samples with zeros on both sides of an axis, so that it is ``length`` long."""
    before = (length - samples.shape[axis]) // 2
    around = list(samples.shape)
    around[axis] = length
    result = samples.new_zeros(around)
    result.narrow(axis, before, samples.shape[axis]).copy_(samples)
    return result


def center_crop(samples: Tensor, aspect: float) -> Tensor:
    """Cut the same number of columns, or of rows, off both sides until width / height is about ``aspect``."""
    height, width = samples.shape[-2:]
    own = width / height
    x = round((width - width * (aspect / own)) / 2) if own > aspect else 0
    y = round((height - height * (own / aspect)) / 2) if own < aspect else 0
    return samples[..., y : height - y, x : width - x]


def lanczos(samples: Tensor, width: int, height: int) -> Tensor:
    """Resize with Pillow's Lanczos filter. The picture is cut to 8 bits before, as the filter has no other form."""
    pixels = (samples.detach().cpu() * 255).clamp(0, 255).to(torch.uint8).movedim(1, -1).numpy()
    if pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    resized = [
        numpy.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS), dtype=numpy.float32)
        for picture in pixels
    ]
    result = torch.from_numpy(numpy.stack(resized) / 255)
    return result.unsqueeze(1) if result.ndim == 3 else result.movedim(-1, 1).contiguous()


def bislerp(samples: Tensor, width: int, height: int) -> Tensor:
    """Resize by turning the vector of channels from each cell to the next, first along rows, then along columns.

    Cells lie where bilinear interpolation has them; lengths are blended linearly.
    """
    return _slerp_last(_slerp_last(samples.float(), width).mT, height).mT.contiguous().to(samples.dtype)


def _slerp_last(samples: Tensor, length: int) -> Tensor:
    """Resize the last axis of (batch, channels, ..., old length)."""
    left, right, t = _neighbours(samples.shape[-1], length, samples.device)
    return slerp(samples[..., left], samples[..., right], t)


@lru_cache(8)
def _neighbours(old: int, length: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return for each cell of the new length its neighbours in the old one, and how far it is from the left one.

    They are kept: not every device has float64, and to bring them there waits until all work there is done.
    """
    position = ((torch.arange(length, dtype=torch.float64) + 0.5) * (old / length) - 0.5).clamp(0, old - 1)
    left = position.floor().long()
    right = (left + 1).clamp(max=old - 1)
    return left.to(device), right.to(device), (position - left).float().to(device)


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Turn vectors along axis 1 from ``a`` (t = 0) to ``b`` (t = 1) on an arc; lengths change linearly.

    Vectors of almost equal direction (cosine over 1 - 1e-5) stay ``a``; almost opposite ones, where no arc is
    defined, are blended linearly.
    """
    a_length, b_length = a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True)
    a_unit = torch.where(a_length > 0, a / a_length, 0.0)
    b_unit = torch.where(b_length > 0, b / b_length, 0.0)
    cosine = (a_unit * b_unit).sum(1, keepdim=True)
    angle = cosine.clamp(-1, 1).acos()
    turned = (((1 - t) * angle).sin() * a_unit + (t * angle).sin() * b_unit) / angle.sin()
    turned = turned * (a_length * (1 - t) + b_length * t)
    return torch.where(cosine > 1 - 1e-5, a, torch.where(cosine < 1e-5 - 1, a * (1 - t) + b * t, turned))
