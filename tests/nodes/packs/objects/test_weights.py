import pytest
import torch

from engine.errors import ModelError
from engine.values import NoByteForm, pack
from nodes.loaders import load_lora_model_only
from nodes.merge import model_merge_simple
from nodes.model_guidance import adaptive_projected_guidance
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

    @pytest.mark.parametrize("parts", [("dora_scale",), ("lora_mid.weight",), ("dora_scale", "lora_mid.weight")])
    def test_a_patch_has_what_a_file_may_have(self, ctx, tmp_path, parts):
        name, key = "mid_block.resnets.0.conv1", "diffusion_model.middle_block.0.in_layers.2.weight"
        kernel = (1, 1) if "lora_mid.weight" in parts else (3, 3)
        shapes = {
            "lora_up.weight": (32, 2, 1, 1), "lora_down.weight": (2, 32, *kernel), "alpha": (),
            "lora_mid.weight": (2, 2, 3, 3), "dora_scale": (1, 32, 1, 1),
        }  # fmt: skip
        draw = torch.Generator().manual_seed(2)
        tensors = {
            role: torch.rand(shape, generator=draw)
            for role, shape in shapes.items()
            if role in parts or not role.startswith(("dora", "lora_mid"))
        }
        file = {f"lora_unet_{name.replace('.', '_')}.{role}": tensor for role, tensor in tensors.items()}
        tiny.write(tmp_path / "checkpoints" / "tiny", tiny.tensors())
        tiny.write(tmp_path / "loras" / "one", file, {})
        there = model_context(tmp_path)
        ours = there.use(pool).unet(load_lora_model_only(there, MODEL, "one", 0.5)).module.state_dict()
        model = to_foreign("MODEL", MODEL)
        model.add_patches({key: ("lora", tuple(tensors.get(role) for role in shapes))}, 0.5)
        theirs = ctx.use(pool).unet(from_foreign("MODEL", model)).module.state_dict()
        torch.testing.assert_close(theirs[f"{name}.weight"], ours[f"{name}.weight"])
        assert not torch.equal(
            theirs[f"{name}.weight"], ctx.use(pool).unet(MODEL).module.state_dict()[f"{name}.weight"]
        )

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

    def test_options_of_the_other_model_are_no_part_of_a_merge(self, ctx):
        model = to_foreign("MODEL", MODEL)
        other = to_foreign("MODEL", adaptive_projected_guidance(OTHER))
        other.set_model_sampler_post_cfg_function(print)
        model.add_patches(to_foreign("MODEL", from_foreign("MODEL", other)).get_key_patches(), 0.75, 0.25)
        ours = sampled(ctx, model_merge_simple(ctx, MODEL, OTHER, 0.25))
        torch.testing.assert_close(sampled(ctx, from_foreign("MODEL", model)), ours)

    @pytest.mark.parametrize("patch", [("loha", (1,)), ("lora", (1, 2, 3, None, None, 6)), 5])
    def test_a_patch_of_another_kind_is_an_error(self, ctx, patch):
        model = to_foreign("MODEL", MODEL)
        with pytest.raises(NoSuchMember, match=r"uses MODEL\.add_patches with"):
            model.add_patches({KEY: patch})

    def test_a_change_of_another_shape_is_an_error(self, ctx):
        for patch in ((torch.ones(3, 3),), ("lora", (torch.ones(3, 2), torch.ones(2, 3)))):
            model = to_foreign("MODEL", MODEL)
            model.add_patches({KEY: patch})
            with pytest.raises(ModelError, match="does not fit"):
                sampled(ctx, from_foreign("MODEL", model))
