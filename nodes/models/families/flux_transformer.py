"""Flux's transformer: names in the original layout, names and config in diffusers', and how it is called."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nodes.models.families import components
from nodes.models.families.checkpoint import Cut
from nodes.models.working import transformer_bytes

if TYPE_CHECKING:
    from torch import Tensor, nn

Shapes = Mapping[str, tuple[int, ...]]

PATCH = 2
MLP = 4
"""How many times as wide as a token its feed-forward is."""

PROBES = (
    "img_in.weight",
    "vector_in.in_layer.weight",
    "double_blocks.0.img_attn.qkv.weight",
    "final_layer.linear.weight",
)
DIFFUSERS = (
    "x_embedder.weight", "transformer_blocks.0.attn.add_q_proj.weight", "single_transformer_blocks.0.proj_mlp.weight"
)  # fmt: skip
"""Tensors that every transformer has in the original layout, and in diffusers'."""

REFERENCE = "reference_"
"""How the inputs are called that hold latents which the network refers to, before their number."""

SKIP = "skip"
"""The input that says which blocks are left out of a call, by the numbers of ``double`` and ``single`` ones."""

METHOD = "reference_method"
"""The input that says how their places are told apart, as ``_offsets`` has it."""

OUTER: Mapping[str, str] = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "time_in.in_layer": "time_text_embed.timestep_embedder.linear_1",
    "time_in.out_layer": "time_text_embed.timestep_embedder.linear_2",
    "vector_in.in_layer": "time_text_embed.text_embedder.linear_1",
    "vector_in.out_layer": "time_text_embed.text_embedder.linear_2",
    "guidance_in.in_layer": "time_text_embed.guidance_embedder.linear_1",
    "guidance_in.out_layer": "time_text_embed.guidance_embedder.linear_2",
    "final_layer.linear": "proj_out",
}
"""Modules outside the blocks: original -> diffusers."""

SWAPPED: Mapping[str, str] = {"final_layer.adaLN_modulation.1": "norm_out.linear"}
"""The module that gives shift and scale in one layout, scale and shift in the other."""

DOUBLE: Mapping[str, str] = {
    "img_mod.lin": "norm1.linear",
    "txt_mod.lin": "norm1_context.linear",
    "img_attn.proj": "attn.to_out.0",
    "txt_attn.proj": "attn.to_add_out",
    "img_attn.norm.query_norm": "attn.norm_q",
    "img_attn.norm.key_norm": "attn.norm_k",
    "txt_attn.norm.query_norm": "attn.norm_added_q",
    "txt_attn.norm.key_norm": "attn.norm_added_k",
    "img_mlp.0": "ff.net.0.proj",
    "img_mlp.2": "ff.net.2",
    "txt_mlp.0": "ff_context.net.0.proj",
    "txt_mlp.2": "ff_context.net.2",
}
"""Modules of a double block: original -> diffusers."""

SINGLE: Mapping[str, str] = {
    "modulation.lin": "norm.linear",
    "linear2": "proj_out",
    "norm.query_norm": "attn.norm_q",
    "norm.key_norm": "attn.norm_k",
}
"""Modules of a single block: original -> diffusers."""

FUSED: Mapping[str, Sequence[tuple[str, Cut]]] = {
    "img_attn.qkv": [(f"attn.to_{part}", Cut(place, 3)) for place, part in enumerate("qkv")],
    "txt_attn.qkv": [(f"attn.add_{part}_proj", Cut(place, 3)) for place, part in enumerate("qkv")],
    "linear1": [
        *((f"attn.to_{part}", Cut(place, 3 + MLP)) for place, part in enumerate("qkv")),
        ("proj_mlp", Cut(3, 3 + MLP, count=MLP)),
    ],
}
"""Modules of blocks that are one in the original layout and several in diffusers'."""

BLOCK = re.compile(r"(double|single)_blocks\.(\d+)\.(.+)")


