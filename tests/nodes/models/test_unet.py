import torch

from nodes.models.families.checkpoint import LatentFormat, Network
from nodes.models.unet import Unet
from tests.nodes.models import tiny

LATENT = LatentFormat(4, 2, 0.5, ())
NETWORK = Network({}, lambda config: tiny.modules()[0], {}, "", ())


def test_the_prediction_is_that_of_the_module() -> None:
    module = tiny.modules()[0]
    unet = Unet(module, "eps", LATENT, NETWORK, torch.float32)
    x, timestep, context = torch.randn(2, 4, 8, 8), torch.tensor([999.0, 10.0]), torch.randn(2, 77, 32)
    found, plain = unet(x, timestep, {"context": context}), module(x, timestep, context).sample
    torch.testing.assert_close(found, plain, rtol=1e-5, atol=1e-5)
    assert found.is_contiguous() and torch.equal(found, unet(x, timestep, {"context": context}))
    assert unet.device == torch.device("cpu")


def test_a_module_in_bf16_takes_and_gives_float32() -> None:
    unet = Unet(tiny.modules()[0].to(torch.bfloat16), "eps", LATENT, NETWORK, torch.bfloat16)
    prediction = unet(torch.randn(1, 4, 8, 8), torch.tensor([5.0]), {"context": torch.randn(1, 77, 32)})
    assert prediction.dtype == torch.float32
    assert prediction.shape == (1, 4, 8, 8)


def test_added_arguments_reach_the_module() -> None:
    unet = Unet(tiny.modules()[0], "eps", LATENT, NETWORK, torch.float32)
    x, timestep, context = torch.randn(1, 4, 8, 8), torch.tensor([5.0]), torch.randn(1, 77, 32)
    residual = {"mid_block_additional_residual": torch.ones(1, 32, 4, 4)}
    residual |= {"down_block_additional_residuals": [torch.zeros(1)] * 4}
    assert not torch.equal(unet(x, timestep, {"context": context, **residual}), unet(x, timestep, {"context": context}))
