import pytest
from PIL import Image

from engine.errors import NodeFailure
from nodes.packs.names import latent_preview
from tests.nodes.packs.names.conftest import Told


def test_a_pack_makes_previews_of_its_own(told: Told) -> None:
    class Own(latent_preview.LatentPreviewer):
        def decode_latent_to_preview(self, x0: object) -> Image.Image:
            return Image.new("RGB", (4, 4))

    format, picture, longest = Own().decode_latent_to_preview_image("JPEG", None)
    assert (format, picture.size, longest) == ("JPEG", (4, 4), latent_preview.MAX_PREVIEW_RESOLUTION)
    with pytest.raises(NodeFailure, match="decode_latent_to_preview"):
        latent_preview.LatentPreviewer().decode_latent_to_preview(None)


def test_a_callback_tells_the_steps(told: Told) -> None:
    kept: dict[str, object] = {}
    latent_preview.prepare_callback(None, 4, kept)(0, "x0", "x", 4)
    assert told[0][:2] == (1, 4) and kept == {"x0": "x0"}
    assert latent_preview.get_previewer("cpu", None) is None