def diffusers_names(names: Iterable[str]) -> tuple[dict[str, str], dict[str, Cut]]:
    """Return diffusers' name -> name in the file, and how tensors lie in those of the file.

    Names in diffusers' own layout stay as they are.
    """
    names = list(names)
    if DIFFUSERS[0] in names:
        return components.with_factors({name: name for name in names}), {}
    found: dict[str, str] = {}
    cuts: dict[str, Cut] = {}
    for name in names:
        module, _, leaf = name.rpartition(".")
        for new, cut in _modules(module):
            written = f"{new}.{'weight' if leaf == 'scale' else leaf}"
            found[written] = name
            if cut and leaf in ("weight", "bias"):
                cuts[written] = cut
    return components.with_factors(found), cuts


def _modules(original: str) -> Iterator[tuple[str, Cut | None]]:
    """Yield the modules of diffusers that one of the original layout is, each with the cut of its tensors."""
    if original in OUTER:
        yield OUTER[original], None
    elif original in SWAPPED:
        yield SWAPPED[original], Cut(is_swapped=True)
    elif block := BLOCK.fullmatch(original):
        kind, number, part = block.groups()
        is_double = kind == "double"
        prefix = f"{'' if is_double else 'single_'}transformer_blocks.{number}."
        for new, cut in FUSED.get(part, ()):
            yield prefix + new, cut
        if plain := (DOUBLE if is_double else SINGLE).get(part):
            yield prefix + plain, None


