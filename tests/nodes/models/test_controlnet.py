from pathlib import Path

import torch

from nodes.models.pool import Pool
from nodes.pixels.resize import resize
from nodes.recipes import ControlNet, FileRef, Model
from tests.nodes.models import tiny

MODEL = Model(FileRef("checkpoints", "any"))


def test_a_picture_of_any_size_becomes_residuals_for_every_skip(tmp_path: Path) -> None:
    tiny.write(tmp_path / "net", tiny.control())
    pool = Pool("cpu", "auto", 1 << 30, lambda file: tmp_path / file.fingerprint)
    net = pool.controlnet(ControlNet(FileRef("controlnet", "net")), MODEL)
    assert pool.controlnet(ControlNet(FileRef("controlnet", "net")), MODEL) is net
    draw = torch.Generator().manual_seed(0)
    x, context = torch.randn(2, 4, 4, 6, generator=draw), torch.randn(2, 5, 32, generator=draw)
    picture = torch.rand(2, 3, 20, 20, generator=draw)
    timestep = torch.full((2,), 500.0)
    skips, middle = net(x, timestep, context, picture)
    assert [tuple(skip.shape) for skip in skips] == [(2, 16, 4, 6), (2, 16, 4, 6), (2, 16, 2, 3), (2, 32, 2, 3)]
    assert middle.shape == (2, 32, 2, 3)
    fitted = resize(picture, 12, 8, "nearest-exact", "center")
    assert torch.equal(net(x, timestep, context, fitted)[1], middle)
    assert not torch.equal(net(x, timestep, context, 1 - picture)[1], middle)
