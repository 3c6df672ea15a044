import asyncio

import pytest
from PIL import Image

from nodes.packs.names.comfy_api.latest import ComfyAPI, ComfyAPISync, ComfyExtension
from tests.nodes.packs.names.conftest import Told


def test_a_node_tells_its_progress(told: Told) -> None:
    ComfyAPISync().execution.set_progress(1, 4)
    asyncio.run(ComfyAPI().execution.set_progress(value=2, max_value=4, preview_image=Image.new("RGB", (4, 4))))
    assert [step[:2] for step in told] == [(1, 4), (2, 4)]
    preview = told[1][2]
    assert preview is not None and preview().startswith(b"\xff\xd8")


def test_an_extension_lists_its_nodes() -> None:
    class Own(ComfyExtension):
        async def get_node_list(self) -> list[type]:
            return [int]

    async def loaded() -> list[type]:
        extension = Own()
        await extension.on_load()
        return await extension.get_node_list()

    assert asyncio.run(loaded()) == [int]
    with pytest.raises(NotImplementedError):
        asyncio.run(ComfyExtension().get_node_list())
