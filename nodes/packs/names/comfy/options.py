"""Whether ComfyUI reads its command line. Loomis reads its own."""

args_parsing = False


def enable_args_parsing(enable: bool = True) -> None:
    """Do nothing: there are no arguments of ComfyUI's."""
