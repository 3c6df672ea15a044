"""What foreign code puts into a UNet while it runs: ``transformer_options`` as a hook.

Blocks are numbered as in the original layout: ("input", n), ("middle", 0), ("output", n). A patch of an attention is
called as ``patch(n, context, value, extra_options)``, one of its output as ``patch(n, extra_options)``, one that takes
its place as ``patch(q, k, v, extra_options)``; those of blocks get what comes out, or out and skip, and the options.
``optimized_attention_override`` computes all other attention, called as ``override(usual, q, k, v, heads, ...)``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from nodes.models.hooks import Call, Hook, Removable, joins, on_the_way_down
from nodes.packs.objects.members import no_member

Block = tuple[str, int]
Options = dict[str, Any]

INSIDE = ("attn1_patch", "attn1_output_patch", "attn2_patch", "attn2_output_patch")
OVERRIDE = "optimized_attention_override"
BLOCKS = ("input_block_patch", "input_block_patch_after_skip", "output_block_patch")


def check(options: Mapping[str, Any]) -> None:
    """Raise NodeFailure where transformer options hold what is not offered."""
    for name, patches in options.get("patches", {}).items():
        if patches and name not in (*INSIDE, *BLOCKS):
            raise no_member("MODEL", f"set_model_patch({name!r})")
    for name, places in options.get("patches_replace", {}).items():
        if places and name not in ("attn1", "attn2"):
            raise no_member("MODEL", f"set_model_patch_replace({name!r})")
    for name in ("wrappers", "callbacks"):
        if any(options.get(name, {}).values()):
            raise no_member("MODEL", f"add_{name.removesuffix('s')}_with_key")


def is_patched(options: Mapping[str, Any]) -> bool:
    """Whether transformer options reach into a network."""
    patches = any(each for name in ("patches", "patches_replace") for each in options.get(name, {}).values())
    return patches or options.get(OVERRIDE) is not None


def patched(options: Options, x: Tensor) -> Hook:
    """Return the hook for transformer options at work on ``x`` (batch, channels, height, width)."""
    patches, replaced = options.get("patches", {}), options.get("patches_replace", {})
    told = {name: value for name, value in options.items() if name not in ("patches", "patches_replace")}
    told |= {"original_shape": list(x.shape), "activations_shape": list(x.shape)}

    def put(module: Any, call: Call) -> Iterator[Removable]:
        for index, (block, transformer) in enumerate(_transformers(module)):
            for number, part in enumerate(transformer.transformer_blocks):
                place = {**told, "block": block, "block_index": number, "transformer_index": index}
                for name in ("attn1", "attn2"):
                    attention = getattr(part, name)
                    change = _change(name, patches, replaced.get(name, {}), place, attention)
                    if change is not None:
                        yield _Exchanged(attention, change)
        yield from _around_blocks(module, patches, told)

    return put


def _transformers(module: Any) -> Iterator[tuple[Block, Any]]:
    """Yield the attending parts of a UNet on the way of a latent through it, each with its block."""
    for number, (_, last) in enumerate(on_the_way_down(module)):
        if hasattr(last, "transformer_blocks"):
            yield ("input", number), last
    for transformer in getattr(module.mid_block, "attentions", None) or ():
        yield ("middle", 0), transformer
    up = [
        transformer
        for block in module.up_blocks
        for transformer in getattr(block, "attentions", [None] * len(block.resnets))
    ]
    for number, transformer in enumerate(up):
        if transformer is not None:
            yield ("output", number), transformer


@dataclass(frozen=True, slots=True)
class _Attention:
    """An attention under patches, as diffusers calls what computes one."""

    before: Sequence[Callable[..., Any]]
    instead: Callable[..., Any] | None
    after: Sequence[Callable[..., Any]]
    options: Options

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        n = hidden_states
        context = n if encoder_hidden_states is None else encoder_hidden_states
        value = context
        for patch in self.before:
            n, context, value = patch(n, context, value, self.options)
        q, k, v = attn.to_q(n), attn.to_k(context), attn.to_v(context if value is None else value)
        if self.instead:
            n = self.instead(q, k, v, self.options)
        elif override := self.options.get(OVERRIDE):
            n = override(attended, q, k, v, attn.heads, mask=None, transformer_options=self.options)
        else:
            n = attended(q, k, v, attn.heads)
        out: Tensor = attn.to_out[0](n)
        for patch in self.after:
            out = patch(out, self.options)
        return out


def attended(q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **more: Any) -> Tensor:
    """Return what an attention of so many heads makes of (batch, tokens, width)."""
    q, k, v = (part.reshape(len(part), part.shape[1], heads, -1).transpose(1, 2) for part in (q, k, v))
    return scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def _change(
    name: str, patches: Mapping[str, Any], replaced: Mapping[Any, Any], place: Options, attention: Any
) -> _Attention | None:
    block, number = place["block"], place["block_index"]
    before, after = patches.get(f"{name}_patch", ()), patches.get(f"{name}_output_patch", ())
    instead = replaced.get((*block, number), replaced.get(block))
    if not before and not after and instead is None and place.get(OVERRIDE) is None:
        return None
    heads = {"n_heads": attention.heads, "dim_head": attention.inner_dim // attention.heads, "attn_precision": None}
    return _Attention(before, instead, after, {**place, **heads})


class _Exchanged:
    """An attention that is computed in another way until that is taken off."""

    def __init__(self, attention: Any, change: _Attention) -> None:
        self.attention, self.usual = attention, attention.processor
        attention.processor = change

    def remove(self) -> None:
        self.attention.processor = self.usual


def _around_blocks(module: Any, patches: Mapping[str, Any], told: Options) -> Iterator[Removable]:
    down = on_the_way_down(module)
    if coming_out := patches.get("input_block_patch"):
        for number, (_, last) in enumerate(down):
            yield last.register_forward_hook(_changing_output(coming_out, {**told, "block": ("input", number)}))
    if going_on := patches.get("input_block_patch_after_skip"):
        following = [*(first for first, _ in down[1:]), module.mid_block]
        for number, after in enumerate(following):
            yield after.register_forward_pre_hook(_changing_input(going_on, {**told, "block": ("input", number)}))
    if meeting := patches.get("output_block_patch"):
        for number, (resnet, width) in enumerate(joins(module)):
            options = {**told, "block": ("output", number)}
            yield resnet.register_forward_pre_hook(_changing_both(meeting, width, options))


def _changing_output(patches: Sequence[Callable[..., Any]], options: Options) -> Callable[..., Any]:
    def changed(_: Any, inputs: Any, out: Any) -> Any:
        h = out if isinstance(out, Tensor) else out[0]
        for patch in patches:
            h = patch(h, options)
        return h if isinstance(out, Tensor) else (h, *out[1:])

    return changed


def _changing_input(patches: Sequence[Callable[..., Any]], options: Options) -> Callable[..., Any]:
    def changed(_: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        h, *others = inputs
        for patch in patches:
            h = patch(h, options)
        return h, *others

    return changed


def _changing_both(patches: Sequence[Callable[..., Any]], width: int, options: Options) -> Callable[..., Any]:
    def changed(_: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        joined, *others = inputs
        h, skip = joined[:, :width], joined[:, width:]
        for patch in patches:
            h, skip = patch(h, skip, options)
        return torch.cat([h, skip], 1), *others

    return changed
