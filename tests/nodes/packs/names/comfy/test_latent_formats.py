import pytest
import torch

from engine.errors import NodeFailure
from nodes.packs.names import answer
from nodes.packs.names.comfy import latent_formats


def test_latents_are_scaled_for_their_family() -> None:
    latent = torch.ones(1, 4, 2, 2)
    assert latent_formats.SD15().scale_factor == 0.18215 and latent_formats.SDXL().scale_factor == 0.13025
    assert torch.allclose(latent_formats.SDXL().process_out(latent_formats.SDXL().process_in(latent)), latent)
    with pytest.raises(NodeFailure, match=r"comfy\.latent_formats\.Wan21"):
        answer("comfy.latent_formats").Wan21()  # type: ignore[union-attr]
