"""Prompts to context: what a diffusion network attends to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from engine.errors import InputError, ModelError
from nodes.models import prompt as prompts
from nodes.models.families.checkpoint import TextEncoder
from nodes.models.families.clip_text import TOKENS
from nodes.models.prompt import Chunk, Groups
from nodes.models.tokenizer import Tokenizer
from nodes.models.weights import Weights

BATCH = 8
"""How many chunks are encoded at once."""

Embeddings = Mapping[str, Tensor]
"""The vectors (rows, width) of each textual inversion, by the name that a prompt writes."""


class Encoded(NamedTuple):
    """``context`` (1, 77 n, width), float32, on the CPU; ``pooled`` (1, width) where the family has it."""

    context: Tensor
    pooled: Tensor | None


@dataclass(frozen=True, slots=True)
class Text:
    """The text encoders of a checkpoint, in the order in which their contexts are joined along the width."""

    models: tuple["TextModel", ...]

    @torch.no_grad()
    def encode(self, prompt: str, layer: int | None = None, embeddings: Embeddings | None = None) -> Encoded:
        """Encode a prompt with its weights. ``layer`` -n takes the n-th last hidden state.

        Raises InputError for a prompt that is too long, a layer that is not there, an embedding that is not in
        ``embeddings`` or does not fit.
        """
        contexts = [model.encode(prompt, layer, embeddings or {}) for model in self.models]
        shortest = min(context.shape[1] for context in contexts)
        return Encoded(torch.cat([context[:, :shortest] for context in contexts], dim=-1), None)


@dataclass(frozen=True, slots=True)
class TextModel:
    """One text encoder with its tokenizer."""

    encoder: TextEncoder
    module: nn.Module

    def encode(self, prompt: str, layer: int | None, embeddings: Embeddings) -> Tensor:
        """Return the context (1, length * chunks, width), float32, on the CPU."""
        chunks = self._chunks(prompt, embeddings)
        weights = torch.tensor([[token.weight for token in chunk] for chunk in chunks])
        is_weighted = bool((weights != 1).any())
        z = self._hidden([*chunks, *self._laid([])] if is_weighted else chunks, layer, embeddings)
        if is_weighted:
            z, empty = z[:-1], z[-1:]
            w = weights[:, :, None]
            z = torch.where(w == 1, z, (z - empty) * w + empty)
        return z.reshape(1, -1, z.shape[-1])

    def _chunks(self, prompt: str, embeddings: Embeddings) -> list[Chunk]:
        tokenizer = Tokenizer(self.encoder.vocabulary)
        groups = prompts.groups(prompts.parse(prompt), tokenizer.ids, lambda name: _rows(name, embeddings))
        return self._laid(groups)

    def _laid(self, groups: Groups) -> list[Chunk]:
        tokenizer = Tokenizer(self.encoder.vocabulary)
        return prompts.chunks(groups, tokenizer.begin, tokenizer.end, self.encoder.pad, self.encoder.length)

    def _hidden(self, chunks: Sequence[Chunk], layer: int | None, embeddings: Embeddings) -> Tensor:
        """Return the hidden states (chunks, length, width) of the asked layer."""
        names = sorted({token.embedding for chunk in chunks for token in chunk if token.embedding})
        vectors = [embeddings[name] for name in names]
        parameters = {name: weight.float() for name, weight in self.module.named_parameters()}
        parameters[TOKENS] = self._table(parameters[TOKENS], names, vectors)
        firsts = accumulate((len(rows) for rows in vectors), initial=self.encoder.vocabulary)
        first = dict(zip(names, firsts, strict=False))
        ids = torch.tensor([[first[t.embedding] + t.row if t.embedding else t.id for t in chunk] for chunk in chunks])
        parts = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
        return torch.cat([self._forward(part, layer or self.encoder.layer, parameters) for part in parts])

    def _table(self, tokens: Tensor, names: Sequence[str], vectors: Sequence[Tensor]) -> Tensor:
        """Return the table of token vectors with the rows of embeddings below it."""
        for name, rows in zip(names, vectors, strict=True):
            if rows.shape[1] != self.encoder.width:
                raise InputError(
                    f"the embedding {name} does not fit this text encoder",
                    got=f"vectors of width {rows.shape[1]}",
                    expected=f"width {self.encoder.width}",
                )
        return torch.cat([tokens, *(rows.to(tokens) for rows in vectors)]) if vectors else tokens

    def _forward(self, ids: Tensor, layer: int, parameters: Mapping[str, Tensor]) -> Tensor:
        """Run the module in float32: weights that are kept in fp16 come widened in ``parameters``."""
        device = parameters[TOKENS].device
        inputs = {
            "input_ids": ids.to(device),
            "position_ids": torch.arange(ids.shape[1], device=device)[None],
            "output_hidden_states": True,
        }
        states = functional_call(self.module, dict(parameters), (), inputs).hidden_states
        if not -len(states) <= layer <= -1:
            raise InputError("the text encoder has no such layer", got=layer, expected=f"-{len(states)} to -1")
        hidden: Tensor = states[layer]
        if self.encoder.final_norm:
            weight, bias = parameters["final_layer_norm.weight"], parameters["final_layer_norm.bias"]
            hidden = nn.functional.layer_norm(hidden, (self.encoder.width,), weight, bias, eps=1e-5)
        return hidden.cpu()


def _rows(written: str, embeddings: Embeddings) -> tuple[str, int]:
    """Return the name of an embedding, without the commas that follow it if need be, and its rows."""
    for name in (written, written.rstrip(",")):
        if name in embeddings:
            return name, len(embeddings[name])
    raise InputError("the prompt asks for an embedding that is not there", got=written, expected=[*embeddings])


def embedding(weights: Weights) -> Tensor:
    """Return the vectors (rows, width) of a textual inversion file. Raises ModelError where it is something else."""
    found = [name for name, info in weights.infos.items() if len(info.shape) in (1, 2)]
    named = [name for name in found if name == "emb_params" or name.startswith("string_to_param.")] or found
    if len(named) != 1:
        raise ModelError(
            f"{weights.path.name} is not a textual inversion embedding",
            got=f"{len(weights.infos)} tensors",
            expected="one table of vectors",
        )
    vectors = weights.tensor(named[0]).float()
    return vectors if vectors.ndim == 2 else vectors[None]
