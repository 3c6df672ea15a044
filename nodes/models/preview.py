"""Rough pictures of a latent on its way."""

import io
from collections.abc import Callable
from functools import cache
from time import perf_counter

import torch
from PIL import Image
from torch import Tensor

from nodes.models.families.checkpoint import LatentFormat

PREVIEW_PIXELS = 256

SHARE = 0.03
"""The most that previews take of the time of a run."""

PAUSE = 0.1
"""Seconds between two previews at least."""


def coloured(denoised: Tensor, form: LatentFormat) -> Tensor:
    """Return the first picture of a batch (h, w, 3), 0 to 255, by a linear map from latent channels to colours.

    It is on the CPU; from a GPU it comes when the step that makes it is done there.
    """
    matrix = torch.tensor(form.rgb, dtype=torch.float32, device=denoised.device)
    colours = torch.einsum("chw,cr->hwr", denoised[0].float(), matrix)
    return ((colours + 1) * 127.5).clamp(0, 255).byte().cpu()


def preview(pixels: Tensor) -> bytes:
    """Return a picture (h, w, 3), 0 to 255, as a JPEG of ``PREVIEW_PIXELS`` or more."""
    picture = Image.fromarray(pixels.numpy())
    scale = max(1, PREVIEW_PIXELS // max(picture.size))
    picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


class Previews:
    """The previews of a run: made only when somebody looks, and then so seldom that they take ``SHARE`` of its time."""

    def __init__(self, form: LatentFormat, clock: Callable[[], float] = perf_counter) -> None:
        self._form = form
        self._clock = clock
        self._due = clock()

    def of(self, denoised: Tensor) -> Callable[[], bytes] | None:
        """Return what makes a preview, once for all who look; None while it is too early for one."""
        if self._clock() < self._due:
            return None

        @cache
        def made() -> bytes:
            pixels = coloured(denoised, self._form)
            began = self._clock()  # what a GPU took for the step is no cost of the preview
            picture = preview(pixels)
            ended = self._clock()
            self._due = ended + max(PAUSE, (ended - began) * (1 / SHARE - 1))
            return picture

        return made
