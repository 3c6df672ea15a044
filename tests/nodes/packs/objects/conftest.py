import pytest

from nodes.packs import current


@pytest.fixture(autouse=True)
def running(ctx):
    """Be the node Test of the pack Pack."""
    with current.running("Pack", "Test", ctx):
        yield
