"""Prompts to context: what a diffusion network attends to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.func import functional_call

from engine.errors import InputError, ModelError
from nodes.models import prompt as prompts
from nodes.models.families.checkpoint import Encoded, TextEncoder, TextFamily
from nodes.models.families.clip_text import PROJECTION, TOKENS
from nodes.models.families.components import side_by_side
from nodes.models.families.kinds import looks_like
from nodes.models.prompt import Chunk, Groups
from nodes.models.tokenizer import Tokenizer
from nodes.models.weights import Weights

BATCH = 8
"""How many chunks are encoded at once."""

Embeddings = Mapping[str, Sequence[Tensor]]
"""The tables (rows, width) of each textual inversion, one for each encoder that it is for, by the name that a prompt
writes. An encoder takes the table of its width."""


@dataclass(frozen=True, slots=True)
class Text:
    """The text encoders of a checkpoint. Without a ``family`` their contexts are joined side by side, in order."""

    models: tuple["TextModel", ...]
    family: TextFamily | None = None

    @torch.no_grad()
    def encode(
        self,
        prompt: str,
        layer: int | None = None,
        embeddings: Embeddings | None = None,
        apart: Mapping[str, str | None] | None = None,
    ) -> Encoded:
        """Encode a prompt with its weights. ``layer`` -n takes the n-th last hidden state.

        ``apart`` has another prompt for some encoders, by their names; a shorter one is followed by empty chunks, and
        None leaves an encoder out.
        Raises InputError for a prompt that is too long, a layer or an encoder that is not there, an embedding that is
        not in ``embeddings`` or does not fit.
        """
        names, apart = [model.encoder.name for model in self.models], apart or {}
        is_partial = self.family is not None and self.family.is_partial
        if not is_partial and not apart.keys() <= {*names}:
            raise InputError(
                "The model has not all the text encoders that there are prompts for.",
                got=names,
                expected=[*apart],
                hint="Several prompts are for models with several text encoders.",
            )
        texts = {model: apart.get(model.encoder.name, prompt) for model in self.models}
        chunked = {model: model.chunks(text, embeddings or {}) for model, text in texts.items() if text is not None}
        most = max(map(len, chunked.values()), default=0) if apart else 0
        return self._joined(
            {model: model.lengthened(own, most) for model, own in chunked.items()}, layer, embeddings or {}
        )

    @torch.no_grad()
    def encode_chunks(
        self,
        chunks: Mapping[str, Sequence[Chunk]],
        layer: int | None = None,
        embeddings: Embeddings | None = None,
        pools: bool = False,
    ) -> Encoded:
        """Encode chunks of tokens for each encoder, by its name. With ``pools`` there is always a pooled vector.

        Raises InputError for an encoder that is not there, and for an embedding that does not fit.
        """
        missing = [model.encoder.name for model in self.models if not chunks.get(model.encoder.name)]
        if missing:
            raise InputError("There are no tokens for a text encoder of the model.", got=[*chunks], expected=missing)
        first, *others = self.models
        if pools and not any(model.encoder.pools for model in self.models):
            first = replace(first, encoder=replace(first.encoder, pools=True))
        return self._joined({each: chunks[each.encoder.name] for each in (first, *others)}, layer, embeddings or {})

    def _joined(
        self, chunks: Mapping["TextModel", Sequence[Chunk]], layer: int | None, embeddings: Embeddings
    ) -> Encoded:
        outputs = {model.encoder.name: model.encode(own, layer, embeddings) for model, own in chunks.items()}
        return self.family.joined(outputs) if self.family else side_by_side(outputs)

    @torch.no_grad()
    def summary(self, prompt: str, embeddings: Embeddings | None = None) -> Tensor:
        """Return the last hidden state (1, width) of the first encoder at the end of a prompt, without its weights."""
        first = self.models[0]
        pooling = replace(first, encoder=replace(first.encoder, pools=True))
        chunk = tuple(replace(token, weight=1.0) for token in first.chunks(prompt, embeddings or {})[0])
        pooled = pooling.encode([chunk], None, embeddings or {}).pooled
        assert pooled is not None
        return pooled


@dataclass(frozen=True, slots=True, eq=False)
class TextModel:
    """One text encoder with its tokenizer."""

    encoder: TextEncoder
    module: nn.Module

    def encode(self, chunks: Sequence[Chunk], layer: int | None, embeddings: Embeddings) -> Encoded:
        """Return the context (1, length * chunks, width) and, of an encoder that pools, what it makes of the first."""
        weights = torch.tensor([[token.weight for token in chunk] for chunk in chunks])
        is_weighted = bool((weights != 1).any())
        z, pooled = self._hidden([*chunks, self.empty(chunks)] if is_weighted else chunks, layer, embeddings)
        if is_weighted:
            z, empty = z[:-1], z[-1:]
            w = weights[:, :, None]
            z = torch.where(w == 1, z, (z - empty) * w + empty)
        return Encoded(z.reshape(1, -1, z.shape[-1]), pooled)

    def chunks(self, prompt: str, embeddings: Embeddings) -> list[Chunk]:
        """Return the chunks of tokens that a prompt fills."""
        return self.laid(self.groups(prompt, embeddings))

    def groups(self, prompt: str, embeddings: Embeddings) -> Groups:
        """Return the groups of tokens of a prompt, in order."""
        tokenizer = Tokenizer(self.encoder.vocabulary)

        def rows(written: str) -> tuple[str, int]:
            name = _name(written, embeddings)
            return name, len(self.vectors(name, embeddings))

        return prompts.groups(prompts.parse(prompt), tokenizer.ids, rows)

    def empty(self, chunks: Sequence[Chunk]) -> Chunk:
        """Return the chunk of an empty prompt, as long as those of a prompt that has some."""
        return self.laid([])[0]

    def lengthened(self, chunks: Sequence[Chunk], count: int) -> list[Chunk]:
        """Return chunks with empty ones behind them, ``count`` in all."""
        return [*chunks, *self.laid([]) * (count - len(chunks))]

    def laid(self, groups: Groups) -> list[Chunk]:
        """Lay groups of tokens into chunks; without any there is one empty chunk."""
        tokenizer = Tokenizer(self.encoder.vocabulary)
        return prompts.chunks(groups, tokenizer.begin, tokenizer.end, self.encoder.pad, self.encoder.length)

    def vectors(self, name: str, embeddings: Embeddings) -> Tensor:
        """Return the table of an embedding that is made for this encoder."""
        tables = {table.shape[1]: table for table in embeddings[name]}
        if self.encoder.width not in tables:
            raise InputError(
                f"the embedding {name} does not fit this text encoder",
                got=f"vectors of width {', '.join(map(str, tables))}",
                expected=f"width {self.encoder.width}",
            )
        return tables[self.encoder.width]

    def _hidden(
        self, chunks: Sequence[Chunk], layer: int | None, embeddings: Embeddings
    ) -> tuple[Tensor, Tensor | None]:
        """Return the hidden states (chunks, length, width) of the asked layer, and the first chunk's pooled vector."""
        names = sorted({token.embedding for chunk in chunks for token in chunk if token.embedding})
        vectors = [self.vectors(name, embeddings) for name in names]
        parameters = {name: weight.float() for name, weight in self.module.named_parameters()}
        tokens = parameters[TOKENS]
        parameters[TOKENS] = torch.cat([tokens, *(rows.to(tokens) for rows in vectors)]) if vectors else tokens
        firsts = accumulate((len(rows) for rows in vectors), initial=self.encoder.vocabulary)
        first = dict(zip(names, firsts, strict=False))
        ids = torch.tensor([[first[t.embedding] + t.row if t.embedding else t.id for t in chunk] for chunk in chunks])
        parts = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
        found = [self._forward(part, layer or self.encoder.layer, parameters) for part in parts]
        return torch.cat([hidden for hidden, _ in found]), found[0][1]

    def _forward(self, ids: Tensor, layer: int, parameters: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        """Run the module in float32: weights that are kept in fp16 come widened in ``parameters``.

        A layer before the first means the last, after its norm, as files with a clip skip for a deeper encoder have it.
        """
        device = parameters[TOKENS].device
        inputs = {
            "input_ids": ids.to(device),
            "position_ids": torch.arange(ids.shape[1], device=device)[None],
            "output_hidden_states": True,
        }
        out = functional_call(self.module, dict(parameters), (), inputs)
        is_layer = -layer < len(out.hidden_states)
        hidden: Tensor = out.hidden_states[layer] if is_layer else out.last_hidden_state
        if is_layer and self.encoder.final_norm:
            weight, bias = parameters["final_layer_norm.weight"], parameters["final_layer_norm.bias"]
            hidden = nn.functional.layer_norm(hidden, (self.encoder.width,), weight, bias, eps=1e-5)
        return hidden.cpu(), self._pooled(ids[0], out.last_hidden_state[0], parameters)

    def _pooled(self, ids: Tensor, states: Tensor, parameters: Mapping[str, Tensor]) -> Tensor | None:
        """Return the projected state (1, width) at the first end of a chunk, which no weight or layer changes."""
        if not self.encoder.pools:
            return None
        end = int((ids == Tokenizer(self.encoder.vocabulary).end).int().argmax())
        pooled = states[end : end + 1]
        projection = parameters.get(PROJECTION)
        return (pooled if projection is None else pooled @ projection.T).cpu()


def _name(written: str, embeddings: Embeddings) -> str:
    """Return the name of an embedding, without the commas that follow it if need be."""
    for name in (written, written.rstrip(",")):
        if name in embeddings:
            return name
    raise InputError("the prompt asks for an embedding that is not there", got=written, expected=[*embeddings])


def embedding(weights: Weights) -> tuple[Tensor, ...]:
    """Return the tables (rows, width) of a textual inversion file, one for each encoder that it is for.

    Raises ModelError where the file is something else.
    """
    tables = [weights.tensor(name).float() for name in embedding_names(weights)]
    return tuple(table if table.ndim == 2 else table[None] for table in tables)


PAIR = ("clip_l", "clip_g")
"""What the tables are called in files for SDXL's two encoders, with or without others beside them."""


def embedding_names(weights: Weights) -> list[str]:
    """Return the tensors of a textual inversion file that are its tables. Reads its header only.

    Raises ModelError where the file is something else.
    """
    found = [name for name, info in weights.infos.items() if len(info.shape) in (1, 2)]
    named = [name for name in found if name == "emb_params" or name.startswith("string_to_param.")]
    named = named or ([*PAIR] if {*PAIR} <= {*found} else found)
    if len(named) != 1 and {*named} != {*PAIR}:
        raise ModelError(
            f"{weights.path.name} is not a textual inversion embedding that is known",
            got=looks_like(weights),
            expected="one table of vectors, or two named clip_l and clip_g",
            hint="choose another file, or the node that loads this kind",
        )
    return named
