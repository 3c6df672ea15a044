from pathlib import Path

import torch

from nodes.training.parts import build
from nodes.training.stages.autoencoder import SHOWN, AutoencoderStage
from tests.nodes.training import tiny


def stage_of(folder: Path, decoder_only: bool = False) -> AutoencoderStage:
    return AutoencoderStage(build(tiny.DESIGN, 0).vae, tiny.dataset(folder), tiny.DEVICE, 1, 4, decoder_only)


def test_the_loss_is_the_sum_of_its_parts(tmp_path: Path) -> None:
    loss, parts = stage_of(tmp_path).loss(0)
    assert {*parts} == {"l1", "l2", "edges", "kl"}
    expected = parts["l1"] + parts["l2"] + 0.5 * parts["edges"] + 1e-4 * parts["kl"]
    assert torch.equal(loss, expected)


def test_a_step_has_one_loss(tmp_path: Path) -> None:
    stage = stage_of(tmp_path)
    assert torch.equal(stage.loss(3)[0], stage.loss(3)[0])
    assert not torch.equal(stage.loss(3)[0], stage.loss(4)[0])


def test_a_decoder_alone_leaves_the_encoder(tmp_path: Path) -> None:
    stage = stage_of(tmp_path, decoder_only=True)
    stage.loss(0)[0].backward()
    graded = {name.split(".")[0] for name, p in stage.modules["vae"].named_parameters() if p.grad is not None}
    assert graded == {"decoder", "post_quant_conv"}
    assert stage.name == "decoder"


def test_samples_show_pictures_over_what_becomes_of_them(tmp_path: Path) -> None:
    stage = stage_of(tmp_path)
    pixels, values, notes = stage.samples(stage.modules)
    assert pixels.shape == (2 * tiny.SIZE, SHOWN * tiny.SIZE, 3)
    above, below = (pixels.float() / 127.5 - 1).chunk(2)
    error = (((above - below) / 2) ** 2).reshape(tiny.SIZE, SHOWN, tiny.SIZE, 3).mean((0, 2, 3))
    assert abs(values["psnr"] - (-10 * error.log10()).mean().item()) < 0.1
    assert notes == {}
