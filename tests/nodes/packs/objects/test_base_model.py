import pytest
import torch

from nodes.packs.objects import to_foreign
from nodes.packs.objects.members import NoSuchMember
from tests.nodes.test_model_patches import MODEL


class TestReads:
    def test_levels(self):
        levels = to_foreign("MODEL", MODEL).get_model_object("model_sampling")
        assert levels.sigma_max.item() == pytest.approx(14.6146, rel=1e-4)
        assert levels.sigma_min.item() == pytest.approx(0.0291675, rel=1e-4)
        assert levels.percent_to_sigma(0.0) > 1e8 and levels.percent_to_sigma(1.0) == 0.0
        assert levels.timestep(levels.sigma_max).item() == 999
        assert levels.sigma(torch.tensor(0.0)).item() == pytest.approx(levels.sigma_min.item())
        assert len(levels.sigmas) == levels.num_timesteps == 1000

    def test_predictions(self):
        levels = to_foreign("MODEL", MODEL).model.model_sampling
        x, sigma = torch.randn(2, 4, 3, 3), torch.tensor([2.0, 2.0])
        torch.testing.assert_close(levels.calculate_input(sigma, x), x / 5**0.5)
        predicted = torch.randn(2, 4, 3, 3)
        expected = x / 5 - predicted * 2 / 5**0.5
        torch.testing.assert_close(levels.calculate_denoised(sigma, predicted, x), expected)
        torch.testing.assert_close(levels.noise_scaling(sigma, x, predicted), predicted + x * 2)

    def test_the_build(self):
        model = to_foreign("MODEL", MODEL)
        assert model.model.latent_format.scale_factor == 0.5
        torch.testing.assert_close(model.model.process_latent_out(torch.ones(2)), torch.full((2,), 2.0))
        assert model.model.model_config.unet_config["context_dim"] == 32
        assert type(model.model.model_config).__name__ == "SD15"
        assert model.model.model_type.name == "V_PREDICTION"
        assert model.model_dtype() == torch.float32 and model.load_device.type == "cpu"
        assert model.memory_required((2, 4, 8, 8)) > 0 and model.model_size() > 0

    @pytest.mark.parametrize(
        ("read", "member"),
        [
            (lambda model: model.add_callback, "MODEL.add_callback"),
            (lambda model: model.model.diffusion_model, "MODEL.model.diffusion_model"),
            (lambda model: model.get_model_object("diffusion_model.input_blocks"), "MODEL.model.diffusion_model"),
            (lambda model: model.add_object_patch("model_sampling", 1), "MODEL.add_object_patch"),
            (lambda model: model.model.model_sampling.alphas, "MODEL.model_sampling.alphas"),
        ],
    )
    def test_anything_else_is_one_error(self, read, member):
        with pytest.raises(NoSuchMember) as caught:
            read(to_foreign("MODEL", MODEL))
        assert caught.value.message.startswith(f"The node Test of Pack uses {member}")
        assert caught.value.hint
