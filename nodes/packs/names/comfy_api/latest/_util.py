"""Names of formats: ``comfy_api.util``."""

from enum import StrEnum

from nodes.packs.names.placeholders import members_of

__getattr__ = members_of("comfy_api.util")


class VideoContainer(StrEnum):
    """File formats of videos."""

    AUTO = "auto"
    MP4 = "mp4"

    @classmethod
    def as_input(cls) -> list[str]:
        """Return the choices of an input."""
        return [str(each) for each in cls]

    @classmethod
    def get_extension(cls, value: str) -> str:
        """Return the suffix of files, without its dot."""
        return "mp4" if value in (cls.AUTO, cls.MP4) else ""


class VideoCodec(StrEnum):
    """Ways to encode videos."""

    AUTO = "auto"
    H264 = "h264"

    @classmethod
    def as_input(cls) -> list[str]:
        """Return the choices of an input."""
        return [str(each) for each in cls]
