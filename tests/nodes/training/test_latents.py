from pathlib import Path

import pytest
import torch

from nodes.training.latents import LATENTS, encoder_digest, latents_of
from nodes.training.parts import build
from tests.nodes.training import tiny


def test_latents_are_those_of_the_encoder_and_are_made_once(tmp_path: Path) -> None:
    dataset = tiny.dataset(tmp_path / "pictures")
    vae = build(tiny.DESIGN, 0).vae
    batches: list[int] = []
    made = latents_of(vae, dataset, tiny.DEVICE, tmp_path, lambda starts: (batches.append(s) or s for s in starts))
    assert made.shape == (len(dataset.views), 4, 8, 8)
    assert batches == [*range(0, len(dataset.views), 8)]
    with torch.no_grad():
        assert torch.allclose(made[5:6], vae.encode(dataset.pictures([5])).latent_dist.mean, atol=1e-5)
    with pytest.raises(ZeroDivisionError):
        latents_of(vae, dataset, tiny.DEVICE, tmp_path / "elsewhere", lambda starts: (1 // 0 for _ in starts))
    assert torch.equal(latents_of(vae, dataset, tiny.DEVICE, tmp_path, lambda starts: (1 // 0 for _ in starts)), made)
    assert (tmp_path / LATENTS).is_file()


def test_another_encoder_has_other_latents(tmp_path: Path) -> None:
    dataset = tiny.dataset(tmp_path / "pictures")
    vae = build(tiny.DESIGN, 0).vae
    first, digest = latents_of(vae, dataset, tiny.DEVICE, tmp_path), encoder_digest(vae)
    with torch.no_grad():
        vae.decoder.conv_in.weight.add_(1)
    assert encoder_digest(vae) == digest
    with torch.no_grad():
        vae.encoder.conv_in.weight.add_(1)
    assert encoder_digest(vae) != digest
    assert not torch.equal(latents_of(vae, dataset, tiny.DEVICE, tmp_path), first)