def config(shapes: Shapes) -> dict[str, Any]:
    """Return diffusers' config, read from shapes by diffusers' names."""
    width, taken = shapes["x_embedder.weight"]
    (head,) = shapes["transformer_blocks.0.attn.norm_q.weight"]
    time = head // 8  # of each head's numbers an eighth tells tokens of other pictures apart, the rest rows and columns
    return {
        "in_channels": taken,
        "out_channels": shapes["proj_out.weight"][0],
        "num_layers": len({name.split(".")[1] for name in shapes if name.startswith("transformer_blocks.")}),
        "num_single_layers": len({n.split(".")[1] for n in shapes if n.startswith("single_transformer_blocks.")}),
        "attention_head_dim": head,
        "num_attention_heads": width // head,
        "joint_attention_dim": shapes["context_embedder.weight"][1],
        "pooled_projection_dim": shapes["time_text_embed.text_embedder.linear_1.weight"][1],
        "guidance_embeds": "time_text_embed.guidance_embedder.linear_1.weight" in shapes,
        "axes_dims_rope": (time, (head - time) // 2, (head - time) // 2),
    }


def build(config: Mapping[str, Any]) -> "nn.Module":
    """Make the transformer; one that is told a guidance scale can do without it. diffusers is imported here."""
    from diffusers.models.embeddings import CombinedTimestepGuidanceTextProjEmbeddings as Embeddings
    from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel

    class Unguided(Embeddings):  # type: ignore[misc]
        def forward(self, timestep: "Tensor", *others: "Tensor") -> "Tensor":
            if len(others) > 1:
                told: Tensor = super().forward(timestep, *others)
                return told
            (pooled,) = others
            time: Tensor = self.timestep_embedder(self.time_proj(timestep).to(pooled.dtype))
            untold: Tensor = time + self.text_embedder(pooled)
            return untold

    module: nn.Module = FluxTransformer2DModel(**config)
    if config["guidance_embeds"]:
        module.time_text_embed.__class__ = Unguided
    return module


def call(module: "nn.Module", x: "Tensor", timestep: "Tensor", inputs: Mapping[str, Any]) -> "Tensor":
    """Call the transformer for latents (batch, channels, h, w) at noise levels ``timestep`` (batch,), 0 to 1.

    Sides that are odd are filled to whole patches from the other end. Latents that are referred to are tokens behind.
    """
    import torch

    tokens, places = _patched(x)
    count = tokens.shape[1]
    referred = [inputs[f"{REFERENCE}{n}"].to(x) for n in range(len(inputs)) if f"{REFERENCE}{n}" in inputs]
    for latent, offset in zip(referred, _offsets(x, referred, inputs.get(METHOD, "offset")), strict=True):
        more, beside = _patched(latent)
        tokens, places = torch.cat([tokens, more], 1), torch.cat([places, beside + offset.to(places)])
    context = inputs["context"].to(x.dtype)
    arguments = {
        "encoder_hidden_states": context,
        "pooled_projections": inputs["pooled"].to(x.dtype),
        "timestep": timestep,
        "img_ids": places,
        "txt_ids": torch.zeros(context.shape[1], 3, device=x.device),
        "guidance": inputs.get("guidance"),
    }
    with _without(_left_out(module, inputs)):
        out = module(tokens, **arguments, return_dict=False)[0]
    return _latents(out[:, :count], x.shape[-2:])


def _left_out(module: Any, inputs: Mapping[str, Any]) -> Sequence[tuple["nn.ModuleList", Sequence[int]]]:
    skip = inputs.get(SKIP)
    if skip is None:
        return ()
    return (module.transformer_blocks, skip.double), (module.single_transformer_blocks, skip.single)


@contextmanager
def _without(blocks: Sequence[tuple["nn.ModuleList", Sequence[int]]]) -> Iterator[None]:
    """Have blocks, given by their lists and numbers, hand on what they get. A number that is not there is no block."""
    left_out: list[Any] = [these[number] for these, numbers in blocks for number in numbers if number < len(these)]
    for block in left_out:
        block.forward = _handing_on
    try:
        yield
    finally:
        for block in left_out:
            del block.forward


def _handing_on(hidden_states: "Tensor", encoder_hidden_states: "Tensor", **others: Any) -> tuple["Tensor", "Tensor"]:
    return encoder_hidden_states, hidden_states


def _offsets(x: "Tensor", referred: Sequence["Tensor"], method: str) -> Iterator["Tensor"]:
    """Yield where each latent that is referred to begins: number, row, column.

    ``offset`` lays them out on one plane with the number 1, each below or beside those before it, whichever keeps the
    plane smaller; ``index`` puts each on a plane of its own; ``uxo/uno`` on that of x, along its diagonal.
    """
    import torch

    height, width = [_patches(side) for side in x.shape[-2:]] if method == "uxo/uno" else (0, 0)
    for number, latent in enumerate(referred, 1):
        rows, columns = (_patches(side) for side in latent.shape[-2:])
        match method:
            case "index":
                yield torch.tensor([number, 0, 0])
            case "offset":
                is_beside = rows + height > columns + width
                yield torch.tensor([1, 0, width] if is_beside else [1, height, 0])
                height = max(height, rows + (0 if is_beside else height))
                width = max(width, columns + (width if is_beside else 0))
            case _:
                yield torch.tensor([0, height, width])
                height, width = height + rows, width + columns


def _patches(side: int) -> int:
    return -(-side // PATCH)


def _patched(x: "Tensor") -> tuple["Tensor", "Tensor"]:
    """Return the patches of latents as tokens (batch, tokens, width), and the place of each: number, row, column."""
    import torch
    from torch.nn.functional import pad

    batch, channels, height, width = x.shape
    x = pad(x, (0, width % PATCH, 0, height % PATCH), mode="circular")
    rows, columns = x.shape[-2] // PATCH, x.shape[-1] // PATCH
    cut = x.view(batch, channels, rows, PATCH, columns, PATCH).permute(0, 2, 4, 1, 3, 5)
    places = torch.zeros(rows, columns, 3, device=x.device)
    places[..., 1] = torch.arange(rows, device=x.device)[:, None]
    places[..., 2] = torch.arange(columns, device=x.device)
    return cut.reshape(batch, rows * columns, channels * PATCH**2), places.view(-1, 3)


def _latents(tokens: "Tensor", size: Sequence[int]) -> "Tensor":
    """Return tokens as latents (batch, channels, *size)."""
    rows, columns = map(_patches, size)
    cut = tokens.view(len(tokens), rows, columns, -1, PATCH, PATCH).permute(0, 3, 1, 4, 2, 5)
    whole = cut.reshape(len(tokens), -1, rows * PATCH, columns * PATCH)
    return whole[..., : size[0], : size[1]]


def working(config: Mapping[str, Any], batch: int, cells: int, itemsize: int) -> int:
    """Return the bytes that the transformer takes at work, beside its weights."""
    width: int = config["attention_head_dim"] * config["num_attention_heads"]
    widest = width * width * (3 + MLP)
    return transformer_bytes(width, batch, cells // PATCH**2, itemsize) + widest * itemsize
