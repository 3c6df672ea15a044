from nodes.packs.names.comfy_api import feature_flags


def test_nothing_is_known_of_clients_in_a_worker() -> None:
    assert not feature_flags.supports_feature({}, "me", "supports_preview_metadata")
    assert feature_flags.get_connection_feature({}, "me", "x", 3) == 3
    assert feature_flags.get_server_features()["supports_preview_metadata"] is True
