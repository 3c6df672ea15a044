"""CLIP: text encoders, and the tokens that foreign code takes apart and puts together."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.errors import InputError
from engine.types import Tensor
from nodes.lazy import lazy
from nodes.packs.objects.base_model import pool
from nodes.packs.objects.members import Members, context, no_member
from nodes.packs.objects.pixels import plain
from nodes.recipes import Clip
from nodes.weight_hooks import hooked_clips

if TYPE_CHECKING:
    import torch

    from nodes.models import encode, prompt
    from nodes.models.text import TextModel
    from nodes.packs.objects import weights
else:
    torch = lazy("torch")
    encode = lazy("nodes.models.encode")
    prompt = lazy("nodes.models.prompt")
    weights = lazy("nodes.packs.objects.weights")

Tokens = dict[str, list[list[tuple[Any, ...]]]]
"""By the name of the encoder chunks of (token, weight) or (token, weight, word). A token is an id, or a vector (width,)
of a textual inversion; a word is a number from 1, and 0 is no word."""


class CLIP(Members):
    """The text encoders of a recipe."""

    kind = "CLIP"

    def __init__(self, recipe: Clip) -> None:
        self.recipe = recipe

    def __getattr__(self, name: str) -> Any:
        if name == "cond_stage_model":
            raise no_member(self.kind, name, "Encode with tokenize and encode_from_tokens; modules belong to the pool.")
        return self._refuse(name)

    def clone(self, **more: Any) -> "CLIP":
        return CLIP(self.recipe)

    @property
    def layer_idx(self) -> int | None:
        return self.recipe.layer

    def clip_layer(self, layer_idx: int) -> None:
        """Take an earlier hidden state; -1 is the last."""
        self.recipe = replace(self.recipe, layer=int(layer_idx))

    def add_patches(self, patches: Mapping[Any, Any], strength_patch: float = 1.0, strength_model: float = 1.0) -> Any:
        """Lay changes over weights, as ``weights.added`` says. Return the keys of those that the encoders have."""
        self.recipe, keys = weights.added(pool(), self.recipe, patches, strength_patch, strength_model)
        return keys

    def get_key_patches(self) -> dict[str, Any]:
        """Return what stands for each weight, for ``add_patches`` of another one."""
        return weights.stand_ins(pool(), self.recipe)

    def model_state_dict(self, filter_prefix: str | None = None) -> dict[str, Tensor]:
        """Return copies of weights as they are in their files."""
        return weights.copies(pool(), self.recipe, filter_prefix or "")

    @property
    def patcher(self) -> "CLIP":
        """Return this: weights are patched here, too."""
        return self

    @property
    def load_device(self) -> Any:
        return pool().device

    def tokenize(self, text: str, return_word_ids: bool = False, **more: Any) -> Tokens:
        """Return the tokens of a prompt with their weights."""
        models, named = pool(), encode.FolderEmbeddings(context())
        with models.residents.together():
            return {
                model.encoder.name: _chunks(model, str(text), named, return_word_ids)
                for model in models.text(self.recipe).models
            }

    def encode_from_tokens(self, tokens: Tokens, return_pooled: Any = False, return_dict: bool = False) -> Any:
        """Return the context (1, tokens, width), or with the pooled vector as a pair or a dict."""
        vectors: dict[str, list[Tensor]] = {}
        chunks = {name: [_chunk(each, name, vectors) for each in given] for name, given in tokens.items()}
        tables = {name: [torch.stack([plain(row) for row in rows])] for name, rows in vectors.items()}
        cond, pooled = encode.encode_chunks(context(), chunks, self.recipe, tables)
        if return_dict:
            return {"cond": cond, "pooled_output": pooled}
        return (cond, pooled) if return_pooled else cond

    def encode_from_tokens_scheduled(
        self, tokens: Tokens, unprojected: bool = False, add_dict: Mapping[str, Any] | None = None, **more: Any
    ) -> list[Any]:
        """Return a conditioning of one prompt, with ``add_dict`` in its options, for each part that hooks differ in."""
        found = []
        for clip, options in hooked_clips(self.recipe):
            cond, pooled = CLIP(clip).encode_from_tokens(tokens, return_pooled=True)
            found.append([cond, {"pooled_output": pooled, **(add_dict or {}), **options}])
        return found

    def encode(self, text: str) -> Tensor:
        """Return the context of a prompt."""
        found: Tensor = self.encode_from_tokens(self.tokenize(text))
        return found


def _chunks(model: "TextModel", text: str, named: Any, has_words: bool) -> list[list[tuple[Any, ...]]]:
    groups = [[*group] for group in model.groups(text, named)]
    words = {id(token): number for number, group in enumerate(groups, 1) for token in group}
    return [
        [
            (
                model.vectors(token.embedding, named)[token.row] if token.embedding else token.id,
                token.weight,
                *((words.get(id(token), 0),) if has_words else ()),
            )
            for token in chunk
        ]
        for chunk in model.laid(groups)
    ]


def _chunk(given: Sequence[Sequence[Any]], encoder: str, vectors: dict[str, list[Tensor]]) -> tuple[Any, ...]:
    """Return a chunk of our tokens; vectors among the given ones are put under the encoder's name."""
    found = []
    for token, weight, *_ in given:
        if torch.is_tensor(token):
            rows = vectors.setdefault(encoder, [])
            found.append(prompt.Token(0, float(weight), encoder, len(rows)))
            rows.append(token)
        elif isinstance(token, dict):
            raise InputError("Tokens that are pictures are not supported yet.", got=[*token], expected="ids")
        else:
            found.append(prompt.Token(int(token), float(weight)))
    return tuple(found)
