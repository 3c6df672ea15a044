"""What a client and this server can do beyond the basics, as far as foreign nodes may rely on it."""

from collections.abc import Mapping
from typing import Any


def get_server_features() -> dict[str, Any]:
    """Return what this server can do."""
    return {"supports_preview_metadata": True}


def get_connection_feature(
    sockets_metadata: Mapping[str, Any], sid: str, feature_name: str, default: Any = False
) -> Any:
    """Return what a client said of a feature; a worker has not heard it."""
    return default


def supports_feature(sockets_metadata: Mapping[str, Any], sid: str, feature_name: str) -> bool:
    """Return whether a client said that it has a feature; a worker has not heard it."""
    return False
