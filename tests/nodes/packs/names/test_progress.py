from io import BytesIO

from PIL import Image

from nodes.packs import current
from nodes.packs.names import progress
from tests.nodes.packs.names.conftest import Told


def test_a_preview_is_shown_where_the_node_last_was(told: Told) -> None:
    progress.report(current.context(), 3, 9)
    progress.show(current.context(), ("PNG", Image.new("RGB", (40, 20)), 10))
    assert [step[:2] for step in told] == [(3, 9), (3, 9)]
    preview = told[1][2]
    assert preview is not None and Image.open(BytesIO(preview())).size == (10, 5)


def test_more_than_all_is_all(told: Told) -> None:
    progress.report(current.context(), 12.5, 10)
    assert told[0][:2] == (10, 10)


def test_a_picture_with_alpha_can_be_a_jpeg() -> None:
    assert progress.encoder(("JPEG", Image.new("RGBA", (4, 4)), None))().startswith(b"\xff\xd8")
