import pytest
import torch
from torch import Tensor

from engine.errors import InputError
from nodes.models.families import detect
from nodes.models.text import Text, TextModel
from nodes.models.tokenizer import Tokenizer
from nodes.models.weights import open_weights
from tests.nodes.models import tiny, tiny_xl

BEGIN, END = 598, 599
PADS = {"l": END, "g": 0}


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Text:
    made = tiny_xl.modules()
    path = tiny.write(tmp_path_factory.mktemp("xl") / "xl", tiny_xl.tensors(made), {})
    return Text(tuple(TextModel(encoder, made[encoder.name]) for encoder in detect(open_weights(path)).text))


def states(model: TextModel, prompt: str) -> list[Tensor]:
    """What the bare module says of a short prompt: all hidden states and, last, the last one after the norm."""
    ids = [BEGIN, *Tokenizer(600).ids(prompt), END]
    row = ids + [PADS[model.encoder.name]] * (77 - len(ids))
    out = model.module(torch.tensor([row]), output_hidden_states=True)
    return [*out.hidden_states, out.last_hidden_state]


def pooled(model: TextModel, prompt: str) -> Tensor:
    end = 1 + len(Tokenizer(600).ids(prompt))
    projected: Tensor = model.module.text_projection(states(model, prompt)[-1][:, end])  # type: ignore[operator]
    return projected


def test_both_encoders_give_their_last_but_one_state_without_a_norm(text: Text) -> None:
    encoded = text.encode("a cat")
    expected = torch.cat([states(model, "a cat")[-3] for model in text.models], dim=-1)
    assert encoded.context.shape == (1, 77, 64)
    assert torch.allclose(encoded.context, expected, atol=1e-6)


def test_clip_skip_moves_both(text: Text) -> None:
    expected = torch.cat([states(model, "a cat")[-4] for model in text.models], dim=-1)
    assert torch.allclose(text.encode("a cat", -3).context, expected, atol=1e-6)


@pytest.mark.parametrize(("prompt", "layer"), [("a cat", None), ("a cat", -1), ("(a cat:1.3)", None)])
def test_the_pooled_vector_knows_no_weights_and_no_layers(text: Text, prompt: str, layer: int | None) -> None:
    found = text.encode(prompt, layer).pooled
    assert found is not None and found.shape == (1, 32)
    assert torch.allclose(found, pooled(text.models[1], "a cat"), atol=1e-5)


def test_the_pooled_vector_is_that_of_the_first_chunk(text: Text) -> None:
    long, first = text.encode("q " * 200), text.encode("q " * 75)
    assert long.context.shape == (1, 77 * 3, 64)
    assert long.pooled is not None and first.pooled is not None
    assert torch.allclose(long.pooled, first.pooled, atol=1e-5)


def test_each_encoder_may_have_a_prompt_of_its_own(text: Text) -> None:
    cat, dog = text.encode("a cat"), text.encode("a dog")
    both = text.encode("unused", apart={"l": "a cat", "g": "a dog"})
    assert torch.allclose(both.context[..., :32], cat.context[..., :32], atol=1e-6)
    assert torch.allclose(both.context[..., 32:], dog.context[..., 32:], atol=1e-6)
    assert dog.pooled is not None and both.pooled is not None
    assert torch.allclose(both.pooled, dog.pooled, atol=1e-6)


def test_the_shorter_of_two_prompts_is_followed_by_empty_chunks(text: Text) -> None:
    both = text.encode("a cat", apart={"g": "q " * 100}).context
    empty = text.encode("").context
    assert both.shape == (1, 77 * 2, 64)
    assert torch.allclose(both[:, 77:, :32], empty[..., :32], atol=1e-6)


def test_a_prompt_for_an_encoder_that_is_not_there(text: Text) -> None:
    alone = Text(text.models[1:])
    with pytest.raises(InputError, match="not all the text encoders") as raised:
        alone.encode("a cat", apart={"l": "a dog"})
    assert raised.value.got == ["g"]


def test_an_embedding_has_a_table_for_each_encoder(text: Text) -> None:
    wide = TextModel(text.models[1].encoder, text.models[1].module)
    table = wide.module.embeddings.token_embedding.weight  # type: ignore[union-attr]
    rows = table[Tokenizer(600).ids("q")].clone()  # type: ignore[index]
    encoded = Text((wide,)).encode("embedding:q", embeddings={"q": (torch.zeros(3, 48), rows)})
    assert torch.allclose(encoded.context, Text((wide,)).encode("q").context, atol=1e-6)
