"""How hypothesis works in this project: the same examples each time, no deadline on a shared machine."""

from hypothesis import settings

settings.register_profile("loomis", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("loomis")
