"""How hypothesis works in this project: the same examples each time, no deadline on a shared machine.

``--hypothesis-profile thorough`` tries many more, and others each time.
"""

from hypothesis import settings

settings.register_profile("loomis", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile("loomis")
