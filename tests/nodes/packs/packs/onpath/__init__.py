"""A pack that extends the path, registers modules itself, and loads files by their path."""

import importlib
import importlib.util
import os
import sys

here = os.path.dirname(__file__)
sys.path.append(os.path.join(here, "lib"))

import onpath_words.say  # noqa: E402
from onpath_words import say  # noqa: E402

spec = importlib.util.spec_from_file_location("onpath_extra", os.path.join(here, "extra.py"))
extra = importlib.util.module_from_spec(spec)
sys.modules["onpath_extra"] = extra
spec.loader.exec_module(extra)
sibling = importlib.import_module(".sibling", package=__name__)

SEEN = {
    "words": onpath_words.say is say,
    "path": sys.modules["folder_paths"].__name__,
    "nodes": importlib.import_module("nodes") is sys.modules["nodes"],
    "extra": sys.modules["onpath_extra"].WHERE,
    "again": importlib.import_module("onpath_extra") is extra,
    "sibling": sibling.comfy.utils.__name__,
    "known": importlib.util.find_spec("comfy") is not None,
}
NODE_CLASS_MAPPINGS = {"Say": say.Say}
WEB_DIRECTORY = "js"
