import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.errors import ModelError
from nodes.models import families
from nodes.models.assemble import assemble
from nodes.models.families import flux
from nodes.models.families.checkpoint import Checkpoint, Encoded
from nodes.models.weights import open_weights
from nodes.recipes import Cond, FileRef
from tests.nodes.models import tiny, tiny_flux, tiny_t5


def detected(path: Path, content: dict[str, Tensor]) -> Checkpoint:
    return families.detect(open_weights(tiny.write(path / "x", content, {})))


def cond(**options: object) -> Cond:
    return Cond(torch.zeros(1, 5, tiny_flux.CONTEXT), torch.ones(1, tiny_flux.POOLED), options)


def test_what_a_checkpoint_holds(tmp_path: Path) -> None:
    found = detected(tmp_path, tiny_flux.checkpoint())
    assert (found.family, found.prediction, found.defaults) == ("flux", "flow", flux.DEV)
    assert found.unet and found.vae and found.unet.keeps
    assert (found.unet.channels, found.unet.context) == (16, tiny_flux.CONTEXT)
    assert found.vae.config == tiny_flux.VAE
    assert (found.latent.channels, found.latent.scale, found.latent.shift) == (16, 0.3611, 0.1159)
    assert (found.latent.factor, found.latent.space, found.latent.rgb) == (8, "flux", flux.RGB)
    assert [(each.name, each.length, each.pools) for each in found.text] == [("l", 77, True), ("t5xxl", 256, False)]
    taken = {key for network in found.networks for key in network.keys.values()}
    assert taken == set(open_weights(tmp_path / "x").infos)


@pytest.mark.parametrize("guided", [True, False])
def test_the_transformer_has_the_tensors_that_the_conversion_of_diffusers_makes(tmp_path: Path, guided: bool) -> None:
    tensors = tiny_flux.transformer(guided=guided)
    network = detected(tmp_path, tensors).unet
    assert network
    built = assemble(network, open_weights(tmp_path / "x"), torch.device("cpu"), (torch.float32,)).state_dict()
    expected = tiny_flux.converted(tensors)
    assert built.keys() == expected.keys()
    assert all(torch.equal(built[name], tensor) for name, tensor in expected.items())


def test_files_in_the_layout_of_diffusers_hold_the_same(tmp_path: Path) -> None:
    expected = tiny_flux.converted(tiny_flux.transformer())
    network = detected(tmp_path, expected).unet
    assert network
    built = assemble(network, open_weights(tmp_path / "x"), torch.device("cpu"), (torch.float32,)).state_dict()
    assert all(torch.equal(built[name], tensor) for name, tensor in expected.items())


def test_dev_has_levels_that_are_shifted_and_schnell_even_ones(tmp_path: Path) -> None:
    dev = detected(tmp_path, tiny_flux.transformer()).levels()
    schnell = detected(tmp_path, tiny_flux.transformer(guided=False)).levels()
    t = torch.arange(1, 10_001) / 10_000
    torch.testing.assert_close(dev.table, math.exp(1.15) / (math.exp(1.15) + (1 / t - 1)), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(schnell.table, torch.arange(1, 1001) / 1000)
    assert dev.timestep(torch.tensor(0.25)) == schnell.timestep(torch.tensor(0.25)) == 0.25


def test_guidance_is_told_to_models_that_know_it(tmp_path: Path) -> None:
    dev, schnell = (detected(tmp_path, tiny_flux.transformer(guided=guided)) for guided in (True, False))
    assert dev.inputs(cond(), (), False)["guidance"] == 3.5
    assert dev.inputs(cond(guidance=2.0), (), False)["guidance"] == 2.0
    assert "guidance" not in dev.inputs(cond(guidance=None), (), False)
    assert "guidance" not in schnell.inputs(cond(guidance=2.0), (), False)


def test_references_are_in_the_scale_of_the_model(tmp_path: Path) -> None:
    dev = detected(tmp_path, tiny_flux.transformer())
    found = dev.inputs(cond(reference_latents=(torch.full((1, 16, 4, 4), 1.1159),)), (), False)
    torch.testing.assert_close(found["reference_0"], torch.full((1, 16, 4, 4), 0.3611))


def test_a_prompt_of_another_family_is_refused(tmp_path: Path) -> None:
    dev = detected(tmp_path, tiny_flux.transformer())
    with pytest.raises(ModelError, match="encoded for another family"):
        dev.inputs(Cond(torch.zeros(1, 5, tiny_flux.CONTEXT)), (), False)


def test_its_encoders_are_found_in_any_order_and_others_are_not(tmp_path: Path) -> None:
    (pooling,) = detected(tmp_path, tiny_flux.clip_l()).text
    (reading,) = detected(tmp_path, tiny_t5.encoder()).text
    a, b = (FileRef("text_encoders", name) for name in "ab")
    found = flux.chosen([(a, reading), (b, pooling)])
    assert found and [(file, each.name, each.pools) for file, each in found] == [(b, "l", True), (a, "t5xxl", False)]
    assert found[1][1].length == 256
    assert flux.chosen([(a, pooling), (b, pooling)]) is flux.chosen([(a, reading)]) is None


def test_the_context_is_that_of_t5_and_the_vector_that_of_clip() -> None:
    context, pooled = torch.ones(1, 3, 8), torch.ones(1, 4)
    outputs = {"l": Encoded(torch.zeros(1, 77, 4), pooled), "t5xxl": Encoded(context, None)}
    assert flux.joined(outputs) == (context, pooled)
