"""``python -m server.workers.describe``: import the packs that are not known yet, and keep what they have."""

import sys

from nodes import vocabulary
from server.opening import open_packs
from server.settings import Options

if __name__ == "__main__":
    open_packs(Options.model_validate_json(sys.stdin.read()), vocabulary())
