from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.errors import InputError
from nodes.models import t5_tokenizer
from nodes.models.families import detect
from nodes.models.families.checkpoint import TextEncoder
from nodes.models.t5 import T5Model, text_model
from nodes.models.weights import open_weights
from nodes.recipes import Padding
from tests.nodes.models import tiny, tiny_t5


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    path = tiny.write(tmp_path_factory.mktemp("t5") / "t5", tiny_t5.encoder(), {})
    return detect(open_weights(path)).text[0]


@pytest.fixture(scope="module")
def model(encoder: TextEncoder) -> T5Model:
    found = text_model(encoder, tiny_t5.reference())
    assert isinstance(found, T5Model)
    return replace(found, encoder=replace(encoder, length=12))


def states(ids: list[int]) -> Tensor:
    with torch.no_grad():
        found: Tensor = tiny_t5.reference()(torch.tensor([ids])).last_hidden_state
    return found


def test_a_prompt_is_filled_and_every_token_is_read(model: T5Model) -> None:
    context, pooled = model.encode(model.chunks("a cat", {}), None, {})
    ids = [*t5_tokenizer.ids("a cat"), t5_tokenizer.END]
    torch.testing.assert_close(context, states(ids + [0] * (12 - len(ids))))
    assert pooled is None


def test_a_long_prompt_stays_one_chunk(model: T5Model) -> None:
    chunks = model.chunks("a cat " * 200, {})
    assert len(chunks) == 1 and len(chunks[0]) == 601
    assert model.lengthened(chunks, 4) == chunks


def test_a_weight_moves_a_token_away_from_the_empty_prompt(model: T5Model) -> None:
    context, _ = model.encode(model.chunks("(cat:1.5)", {}), None, {})
    ids = [*t5_tokenizer.ids("cat"), t5_tokenizer.END]
    plain, empty = states(ids + [0] * (12 - len(ids))), states([t5_tokenizer.END] + [0] * 11)
    count = len(ids) - 1
    torch.testing.assert_close(context[:, :count], ((plain - empty) * 1.5 + empty)[:, :count])
    torch.testing.assert_close(context[:, count:], plain[:, count:])


def test_parts_under_weights_of_their_own_are_cut_on_their_own(model: T5Model) -> None:
    (chunk,) = model.chunks("big(cat:2)s", {})
    expected = [*t5_tokenizer.ids("big"), *t5_tokenizer.ids("cat"), *t5_tokenizer.ids("s"), t5_tokenizer.END]
    assert [token.id for token in chunk][: len(expected)] == expected


@pytest.mark.parametrize(("padding", "length"), [((0, 0), 2), ((5, 0), 7), ((0, 9), 9), ((3, 9), 9), ((20, 9), 22)])
def test_the_padding_may_be_chosen(model: T5Model, padding: tuple[int, int], length: int) -> None:
    assert t5_tokenizer.ids("the") and len(t5_tokenizer.ids("the")) == 1
    assert len(replace(model, padding=Padding(*padding)).chunks("the", {})[0]) == length


def test_there_are_no_embeddings(model: T5Model) -> None:
    with pytest.raises(InputError, match="there are none for T5"):
        list(model.chunks("a embedding:style", {"style": [torch.zeros(1, 32)]}))
