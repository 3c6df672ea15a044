from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.errors import InputError, ModelError
from nodes.models.families import detect
from nodes.models.text import Text, TextModel, embedding
from nodes.models.tokenizer import Tokenizer
from nodes.models.weights import open_weights
from tests.nodes.models import tiny

BEGIN, END = 598, 599


@pytest.fixture(scope="module")
def model(models: Path) -> TextModel:
    encoder = detect(open_weights(models / "checkpoints" / "tiny")).text[0]
    return TextModel(encoder, tiny.modules()[2])


@pytest.fixture(scope="module")
def text(model: TextModel) -> Text:
    return Text((model,))


def states(model: TextModel, *texts: str) -> list[Tensor]:
    """What the bare module says of short texts: all hidden states and, last, the last one after the norm."""
    ids = [[BEGIN, *Tokenizer(600).ids(text), END] for text in texts]
    out = model.module(torch.tensor([[*row, *[END] * (77 - len(row))] for row in ids]), output_hidden_states=True)
    return [*out.hidden_states, out.last_hidden_state]


def test_a_short_prompt_is_one_chunk(text: Text, model: TextModel) -> None:
    encoded = text.encode("a cat")
    assert encoded.pooled is None
    assert encoded.context.shape == (1, 77, 32)
    assert torch.allclose(encoded.context, states(model, "a cat")[-1], atol=1e-6)


def test_clip_skip_takes_an_earlier_layer_and_norms_it(text: Text, model: TextModel) -> None:
    norm = model.module.final_layer_norm
    assert torch.equal(text.encode("a cat", -1).context, text.encode("a cat").context)
    for layer in (-2, -3):
        expected = norm(states(model, "a cat")[:-1][layer])  # type: ignore[operator]
        assert torch.allclose(text.encode("a cat", layer).context, expected, atol=1e-6)


@pytest.mark.parametrize("final_norm", [True, False])
def test_a_layer_before_the_first_is_the_last_one_with_its_norm(model: TextModel, final_norm: bool) -> None:
    text = Text((TextModel(replace(model.encoder, final_norm=final_norm), model.module),))
    layers = len(model.module.encoder.layers)  # type: ignore[arg-type]
    for layer in (-layers - 1, -24):
        assert torch.allclose(text.encode("a cat", layer).context, states(model, "a cat")[-1], atol=1e-6)
    assert not torch.allclose(text.encode("a cat", -layers).context, states(model, "a cat")[-1], atol=1e-6)


def test_a_weight_moves_a_token_away_from_the_empty_prompt(text: Text, model: TextModel) -> None:
    plain, empty = states(model, "a cat", "")[-1]
    weighted = text.encode("a (cat:1.5)").context[0]
    cat = len(Tokenizer(600).ids("cat"))
    assert torch.allclose(weighted[:2], plain[:2], atol=1e-6)
    assert torch.allclose(weighted[2 : 2 + cat], ((plain - empty) * 1.5 + empty)[2 : 2 + cat], atol=1e-5)
    assert torch.allclose(weighted[2 + cat :], plain[2 + cat :], atol=1e-6)


def test_long_prompts_become_several_chunks(text: Text, model: TextModel) -> None:
    encoded = text.encode("q " * 800).context
    assert encoded.shape == (1, 77 * 11, 32)
    assert torch.allclose(encoded[:, :77], states(model, "q " * 75)[-1], atol=1e-6)
    assert torch.allclose(encoded[:, -77:], states(model, "q " * 50)[-1], atol=1e-6)


def test_weights_kept_in_fp16_are_computed_in_float32(model: TextModel, text: Text) -> None:
    half = Text((TextModel(model.encoder, tiny.modules()[2].half()),))
    rounded = Text((TextModel(model.encoder, tiny.modules()[2].half().float()),))
    encoded = half.encode("a (cat:1.2)").context
    assert encoded.dtype == torch.float32
    assert torch.equal(encoded, rounded.encode("a (cat:1.2)").context)
    assert not torch.equal(encoded, text.encode("a (cat:1.2)").context)


def test_an_embedding_stands_for_its_vectors(text: Text, model: TextModel) -> None:
    table = model.module.embeddings.token_embedding.weight  # type: ignore[union-attr]
    vectors = table[Tokenizer(600).ids("q w")].clone()  # type: ignore[index]
    encoded = text.encode("embedding:qw, q", embeddings={"qw": (vectors,), "other": (vectors,)}).context
    assert torch.allclose(encoded, text.encode("q w , q").context, atol=1e-6)
    assert torch.equal(table, model.module.embeddings.token_embedding.weight)  # type: ignore[union-attr,arg-type]


def test_embeddings_that_are_missing_or_do_not_fit(text: Text) -> None:
    with pytest.raises(InputError, match="an embedding that is not there") as raised:
        text.encode("embedding:cat", embeddings={"dog": (torch.zeros(1, 32),)})
    assert (raised.value.got, raised.value.expected) == ("cat", ["dog"])
    with pytest.raises(InputError, match="does not fit"):
        text.encode("embedding:dog", embeddings={"dog": (torch.zeros(1, 48),)})


def test_embedding_files_of_three_kinds(tmp_path: Path) -> None:
    table = torch.arange(8.0).reshape(2, 4)
    save_file({"emb_params": table.half()}, tmp_path / "a")
    torch.save({"string_to_token": {"*": torch.tensor(265)}, "string_to_param": {"*": table}}, tmp_path / "b.pt")
    torch.save({"<cat>": table[0].clone()}, tmp_path / "c.bin")
    for name, expected in (("a", table), ("b.pt", table), ("c.bin", table[:1])):
        (found,) = embedding(open_weights(tmp_path / name))
        assert torch.equal(found, expected)


def test_an_embedding_file_for_two_encoders(tmp_path: Path) -> None:
    save_file({"clip_g": torch.zeros(2, 6), "clip_l": torch.ones(2, 4)}, tmp_path / "xl")
    assert sorted(table.shape for table in embedding(open_weights(tmp_path / "xl"))) == [(2, 4), (2, 6)]
    outputs = {"clip_g_out": torch.zeros(2, 6), "clip_l_out": torch.zeros(2, 4)}
    save_file({"clip_g": torch.zeros(2, 6), "clip_l": torch.ones(2, 4), **outputs}, tmp_path / "more")
    assert [table.mean() for table in embedding(open_weights(tmp_path / "more"))] == [1, 0]
    save_file({"clip_g": torch.zeros(2, 6), "other": torch.ones(2, 4)}, tmp_path / "no")
    with pytest.raises(ModelError, match="not a textual inversion"):
        embedding(open_weights(tmp_path / "no"))


def test_another_file_is_no_embedding(models: Path) -> None:
    with pytest.raises(ModelError, match="not a textual inversion") as raised:
        embedding(open_weights(models / "loras" / "lora"))
    assert raised.value.got == "looks like a LoRA"
