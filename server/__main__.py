"""``python -m server`` is the command ``loomis``."""

from server.cli import main

main()
