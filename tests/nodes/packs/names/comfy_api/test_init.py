"""Versions and older names of the newer interface."""

import pytest

from engine.errors import NodeFailure
from nodes.packs.names import answer
from nodes.packs.names.comfy_api import latest


def test_each_version_is_the_latest() -> None:
    for version in ("v0_0_1", "v0_0_2"):
        found = answer(f"comfy_api.{version}")
        assert found is not None and found.io is latest.io and found.ComfyExtension is latest.ComfyExtension
    assert latest.IO is latest.io is answer("comfy_api.latest._io")


def test_older_names_lead_to_the_same() -> None:
    assert answer("comfy_api.input").ImageInput is latest.Input.ImageInput  # type: ignore[union-attr]
    assert answer("comfy_api.util").VideoCodec is latest.Types.VideoCodec  # type: ignore[union-attr]
    implementation = answer("comfy_api.input_impl")
    assert implementation is not None
    with pytest.raises(NodeFailure, match=r"comfy_api\.input_impl\.VideoFromFile"):
        implementation.VideoFromFile("a.mp4")
    with pytest.raises(NodeFailure, match=r"comfy_api\.input_impl\.video_types\.VideoFromFile"):
        answer("comfy_api.input_impl.video_types").VideoFromFile("a.mp4")  # type: ignore[union-attr]
