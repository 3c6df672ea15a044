"""Which files meet in a graph; what a workflow is told of it stands in test_misfits."""

from dataclasses import replace

import pytest

from engine.binding import BoundNode
from engine.folders import Folders
from engine.graph import Link
from nodes import vocabulary
from nodes.fits import misfits
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
