import pytest
import torch

from engine.errors import ModelError
from engine.values import NoByteForm, pack
from nodes.loaders import load_lora_model_only
from nodes.merge import model_merge_simple
from nodes.model_options import rescale_cfg
from nodes.models.service import pool
from nodes.packs.objects import from_foreign, to_foreign
from nodes.packs.objects.members import NoSuchMember
from nodes.recipes import FileRef, LoraPatch, Merge, Model
from tests.nodes.calls import model_context
from tests.nodes.models import tiny
from tests.nodes.test_model_patches import MODEL, sampled

LORA = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
KEY = "diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
OTHER = Model(FileRef("checkpoints", "tiny"), (LoraPatch(FileRef("loras", "lora"), 1.0),))


def test_a_model_that_goes_through_is_the_same():
    recipe = rescale_cfg(OTHER, 0.5)
    assert from_foreign("MODEL", to_foreign("MODEL", recipe)) == recipe
    assert from_foreign("*", to_foreign("*", recipe).clone()) == recipe
    assert pack(from_foreign("PIPE", (to_foreign("MODEL", recipe), {"a": [1]}))).digest


def test_a_copy_is_changed_alone():
    model = to_foreign("MODEL", MODEL)
    other = model.clone()
    other.set_model_sampler_post_cfg_function(lambda args: args["denoised"])
    other.model_options["transformer_options"]["own"] = 1
    assert model.model_options == {"transformer_options": {}}
    assert from_foreign("MODEL", model) == MODEL
    assert model.is_clone(other) and not model.is_clone(5)


class TestWeights:
    def lora(self, strength):
        tensors = tiny.lora()
        up, down, alpha = (tensors[f"{LORA}.{name}"] for name in ("lora_up.weight", "lora_down.weight", "alpha"))
        model = to_foreign("MODEL", MODEL).clone()
        assert model.add_patches({KEY: ("lora", (up, down, alpha.item(), None, None)), "no": (up,)}, strength) == [KEY]
        return from_foreign("MODEL", model)

    def test_a_patch_gives_the_picture_of_a_lora(self, ctx, tmp_path):
        alone = {name: tensor for name, tensor in tiny.lora().items() if name.startswith(LORA)}
        tiny.write(tmp_path / "checkpoints" / "tiny", tiny.tensors())
        tiny.write(tmp_path / "loras" / "one", alone, {})
        there = model_context(tmp_path)
        ours = sampled(there, load_lora_model_only(there, MODEL, "one", 0.5))
        assert torch.equal(sampled(ctx, self.lora(0.5)), ours)
        assert not torch.equal(sampled(ctx, MODEL), ours)

    def test_what_is_patched_has_no_bytes(self):
        with pytest.raises(NoByteForm):
            pack(self.lora(0.5))

    def test_differences_strengths_and_parts(self, ctx):
        weight = to_foreign("MODEL", MODEL).model.state_dict()[KEY]

        def built(patches, *strengths):
            model = to_foreign("MODEL", MODEL)
            model.add_patches(patches, *strengths)
            module = ctx.use(pool).unet(from_foreign("MODEL", model)).module
            return module.state_dict()["down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"]

        ones = torch.ones_like(weight)
        torch.testing.assert_close(built({KEY: (ones,)}, 0.5), weight + 0.5)
        torch.testing.assert_close(built({KEY: ("diff", (ones,))}, 0.5, 2.0), weight * 2 + 0.5)
        torch.testing.assert_close(built({KEY: ("set", (ones,))}), ones)
        part = built({(KEY, (0, 2, 3)): (ones[:3],)})
        assert torch.equal(part[:2], weight[:2])
        torch.testing.assert_close(part[2:5], weight[2:5] + 1)

    def test_patches_add_up(self, ctx):
        once, twice = to_foreign("MODEL", MODEL), to_foreign("MODEL", MODEL)
        ones = torch.ones_like(once.model_state_dict()[KEY])
        once.add_patches({KEY: (ones,)}, 0.75)
        twice.add_patches({KEY: (ones,)}, 0.5)
        twice = to_foreign("MODEL", from_foreign("MODEL", twice))
        twice.add_patches({KEY: (ones,)}, 0.25)
        found = [sampled(ctx, from_foreign("MODEL", model)) for model in (once, twice)]
        torch.testing.assert_close(*found, rtol=1e-4, atol=1e-4)
        assert not torch.equal(found[0], sampled(ctx, MODEL))

    def test_a_merge_of_foreign_code_is_a_merge_of_ours(self, ctx):
        model, patches = to_foreign("MODEL", MODEL).clone(), to_foreign("MODEL", OTHER).get_key_patches()
        for key, patch in patches.items():
            model.add_patches({key: patch}, 0.75, 0.25)
        (merge,) = from_foreign("MODEL", model).patches
        assert isinstance(merge, Merge) and pack(merge).digest
        ours = sampled(ctx, model_merge_simple(ctx, MODEL, OTHER, 0.25))
        torch.testing.assert_close(sampled(ctx, from_foreign("MODEL", model)), ours)

    @pytest.mark.parametrize("patch", [("loha", (1,)), ("lora", (1, 2, 3, 4)), 5])
    def test_a_patch_of_another_kind_is_an_error(self, ctx, patch):
        model = to_foreign("MODEL", MODEL)
        with pytest.raises(NoSuchMember, match=r"uses MODEL\.add_patches with"):
            model.add_patches({KEY: patch})

    def test_a_change_of_another_shape_is_an_error(self, ctx):
        model = to_foreign("MODEL", MODEL)
        model.add_patches({KEY: (torch.ones(3, 3),)})
        with pytest.raises(ModelError, match="does not fit"):
            sampled(ctx, from_foreign("MODEL", model))


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
