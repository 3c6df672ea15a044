from nodes.packs.names.comfyui_version import __version__
from server.comfy.system import COMFYUI_VERSION


def test_packs_see_the_version_that_clients_see() -> None:
    assert __version__ == COMFYUI_VERSION
