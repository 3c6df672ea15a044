import pytest
import torch

from engine.errors import InputError
from nodes.packs import current
from nodes.packs.objects import from_foreign, to_foreign
from nodes.packs.objects.controlnet import controls_of
from nodes.packs.objects.members import NoSuchMember
from nodes.recipes import Control, ControlNet, FileRef
from tests.nodes.calls import model_context
from tests.nodes.models import tiny

NET = ControlNet(FileRef("controlnet", "net"))
PICTURE = torch.rand(1, 3, 4, 6)


def test_a_chain_is_read_from_its_end():
    first = to_foreign("CONTROL_NET", NET).copy().set_cond_hint(PICTURE, 0.5)
    second = to_foreign("CONTROL_NET", NET).copy().set_cond_hint(PICTURE, 0.7, (0.1, 0.9))
    second.set_previous_controlnet(first)
    second.strength = 0.8
    picture = PICTURE.movedim(1, -1)
    found = controls_of(second)
    assert [each.strength for each in found] == [0.5, 0.8]
    assert all(torch.equal(each.image, picture) and each.net == NET for each in found)
    assert (found[1].start, found[1].end) == (0.1, 0.9)


def test_a_copy_has_a_picture_of_its_own():
    net = to_foreign("CONTROL_NET", NET)
    assert net.copy().set_cond_hint(PICTURE) is not net
    assert net.at_work is None and net.cond_hint_original is None and net.strength == 1.0
    assert net.get_models() == [] and net.cleanup() is None


def test_what_can_not_be_said_is_an_error():
    net = to_foreign("CONTROL_NET", NET)
    for act in (
        lambda: net.set_extra_arg("mask", PICTURE),
        lambda: net.set_extra_arg("control_type", [1, 2]),
        lambda: net.copy().set_cond_hint(PICTURE, extra_concat=[PICTURE]),
        lambda: setattr(net, "strength", 2.0),
        lambda: from_foreign("CONTROL_NET", net.copy().set_cond_hint(PICTURE)),
    ):
        with pytest.raises(NoSuchMember, match=r"The node Test of Pack uses CONTROL_NET\."):
            act()
    with pytest.raises(InputError):
        controls_of(net)
    with pytest.raises(InputError):
        controls_of(Control(NET, PICTURE, 1.0))


def test_a_union_is_told_the_type_of_its_picture(tmp_path):
    tiny.write(tmp_path / "controlnet" / "union", tiny.union(types=6))
    tiny.write(tmp_path / "controlnet" / "plain", tiny.control())
    union, plain = (to_foreign("CONTROL_NET", ControlNet(FileRef("controlnet", name))) for name in ("union", "plain"))
    with current.running("Pack", "Test", model_context(tmp_path)):
        for net in (union, plain):
            net.set_extra_arg("control_type", [5])
        with pytest.raises(NoSuchMember, match="type 6 of a union of 6"):
            union.set_extra_arg("control_type", [6])
        steered = union.copy().set_cond_hint(PICTURE)
        assert (from_foreign("CONTROL_NET", union).type, from_foreign("CONTROL_NET", plain).type) == (5, None)
        assert [each.net.type for each in controls_of(steered)] == [5]
        steered.set_extra_arg("control_type", [])
        assert [each.net.type for each in controls_of(steered)] == [None]
