"""Encode a prompt with the text encoders of a recipe and the embeddings in the models folder."""

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from engine.context import Context
from nodes.models.families.checkpoint import Encoded
from nodes.models.files import tell_unused
from nodes.models.ladder import Ladder, freed
from nodes.models.prompt import Chunk
from nodes.models.service import pool
from nodes.models.text import Embeddings, embedding_names
from nodes.recipes import Clip, FileRef
from nodes.weight_hooks import hooked_clips


class FolderEmbeddings(Mapping[str, Sequence[Tensor]]):
    """The textual inversions in the models folder, by the name that a prompt writes (with or without suffix).

    Commas behind a name are not part of it, unless a file has them: they are text.
    """

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self._told: set[str] = set()

    def __getitem__(self, name: str) -> Sequence[Tensor]:
        found = self.ctx.folders.named("embeddings", name)
        if found is None or not found.startswith(name):
            raise KeyError(name)
        file, models = FileRef("embeddings", self.ctx.fingerprint("embeddings", found)), self.ctx.use(pool)
        if found not in self._told:
            self._told.add(found)
            weights = models.weights(file)
            used = embedding_names(weights)
            unused = [key for key in weights.infos if key not in used and not key.startswith("string_to_token.")]
            tell_unused(self.ctx, found, unused, "an embedding")
        return models.embedding(file)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ctx.folders.names("embeddings"))

    def __len__(self) -> int:
        return len(self.ctx.folders.names("embeddings"))


def encode(ctx: Context, text: str, clip: Clip, apart: Mapping[str, str | None] | None = None) -> Encoded:
    """Return the context of a prompt, (1, tokens, width), and its pooled vector where the family has one.

    ``apart`` has another prompt for some of the encoders, by their names; None leaves one out. Hooks on the encoders
    count as at the start.

    Raises:
        InputError: the prompt is too long, or a layer, encoder or embedding is not there.
    """
    models = ctx.use(pool)
    with models.residents.together():
        return Ladder(freed(models.residents), ctx.warn).climb(
            lambda: models.text(hooked_clips(clip)[0][0]).encode(text, clip.layer, FolderEmbeddings(ctx), apart)
        )


def encode_chunks(ctx: Context, chunks: Mapping[str, Sequence[Chunk]], clip: Clip, embeddings: Embeddings) -> Encoded:
    """Return the context of chunks of tokens for each encoder, by its name, and a pooled vector of every family.

    Raises:
        InputError: a layer or an encoder is not there, or an embedding does not fit.
    """
    models = ctx.use(pool)
    with models.residents.together():
        return Ladder(freed(models.residents), ctx.warn).climb(
            lambda: models.text(hooked_clips(clip)[0][0]).encode_chunks(chunks, clip.layer, embeddings, pools=True)
        )


def summary(ctx: Context, text: str, clip: Clip) -> Tensor:
    """Return one vector (1, width) for a prompt: the last hidden state of the first encoder where the prompt ends.

    Raises:
        InputError: the prompt is too long, or an embedding is not there.
    """
    models = ctx.use(pool)
    with models.residents.together():
        return Ladder(freed(models.residents), ctx.warn).climb(
            lambda: models.text(hooked_clips(clip)[0][0]).summary(text, FolderEmbeddings(ctx))
        )
