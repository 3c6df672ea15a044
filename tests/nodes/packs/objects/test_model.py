from engine.values import pack
from nodes.model_options import rescale_cfg
from nodes.packs.objects import from_foreign, to_foreign
from nodes.recipes import FileRef, LoraPatch, Model
from tests.nodes.test_model_patches import MODEL

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
