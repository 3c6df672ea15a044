"""Shrink what goes down through a UNet (Kohya's deep shrink, 2023). Not compared with the reference."""

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor
from torch.utils.hooks import RemovableHandle

from nodes.models.hooks import Call, on_the_way_down, steps
from nodes.network_options import DeepShrink
from nodes.pixels.resize import resize


def shrunk(option: DeepShrink) -> Any:
    """Return the hook. What comes up is enlarged to the skips that it meets."""

    def put(module: Any, call: Call) -> Iterator[RemovableHandle]:
        down = on_the_way_down(module)
        if option.number >= len(down):
            return
        if option.after_skip:
            following = down[option.number + 1][0] if option.number + 1 < len(down) else module.mid_block
            yield following.register_forward_pre_hook(lambda _, inputs: (_smaller(inputs[0], option), *inputs[1:]))
        else:
            yield down[option.number][1].register_forward_hook(lambda _, inputs, out: _changed(out, option))
        for block in module.up_blocks:
            sizes: list[tuple[int, int]] = []
            yield block.register_forward_pre_hook(_entering(sizes, option), with_kwargs=True)
            for number, (_, last) in enumerate(steps(block)):
                yield last.register_forward_hook(_meeting(sizes, number + 1, option))

    return put


def _smaller(h: Tensor, option: DeepShrink) -> Tensor:
    height, width = (max(1, round(side / option.factor)) for side in h.shape[-2:])
    return resize(h, width, height, option.down)


def _changed(out: Any, option: DeepShrink) -> Any:
    return _smaller(out, option) if isinstance(out, Tensor) else (_smaller(out[0], option), *out[1:])


def _entering(sizes: list[tuple[int, int]], option: DeepShrink) -> Callable[..., Any]:
    """Note the sizes of the skips that a block of the way up will meet, and enlarge what comes in to the first."""

    def enter(_: Any, inputs: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        skips = named["res_hidden_states_tuple"]
        sizes[:] = [tuple(skip.shape[-2:]) for skip in reversed(skips)]
        return inputs, {**named, "hidden_states": _as_large(named["hidden_states"], sizes[0], option)}

    return enter


def _meeting(sizes: list[tuple[int, int]], number: int, option: DeepShrink) -> Callable[..., Any]:
    """Enlarge what comes out of a step to the skip that the next one meets."""

    def meet(_: Any, inputs: Any, out: Any) -> Any:
        if number >= len(sizes):
            return out
        if isinstance(out, Tensor):
            return _as_large(out, sizes[number], option)
        return _as_large(out[0], sizes[number], option), *out[1:]

    return meet


def _as_large(h: Tensor, size: tuple[int, int], option: DeepShrink) -> Tensor:
    return h if tuple(h.shape[-2:]) == size else resize(h, size[1], size[0], option.up)
