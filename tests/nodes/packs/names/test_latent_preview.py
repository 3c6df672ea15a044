from io import BytesIO
from types import SimpleNamespace

import numpy
import pytest
import torch
from PIL import Image

from engine.errors import NodeFailure
from nodes.models.families import sdxl
from nodes.models.preview import coloured, preview
from nodes.packs.names import latent_preview
from nodes.packs.names.comfy.latent_formats import SD15, SDXL
from tests.nodes.packs.names.conftest import Told


def test_a_pack_makes_previews_of_its_own(told: Told) -> None:
    class Own(latent_preview.LatentPreviewer):
        def decode_latent_to_preview(self, x0: object) -> Image.Image:
            return Image.new("RGB", (4, 4))

    format, picture, longest = Own().decode_latent_to_preview_image("JPEG", None)
    assert (format, picture.size, longest) == ("JPEG", (4, 4), latent_preview.MAX_PREVIEW_RESOLUTION)
    with pytest.raises(NodeFailure, match="decode_latent_to_preview"):
        latent_preview.LatentPreviewer().decode_latent_to_preview(None)


def test_a_callback_tells_the_steps_with_pictures(told: Told) -> None:
    model = SimpleNamespace(model=SimpleNamespace(latent_format=SD15()))
    kept: dict[str, object] = {}
    x0 = torch.zeros(1, 4, 6, 8)
    latent_preview.prepare_callback(model, 4, kept)(0, x0, x0, 4)
    ((value, maximum, preview, _),) = told
    assert (value, maximum) == (1, 4) and kept == {"x0": x0}
    assert preview is not None and Image.open(BytesIO(preview())).size == (8, 6)


def test_colours_are_those_of_our_previews() -> None:
    x0 = torch.tensor([0.5, -0.3, 0.2, 0.1]).reshape(1, 4, 1, 1).expand(1, 4, 6, 8)
    previewer = latent_preview.get_previewer("cpu", SDXL())
    assert previewer is not None
    picture = previewer.decode_latent_to_preview(x0)
    ours = Image.open(BytesIO(preview(coloured(x0, sdxl.LATENT)))).resize(picture.size)
    difference = numpy.abs(numpy.asarray(picture, dtype=float) - numpy.asarray(ours, dtype=float))
    assert difference.max() < 3
    assert latent_preview.get_previewer("cpu", SimpleNamespace()) is None
