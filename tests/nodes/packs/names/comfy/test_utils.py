"""``comfy.utils``: the same numbers as our nodes, and the progress of a node in a run."""

import threading
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from torch import nn

from engine.context import Context
from engine.errors import FileError
from engine.events import Progress
from engine.folders import Folders
from nodes.image import image_scale
from nodes.packs import current
from nodes.packs.names.comfy import utils
from nodes.packs.names.progress import InterruptProcessingException
from nodes.pixels.tiles import in_tiles
from tests.engine.words import Vocabulary, engine, n, recorded
from tests.nodes.packs.names.conftest import Told, cancelled


def test_a_bar_is_seen_in_a_run() -> None:
    words = Vocabulary()

    @words.registry.node("Foreign", foreign="pack", version="hash")
    def foreign(ctx: Context) -> int:
        with current.running("pack", "Foreign", ctx):
            bar = utils.ProgressBar(4)
            bar.update(1)
            bar.update_absolute(3, preview=("JPEG", Image.new("RGB", (64, 32), "red"), 16))
            worker = threading.Thread(target=lambda: bar.update(5))
            worker.start()
            worker.join()
        return 1

    with engine(words) as e:
        _, events = recorded(e, {"1": n("Foreign"), "2": n("Show", value=("1", 0))})
    steps = [event for event in events if isinstance(event, Progress)]
    assert [(step.node, step.value, step.maximum) for step in steps] == [("1", 1, 4), ("1", 3, 4), ("1", 4, 4)]
    assert steps[1].preview is not None
    picture = Image.open(BytesIO(steps[1].preview()))
    assert (picture.format, picture.size) == ("JPEG", (16, 8))


def test_a_bar_outside_of_a_node_tells_nobody() -> None:
    bar = utils.ProgressBar(2)
    bar.update(1)
    assert bar.current == 1


def test_a_bar_stops_the_node_when_the_run_is_cancelled(folders: Folders) -> None:
    with cancelled(folders), pytest.raises(InterruptProcessingException):
        utils.ProgressBar(2).update(1)


@pytest.mark.parametrize("method", ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"])
@pytest.mark.parametrize("crop", ["disabled", "center"])
def test_pictures_are_resized_as_our_node_does(method: str, crop: str) -> None:
    image = torch.rand(2, 10, 14, 3, generator=torch.Generator().manual_seed(1))
    ours = image_scale(image, upscale_method=method, width=9, height=12, crop=crop)  # type: ignore[arg-type]
    theirs = utils.common_upscale(image.movedim(-1, 1), 9, 12, method, crop).movedim(1, -1)
    assert torch.equal(ours, theirs)


def test_frames_are_resized_one_by_one() -> None:
    video = torch.rand(2, 4, 3, 8, 8)
    found = utils.common_upscale(video, 4, 6, "bislerp", "disabled")
    assert found.shape == (2, 4, 3, 6, 4)
    assert torch.equal(found[:, :, 1], utils.bislerp(video[:, :, 1], 4, 6))


def test_a_resized_tensor_keeps_its_dtype() -> None:
    assert utils.lanczos(torch.rand(1, 3, 4, 4).half(), 8, 8).dtype == torch.float16


def test_batches_are_cut_or_begin_again() -> None:
    batch = torch.arange(3)
    assert utils.repeat_to_batch_size(batch, 5).tolist() == [0, 1, 2, 0, 1]
    assert utils.repeat_to_batch_size(batch, 2).tolist() == [0, 1]
    assert utils.repeat_to_batch_size(batch[None], 4, dim=1).tolist() == [[0, 1, 2, 0]]
    assert utils.repeat_to_batch_size(batch, 3) is batch


def doubled(samples: torch.Tensor) -> torch.Tensor:
    return samples.repeat_interleave(2, -1).repeat_interleave(2, -2) * 0.5


def test_tiles_are_blended_as_our_upscaler_does(told: Told) -> None:
    images = torch.rand(2, 3, 40, 56, generator=torch.Generator().manual_seed(2))
    ours = in_tiles(doubled, images, (16, 24), 4, lambda done, count: None, grows=2)
    steps = utils.get_tiled_scale_steps(56, 40, tile_x=24, tile_y=16, overlap=4) * 2
    theirs = utils.tiled_scale(images, doubled, 24, 16, 4, 2, pbar=utils.ProgressBar(steps))
    assert torch.allclose(ours, theirs, atol=1e-6)
    assert told[-1][:2] == (steps, steps) and len(told) == steps


def test_tiles_over_one_axis_and_three() -> None:
    sound = torch.rand(1, 2, 50)
    same = utils.tiled_scale_multidim(sound, lambda x: x[:, :1], (16,), 4, 1, out_channels=1)
    assert torch.allclose(same, sound[:, :1], atol=1e-6)
    video = torch.rand(1, 1, 8, 20, 20)
    half = utils.tiled_scale_multidim(
        video, lambda x: x[..., ::2, ::2], (4, 12, 12), (2, 4, 4), (1, 2, 2), out_channels=1, downscale=True
    )
    assert torch.allclose(half, video[..., ::2, ::2], atol=1e-6)


def test_what_fits_one_tile_is_given_whole() -> None:
    calls: list[tuple[int, ...]] = []

    def seen(samples: torch.Tensor) -> torch.Tensor:
        calls.append(tuple(samples.shape))
        return samples

    utils.tiled_scale(torch.rand(2, 3, 8, 8), seen, 8, 8, 2, 1)
    assert calls == [(1, 3, 8, 8)] * 2


def test_pickles_are_read_weights_only(folders: Folders, tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.ones(2)}}, tmp_path / "a.pt")
    assert utils.load_torch_file(str(tmp_path / "a.pt"), device=torch.device("cpu"))["a"].tolist() == [1, 1]
    (tmp_path / "b.pt").write_bytes(b"no weights at all")
    with pytest.raises(FileError, match=r"b\.pt"):
        utils.load_torch_file(tmp_path / "b.pt")


def test_tensors_are_renamed_counted_and_read(folders: Folders, tmp_path: Path) -> None:
    sd = {"model.a": torch.zeros(3), "model.b": torch.zeros(4).half(), "c": torch.zeros(5)}
    assert utils.calculate_parameters(sd, "model.") == 7
    assert utils.weight_dtype(sd, "model.") == torch.float16 and utils.weight_dtype(sd) == torch.float32
    assert utils.weight_dtype({}) is None
    taken = utils.state_dict_prefix_replace(sd, {"model.": ""}, filter_keys=True)
    assert set(taken) == {"a", "b"} and set(sd) == {"c"}
    assert set(utils.state_dict_key_replace(taken, {"a": "z", "no": "where"})) == {"z", "b"}
    path = tmp_path / "output" / "x.safetensors"
    path.parent.mkdir()
    utils.save_torch_file(taken, path)
    assert b'"z"' in (utils.safetensors_header(path) or b"")
    assert utils.safetensors_header(path, max_size=2) is None


def test_members_are_reached_by_a_path() -> None:
    thing = SimpleNamespace(inner=SimpleNamespace(weight=nn.Parameter(torch.zeros(2)), name="a"))
    assert utils.set_attr(thing, "inner.name", "b") == "a" and utils.get_attr(thing, "inner.name") == "b"
    utils.copy_to_param(thing, "inner.weight", torch.ones(2))
    assert thing.inner.weight.tolist() == [1, 1]
    utils.set_attr_param(thing, "inner.weight", torch.full((2,), 3.0))
    assert not thing.inner.weight.requires_grad and thing.inner.weight.tolist() == [3, 3]
