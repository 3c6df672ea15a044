"""Values of inputs that are made of files: ``comfy_api.input_impl``. Loomis has no video yet."""

from nodes.packs.names.placeholders import members_of

__getattr__ = members_of("comfy_api.input_impl")
