from nodes.packs.names.comfy import options


def test_no_arguments_are_read() -> None:
    options.enable_args_parsing()
    assert options.args_parsing is False
