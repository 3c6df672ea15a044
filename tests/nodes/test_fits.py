"""Which files meet in a graph; what a workflow is told of it stands in test_misfits."""

from dataclasses import replace

import pytest
import torch

from engine.binding import BoundNode
from engine.folders import Folders
from engine.graph import Link
from nodes import vocabulary
from nodes.fits import misfits, missing_parts
from nodes.models.families import components, ldm_vae
from tests.nodes.models import tiny, tiny_xl

SPECS = vocabulary()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    folder = tmp_path_factory.mktemp("fits")
    tiny.write(
        folder / "checkpoints" / "one.safetensors",
        tiny.tensors(),
        {"config": tiny.METADATA["config"].replace("0.5", "0.18215")},
    )
    tiny.write(folder / "checkpoints" / "xl.safetensors", tiny_xl.tensors(tiny_xl.modules()), {})
    many = ldm_vae.build({**tiny.VAE, "latent_channels": 16, "use_quant_conv": False, "use_post_quant_conv": False})
    stated = {"config": tiny.METADATA["config"]}
    tiny.write(folder / "vae" / "many.safetensors", components.vae_layout(many.state_dict()), stated)
    alone = {name: tensor for name, tensor in tiny.tensors().items() if name.startswith("model.")}
    tiny.write(folder / "checkpoints" / "alone.safetensors", alone)
    torch.save(alone, folder / "checkpoints" / "alone.ckpt")
    return Folders(models=(folder,))


def node(id: str, type: str, literals: dict | None = None, **links: tuple[str, int]) -> BoundNode:
    return BoundNode(id, SPECS[type], literals or {}, {name: Link(*link) for name, link in links.items()})


def graph(*between: BoundNode, last: str = "s") -> dict[str, BoundNode]:
    """An SDXL sampler, what lies between, and a decoder with the VAE of another family."""
    nodes = (
        node("one", "CheckpointLoaderSimple", {"ckpt_name": "one.safetensors"}),
        node("xl", "CheckpointLoaderSimple", {"ckpt_name": "xl.safetensors"}),
        node("lora", "LoraLoaderModelOnly", model=("xl", 0)),
        node("s", "KSampler", model=("lora", 0)),
        *between,
        node("d", "VAEDecode", samples=(last, 0), vae=("one", 2)),
    )
    return {each.id: each for each in nodes}


def test_what_a_latent_went_through_does_not_hide_where_it_is_from(folders: Folders) -> None:
    (fault,) = misfits(graph(node("u", "LatentUpscaleBy", samples=("s", 0)), last="u"), folders)
    assert (fault.node, fault.input) == ("d", "samples") and "xl.safetensors (sdxl)" in fault.message


def test_a_vae_of_unknown_family_with_other_channels_does_not_fit(folders: Folders) -> None:
    nodes = graph()
    nodes["v"] = node("v", "VAELoader", {"vae_name": "many.safetensors"})
    nodes["d"] = node("d", "VAEDecode", samples=("s", 0), vae=("v", 0))
    (fault,) = misfits(nodes, folders)
    assert fault.message == ("Node d: a latent of xl.safetensors (sdxl) does not fit many.safetensors (16 channels).")


def test_a_guider_stands_for_its_model(folders: Folders) -> None:
    guided = (node("g", "CFGGuider", model=("lora", 0)), node("a", "SamplerCustomAdvanced", guider=("g", 0)))
    assert [fault.node for fault in misfits(graph(*guided, last="a"), folders)] == ["d"]


def test_a_foreign_node_may_change_what_a_latent_means(folders: Folders) -> None:
    foreign = replace(SPECS["LatentUpscaleBy"], foreign="pack", version="1")
    between = BoundNode("f", foreign, {}, {"samples": Link("s", 0)})
    assert misfits(graph(between, last="f"), folders) == []
    own = graph()["d"]
    assert misfits({**graph(), "d": own._replace(spec=replace(own.spec, foreign="pack"))}, folders) == []


def test_cycles_and_files_that_are_gone_are_for_others_to_tell(folders: Folders) -> None:
    round = (node("a", "LatentUpscaleBy", samples=("b", 0)), node("b", "LatentUpscaleBy", samples=("a", 0)))
    assert misfits(graph(*round, last="a"), folders) == []
    gone = node("xl", "CheckpointLoaderSimple", {"ckpt_name": "gone.safetensors"})
    assert misfits({**graph(), "xl": gone}, folders) == []


def of_one_file(name: str) -> dict[str, BoundNode]:
    nodes = (
        node("m", "CheckpointLoaderSimple", {"ckpt_name": name}),
        node("l", "LoraLoader", model=("m", 0), clip=("m", 1)),
        node("t", "CLIPTextEncode", clip=("l", 1)),
        node("s", "KSampler", model=("l", 0), positive=("t", 0)),
        node("d", "VAEDecode", samples=("s", 0), vae=("m", 2)),
        node("c", "ControlNetApplyAdvanced", positive=("t", 0), negative=("t", 0), vae=("m", 2)),
    )
    return {each.id: each for each in nodes}


def test_a_part_that_a_checkpoint_lacks_is_told_where_it_is_needed(folders: Folders) -> None:
    text, vae = missing_parts(of_one_file("alone.safetensors"), folders)
    assert (text.node, text.input, text.message) == ("t", "clip", "Node t: alone.safetensors holds no text encoder.")
    assert (vae.node, vae.input, vae.message) == ("d", "vae", "Node d: alone.safetensors holds no VAE.")
    assert "VAELoader" in str(vae.hint)


@pytest.mark.parametrize("name", ["one.safetensors", "xl.safetensors", "alone.ckpt", "gone.safetensors"])
def test_what_is_there_or_not_known_is_no_fault(folders: Folders, name: str) -> None:
    assert missing_parts(of_one_file(name), folders) == []
