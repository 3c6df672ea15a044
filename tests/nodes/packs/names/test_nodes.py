"""The module ``nodes`` as packs use it: classes by name, pictures saved and loaded, a run sampled and stopped."""

from pathlib import Path

import pytest
import torch

from engine.context import Context
from engine.errors import FileError, InputError, NodeFailure
from engine.folders import Folders
from nodes import vocabulary
from nodes.packs import current
from nodes.packs.names import answer
from nodes.packs.names.comfy.model_management import InterruptProcessingException
from nodes.packs.objects import from_foreign, to_foreign
from nodes.recipes import Clip, FileRef, Latent, Model
from nodes.sampler import ksampler, ksampler_advanced

TINY = FileRef("checkpoints", "tiny")


@pytest.fixture
def foreign(folders: Folders):  # type: ignore[no-untyped-def]
    return answer("nodes")


def test_all_our_nodes_are_there_by_name(foreign) -> None:  # type: ignore[no-untyped-def]
    assert set(foreign.NODE_CLASS_MAPPINGS) >= {spec.type for spec in vocabulary()}
    assert foreign.VAEDecode is foreign.NODE_CLASS_MAPPINGS["VAEDecode"]
    assert foreign.NODE_CLASS_MAPPINGS["SaveImage"] is foreign.SaveImage
    assert foreign.NODE_DISPLAY_NAME_MAPPINGS["SaveImage"] == "Save Image"
    assert foreign.MAX_RESOLUTION == 16384 and foreign.EXTENSION_WEB_DIRS == {}
    with pytest.raises(NodeFailure, match=r"nodes\.NoSuchNode"):
        foreign.NoSuchNode()


def test_a_picture_is_saved_and_loaded(foreign, folders: Folders) -> None:  # type: ignore[no-untyped-def]
    image = torch.linspace(0, 1, 48).reshape(1, 4, 4, 3)
    (saved,) = foreign.SaveImage().save_images(image, "sub/a", {"1": {}}, {"workflow": {}})["ui"]["images"]
    assert saved == {"filename": "a_00001_.png", "subfolder": "sub", "type": "output"}
    loaded, mask = foreign.LoadImage().load_image("sub/a_00001_.png [output]")
    assert torch.equal(loaded, (image * 255).floor() / 255) and mask.shape == (1, 64, 64)
    assert foreign.LoadImage.VALIDATE_INPUTS("sub/a_00001_.png [output]") is True
    assert "no picture" in foreign.LoadImage.VALIDATE_INPUTS("b.png")
    assert len(foreign.LoadImage.IS_CHANGED("sub/a_00001_.png [output]")) == 64


def test_a_pack_saves_elsewhere_by_its_own_members(foreign, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    class Own(foreign.SaveImage):  # type: ignore[misc, name-defined]
        def __init__(self, folder: Path) -> None:
            self.output_dir, self.type, self.prefix_append, self.compress_level = str(folder), "temp", "_own", 1

    (saved,) = Own(tmp_path / "temp").save_images(torch.zeros(1, 2, 2, 3))["ui"]["images"]
    assert saved == {"filename": "ComfyUI_own_00001_.png", "subfolder": "", "type": "temp"}
    with pytest.raises(FileError):
        Own(tmp_path / "elsewhere").save_images(torch.zeros(1, 2, 2, 3))


def test_previews_go_to_the_temporary_folder(foreign, folders: Folders) -> None:  # type: ignore[no-untyped-def]
    (shown,) = foreign.PreviewImage().save_images(torch.zeros(1, 2, 2, 3), "x")["ui"]["images"]
    assert shown["type"] == "temp" and (folders.temp / shown["filename"]).is_file()
    assert shown["filename"].startswith("x_temp_")
    assert foreign.PreviewImage.OUTPUT_NODE and list(foreign.PreviewImage.INPUT_TYPES()["required"]) == ["images"]


def test_a_run_can_be_asked_to_end(foreign, running: Context) -> None:  # type: ignore[no-untyped-def]
    foreign.before_node_execution()
    foreign.interrupt_processing()
    with pytest.raises(InterruptProcessingException):
        foreign.before_node_execution()


def test_sampling_is_that_of_our_nodes(folders: Folders, ctx: Context) -> None:
    nodes = answer("nodes")
    assert nodes is not None
    call = nodes.NODE_CLASS_MAPPINGS
    with current.running("pack", "Type", ctx):
        model, clip = to_foreign("MODEL", Model(TINY)), to_foreign("CLIP", Clip(TINY))
        (positive,) = call["CLIPTextEncode"]().encode(clip, "a cat")
        (negative,) = call["CLIPTextEncode"]().encode(clip, "")
        (latent,) = call["EmptyLatentImage"]().generate(16, 16)
        common = (model, 5, 2, 4.0, "euler", "normal", positive, negative, latent)
        (whole,) = nodes.common_ksampler(*common, denoise=0.5)
        (part,) = nodes.common_ksampler(*common, start_step=1, last_step=2, force_full_denoise=True)
        with pytest.raises(InputError, match="whole schedule"):
            nodes.common_ksampler(*common, denoise=0.5, start_step=1)
    ours = {
        "model": from_foreign("MODEL", model),
        "positive": from_foreign("CONDITIONING", positive),
        "negative": from_foreign("CONDITIONING", negative),
        "latent_image": from_foreign("LATENT", latent),
        "steps": 2,
        "cfg": 4.0,
        "sampler_name": "euler",
        "scheduler": "normal",
    }
    assert torch.equal(samples(whole), ksampler(ctx, seed=5, denoise=0.5, **ours).samples)
    advanced = ksampler_advanced(
        ctx, add_noise="enable", noise_seed=5, start_at_step=1, end_at_step=2,
        return_with_leftover_noise="disable", **ours,
    )  # fmt: skip
    assert torch.equal(samples(part), advanced.samples)


def samples(latent: object) -> torch.Tensor:
    found: Latent = from_foreign("LATENT", latent)
    return found.samples
