"""T5 as a text encoder: a prompt is one chunk, of any length, and every token counts, also those that only fill."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from engine.errors import InputError
from nodes.models import prompt as prompts
from nodes.models import t5_tokenizer
from nodes.models.families import t5
from nodes.models.families.checkpoint import TextEncoder
from nodes.models.prompt import Chunk, Groups, Token
from nodes.models.text import Embeddings, TextModel
from nodes.recipes import Padding


@dataclass(frozen=True, slots=True, eq=False)
class T5Model(TextModel):
    """T5's encoder. Without ``padding`` it fills a prompt as the family wants it."""

    padding: Padding | None = None

    def groups(self, prompt: str, embeddings: Embeddings) -> Groups:
        """Return the groups of tokens of a prompt, in order.

        Raises InputError where it asks for an embedding: there are none for T5.
        """

        def rows(written: str) -> tuple[str, int]:
            raise InputError(
                "The prompt asks for an embedding, and there are none for T5.",
                got=written,
                hint="Leave it out, or give T5 a prompt of its own.",
            )

        return prompts.groups(prompts.parse(prompt), t5_tokenizer.ids, rows)

    def laid(self, groups: Groups) -> list[Chunk]:
        """Lay groups of tokens into one chunk: tokens, end, padding."""
        tokens = [token for group in groups for token in group]
        padding = self.padding or Padding(0, self.encoder.length)
        count = max(padding.tokens, padding.length - len(tokens) - 1)
        return [(*tokens, Token(t5_tokenizer.END), *[Token(self.encoder.pad)] * count)]

    def empty(self, chunks: Sequence[Chunk]) -> Chunk:
        """Return the chunk of an empty prompt, as long as that of a prompt."""
        return Token(t5_tokenizer.END), *[Token(self.encoder.pad)] * (len(chunks[0]) - 1)

    def lengthened(self, chunks: Sequence[Chunk], count: int) -> list[Chunk]:
        """Return the chunk as it is: T5 has one."""
        return [*chunks]

    def _hidden(
        self, chunks: Sequence[Chunk], layer: int | None, embeddings: Embeddings
    ) -> tuple[Tensor, Tensor | None]:
        """Return the last hidden state (chunks, tokens, width), whichever layer is asked for. Nothing is pooled."""
        device = next(self.module.parameters()).device
        ids = torch.tensor([[token.id for token in chunk] for chunk in chunks], device=device)
        return self.module(input_ids=ids).last_hidden_state.cpu(), None


def text_model(encoder: TextEncoder, module: nn.Module) -> TextModel:
    """Return a text encoder with the tokenizer that belongs to it."""
    return (T5Model if encoder.name == t5.NAME else TextModel)(encoder, module)


def padded(model: TextModel, padding: Padding | None) -> TextModel:
    """Return a text encoder that fills prompts in a way of its own, where it is T5."""
    return replace(model, padding=padding) if isinstance(model, T5Model) else model
