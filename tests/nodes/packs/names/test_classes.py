"""Our nodes as classes: the same results as the functions, however they are called."""

import pytest
import torch

from engine.context import Context
from engine.errors import InputError, NodeFailure
from engine.folders import Folders
from nodes import vocabulary
from nodes.image_compose import image_pad_for_outpaint
from nodes.latent import latent_upscale_by
from nodes.mask import grow_mask
from nodes.packs import current
from nodes.packs.names.classes import node_class
from nodes.packs.names.methods import METHODS, ORDERS
from nodes.packs.objects import from_foreign, to_foreign
from nodes.recipes import Latent

IMAGE = torch.rand(1, 8, 8, 3, generator=torch.Generator().manual_seed(1))


def test_a_class_declares_what_classic_classes_do(folders: Folders) -> None:
    cls = node_class("KSampler")
    assert cls.FUNCTION == "sample" and cls.RETURN_TYPES == ("LATENT",) and not cls.OUTPUT_NODE
    required = cls.INPUT_TYPES()["required"]
    assert required["model"] == ("MODEL", {}) and required["seed"][1]["max"] == 2**64 - 1
    assert "euler" in required["sampler_name"][0]
    assert node_class("SaveLatent").INPUT_TYPES()["hidden"] == {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}
    assert node_class("KSampler") is cls
    assert node_class("ImageScale").crop_methods == ["disabled", "center"]
    assert "lanczos" in node_class("ImageScaleBy").upscale_methods and not hasattr(cls, "upscale_methods")


def test_arguments_are_given_by_name_or_in_order() -> None:
    expected = image_pad_for_outpaint(IMAGE, 8, 0, 0, 0, 4)
    pad = node_class("ImagePadForOutpaint")
    for found in (
        pad().expand_image(IMAGE, 8, 0, 0, 0, 4),
        pad().expand_image(image=IMAGE, left=8, feathering=4),
        pad.expand_image(object(), IMAGE, 8, feathering=4),
        pad.execute(IMAGE, 8, feathering=4),
    ):
        assert isinstance(found, tuple) and all(map(torch.equal, found, expected))


def test_a_subclass_calls_the_method_of_ours() -> None:
    class Own(node_class("GrowMask")):  # type: ignore[misc]
        def expand_mask(self, mask: torch.Tensor) -> tuple[torch.Tensor]:
            return super().expand_mask(mask, 2, False)  # type: ignore[no-any-return]

    mask = torch.zeros(1, 9, 9)
    mask[0, 4, 4] = 1
    assert torch.equal(Own().expand_mask(mask)[0], grow_mask(mask, 2, False))


def test_foreign_objects_go_in_and_come_out() -> None:
    latent = Latent(torch.rand(1, 4, 4, 4))
    (found,) = node_class("LatentUpscaleBy")().upscale(to_foreign("LATENT", latent), "bilinear", 2.0)
    expected = latent_upscale_by(latent, upscale_method="bilinear", scale_by=2.0)
    assert torch.equal(from_foreign("LATENT", found).samples, expected.samples)


def test_lists_go_in_and_come_out() -> None:
    cls = node_class("RebatchImages")
    assert cls.INPUT_IS_LIST and cls.OUTPUT_IS_LIST == (True,)
    (found,) = cls().rebatch(images=[IMAGE, IMAGE, IMAGE], batch_size=[2])
    assert [len(batch) for batch in found] == [2, 1]


def test_a_wrong_argument_is_named() -> None:
    with pytest.raises(InputError, match="no input") as caught:
        node_class("InvertMask")().invert(mask=torch.zeros(1, 2, 2), strength=1)
    assert caught.value.got == ["strength"]
    with pytest.raises(InputError, match="no input"):
        node_class("InvertMask")().invert(1, 2, 3, 4)


def test_a_node_that_needs_the_run_says_so_outside_of_one(running: Context) -> None:
    assert node_class("GetImageSize").execute(torch.zeros(1, 2, 3, 3)) == (3, 2, 1)
    with current.running("pack"), pytest.raises(NodeFailure, match="CheckpointLoaderSimple"):
        node_class("CheckpointLoaderSimple")().load_checkpoint("a.safetensors")


def test_what_a_node_makes_is_on_disk(folders: Folders) -> None:
    prompt = {"1": {"class_type": "SaveAnimatedPNG", "inputs": {}}}
    frames = torch.rand(2, 8, 8, 3)
    first = node_class("SaveAnimatedPNG")().save_images(frames, filename_prefix="a/b", prompt=prompt)
    second = node_class("SaveAnimatedPNG")().save_images(frames, filename_prefix="a/b")
    (one,), (two,) = first["ui"]["images"], second["ui"]["images"]
    assert one == {"filename": "b_00001_.png", "subfolder": "a", "type": "output"} and two["filename"] == "b_00002_.png"
    assert b"SaveAnimatedPNG" in (folders.output / "a" / "b_00001_.png").read_bytes()


def test_the_tables_name_nodes_and_inputs_that_there_are() -> None:
    known = vocabulary()
    assert set(METHODS) <= set(known.specs)
    for type, order in ORDERS.items():
        assert set(order) <= set(known[type].ports)
