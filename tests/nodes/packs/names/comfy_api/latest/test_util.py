from nodes.packs.names.comfy_api.latest import Types


def test_formats_of_videos_are_choices() -> None:
    assert Types.VideoContainer.as_input() == ["auto", "mp4"] and Types.VideoCodec.as_input() == ["auto", "h264"]
    assert Types.VideoContainer.get_extension("auto") == "mp4" and Types.VideoContainer("mp4") == "mp4"
