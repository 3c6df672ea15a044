import pytest

from engine.errors import LoomisError, NodeFailure
from nodes.packs import current
from nodes.packs.objects.members import Members, NoSuchMember, context


class Thing(Members):
    kind = "THING"

    @property
    def broken(self):
        raise NoSuchMember("inner")


def test_an_error_names_pack_node_and_member():
    with pytest.raises(LoomisError) as caught:
        _ = Thing().other
    assert caught.value.message == "The node Test of Pack uses THING.other, which Loomis does not offer."
    assert caught.value.got == "THING.other" and caught.value.hint


def test_foreign_code_may_ask_whether_there_is_a_member():
    assert not hasattr(Thing(), "other")
    assert getattr(Thing(), "other", 5) == 5


def test_an_error_of_a_property_is_its_own():
    with pytest.raises(NoSuchMember, match="inner"):
        _ = Thing().broken


def test_there_is_no_context_outside_of_a_node(ctx):
    assert context() is ctx
    with current.running("Pack"), pytest.raises(NodeFailure, match="The pack Pack works with a model outside"):
        context()
