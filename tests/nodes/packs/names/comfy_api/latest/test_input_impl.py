import pytest

from engine.errors import NodeFailure
from nodes.packs.names.comfy_api.latest import InputImpl


def test_there_is_no_video_yet() -> None:
    with pytest.raises(NodeFailure, match=r"comfy_api\.input_impl\.VideoFromComponents"):
        InputImpl.VideoFromComponents(None)
