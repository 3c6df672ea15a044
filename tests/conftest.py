"""What holds for all tests.

Hypothesis tries the same examples each time, without a deadline on a shared machine; ``--hypothesis-profile thorough``
tries many more, and others each time.
"""

import gc

from hypothesis import settings

settings.register_profile("loomis", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile("loomis")


def pytest_collection_finish() -> None:
    """Spare collections of garbage what was imported: it stays, and to look through it takes half a second."""
    gc.collect()
    gc.freeze()
