import torch

from nodes.models import families
from nodes.models.families import clip_text, open_clip, sd2
from nodes.models.weights import open_weights
from nodes.recipes import Cond
from tests.nodes.models import tiny, tiny_sd2


def detected(tmp_path, content, metadata=None):
    return families.detect(open_weights(tiny.write(tmp_path / "it", content, metadata or {})))


def test_a_checkpoint(tmp_path):
    found = detected(tmp_path, tiny_sd2.tensors())
    assert (found.family, found.prediction, found.latent.space) == ("sd2", "eps", "sd1")
    assert found.unet.config["use_linear_projection"] and found.unet.config["attention_head_dim"] == (1, 1)
    (text,) = found.text
    assert (text.name, text.layer, text.final_norm, text.pad, text.network.config["hidden_act"]) == (
        "h",
        -2,
        True,
        0,
        "gelu",
    )
    assert found.inputs(Cond(torch.ones(1, 7, 32)), (1, 4, 8, 8), False).keys() == {"context"}
    used = {key for network in found.networks for key in network.keys.values()}
    assert used == {*tiny_sd2.tensors()}


def test_the_prediction_is_stated_or_guessed(tmp_path):
    assert detected(tmp_path, tiny_sd2.tensors(), {"modelspec.prediction_type": "v"}).prediction == "v"
    network = detected(tmp_path, tiny_sd2.tensors()).unet
    for spread, prediction in ((0.02, "eps"), (0.3, "v")):
        bias = {sd2.VELOCITY: torch.linspace(-spread, spread, 32)}
        weights = open_weights(tiny.write(tmp_path / "bias", bias, {}))
        marked = type(network)(network.config, network.build, {"x": sd2.VELOCITY}, "", ())
        assert sd2._prediction(weights, sd2.Facts({}), marked) == prediction


def test_one_that_follows_pictures(tmp_path):
    found = detected(tmp_path, tiny_sd2.unclip())
    assert found.unet.config["projection_class_embeddings_input_dim"] == 48
    assert "class_embedding.linear_1.weight" in found.unet.keys
    assert found.unet.originals["class_embedding.linear_1.weight"] == "label_emb.0.0.weight"
    made = found.inputs(Cond(torch.ones(1, 7, 32)), (1, 4, 8, 8), False)
    assert made["class_labels"].shape == (1, 48) and not made["class_labels"].any()


def test_a_text_encoder_without_its_last_layer(tmp_path):
    deep = tiny.filled(clip_text.build({**tiny_sd2.H, "num_hidden_layers": 23}), 3).state_dict()
    found = detected(tmp_path, {f"text_model.{name}": tensor for name, tensor in deep.items()})
    assert (found.family, found.text[0].layer) == ("sd2", -1)


def test_a_text_encoder_alone_in_openclips_layout(tmp_path):
    whole = tiny.filled(clip_text.build({**tiny_sd2.H, "num_hidden_layers": 24}), 3).state_dict()
    found = detected(tmp_path, open_clip.original(whole))
    assert (found.family, found.text[0].name, found.text[0].layer) == ("sd2", "h", -2)
    assert {*found.text[0].network.keys} == {*whole}
