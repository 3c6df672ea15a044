import torch

from nodes.image_compose import image_composite_masked
from nodes.packs.names.classes import node_class
from nodes.packs.names.comfy_extras import nodes_mask

BELOW, ABOVE = torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 4, 4)


def test_pictures_are_laid_over_others_as_our_node_does() -> None:
    mask = torch.rand(1, 4, 4, generator=torch.Generator().manual_seed(3))
    found = nodes_mask.composite(BELOW, ABOVE, 2, 3, mask, 1)
    ours = image_composite_masked(BELOW.movedim(1, -1), ABOVE.movedim(1, -1), 2, 3, False, mask)
    assert torch.equal(found.movedim(1, -1), ours)
    assert torch.equal(nodes_mask.composite(BELOW, ABOVE, 0, 0, None, 1, True), torch.ones_like(BELOW))


def test_places_are_counted_in_pixels_and_may_lie_outside() -> None:
    found = nodes_mask.composite(BELOW, ABOVE, 16, -8, torch.ones(1, 8, 8))
    assert found[0, 0].nonzero().tolist() == [[y, x] for y in range(3) for x in range(2, 6)]


def test_classes_are_our_nodes() -> None:
    assert nodes_mask.GrowMask is node_class("GrowMask")
