import json

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import InputError
from engine.values import pack
from nodes.models.families import clip_vision as family
from nodes.models.style import StyleAdapter
from nodes.packs import current
from nodes.packs.objects import from_foreign, to_foreign
from nodes.packs.objects.members import NoSuchMember
from nodes.packs.objects.vision import Output
from nodes.recipes import ClipVision, ClipVisionOutput, Cond, Conditioning, FileRef, StyleModel
from nodes.vision import apply_style_model, clip_vision_encode
from tests.nodes.calls import model_context
from tests.nodes.models import tiny
from tests.nodes.test_vision import CONFIG, METADATA

ENCODER, STYLE = ClipVision(FileRef("clip_vision", "eye")), StyleModel(FileRef("style_models", "style"))
PICTURE = torch.rand(1, 30, 40, 3)


@pytest.fixture(scope="module")
def ctx(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vision")
    for name in ("clip_vision", "style_models"):
        (folder / name).mkdir()
    save_file(tiny.filled(family.build(CONFIG), 5).state_dict(), folder / "clip_vision" / "eye", METADATA)
    style = tiny.filled(StyleAdapter(3, 32, 32, 1, 8), 6)
    save_file(style.state_dict(), folder / "style_models" / "style", {"config": json.dumps({})})
    return model_context(folder)


def test_pictures_are_seen_as_by_our_node(ctx):
    encoder = to_foreign("CLIP_VISION", ENCODER)
    for crop, named in ((True, "center"), (False, "none")):
        seen = encoder.encode_image(PICTURE, crop=crop)
        ours = clip_vision_encode(ctx, ENCODER, PICTURE, named)
        assert pack(from_foreign("CLIP_VISION_OUTPUT", seen)).digest == pack(ours).digest
        assert torch.equal(seen["last_hidden_state"], seen.last_hidden_state)
    assert from_foreign("CLIP_VISION", encoder) == ENCODER


def test_a_style_is_applied_as_by_our_node(ctx):
    prompts = Conditioning((Cond(torch.rand(1, 7, 32)),))
    seen = to_foreign("CLIP_VISION", ENCODER).encode_image(PICTURE)
    style = to_foreign("STYLE_MODEL", STYLE)
    tokens = style.get_cond(seen).flatten(0, 1)[None]
    [[context, options]] = to_foreign("CONDITIONING", prompts)
    made = from_foreign("CONDITIONING", [[torch.cat([context, tokens], 1), options]])
    output = from_foreign("CLIP_VISION_OUTPUT", seen)
    ours = apply_style_model(ctx, prompts, STYLE, output, strength_type="multiply")
    assert pack(made).digest == pack(ours).digest
    assert from_foreign("STYLE_MODEL", style) == STYLE


def test_outputs_that_packs_make_themselves():
    mine = Output()
    mine.image_embeds = torch.ones(1, 3)
    mine["last_hidden_state"] = torch.ones(1, 2, 3)
    found = from_foreign("CLIP_VISION_OUTPUT", mine)
    assert isinstance(found, ClipVisionOutput) and found.last.shape == (1, 2, 3)
    with pytest.raises(NoSuchMember):
        _ = mine.mm_projected
    with pytest.raises(InputError):
        from_foreign("CLIP_VISION_OUTPUT", 5)


def test_there_is_no_encoder_outside_of_a_node():
    with current.running("Pack"), pytest.raises(Exception, match="outside of a node"):
        to_foreign("CLIP_VISION", ENCODER).encode_image(PICTURE)
