import re

import nodes


def test_all_are_listed_by_category(loomis):
    ran = loomis("nodes")
    rows = [re.split(r"\s{2,}", line)[:2] for line in ran.out.splitlines()[1:]]
    assert ran.code == 0
    assert rows == sorted(rows)
    assert {type for _, type in rows} == set(nodes.vocabulary().specs)


def test_one_is_described(loomis):
    ran = loomis("nodes", "EmptyImage")
    lines = [line.split() for line in ran.out.splitlines()]
    assert ["input", "type", "default", "allowed"] in lines
    assert ["width", "INT", "512", "1", "to", "16384"] in lines
    assert ["0", "IMAGE", "IMAGE"] in lines


def test_files_are_listed_as_they_are(loomis, here):
    (here / "models" / "vae").mkdir(parents=True)
    (here / "models" / "vae" / "mine.safetensors").touch()
    assert "files in the models folders: mine.safetensors" in loomis("nodes", "VAELoader").out
    (vae,) = loomis("nodes", "VAELoader", "--json").lines
    (name,) = vae["inputs"]
    assert (name["folder"], name["choices"]) == ("vae", ["mine.safetensors"])


def test_json_of_all(loomis):
    (found,) = loomis("nodes", "--json").lines
    assert found.keys() == nodes.vocabulary().specs.keys()
    source = {"name": "source", "type": "*", "required": True, "lazy": False}
    assert found["PreviewAny"]["inputs"] == [source]
    assert found["PreviewAny"]["output_node"] is True


def test_a_name_that_is_not_there_is_answered_with_the_nearest(loomis):
    ran = loomis("nodes", "KSampelr")
    assert ran.code == 2
    assert "Did you mean KSampler?" in ran.err


def types(ran):
    return [re.split(r"\s{2,}", line)[1] for line in ran.out.splitlines()[1:]]


def test_a_word_is_looked_for_in_names_first_then_in_sockets_then_in_what_is_said(loomis):
    found = types(loomis("nodes", "upscale"))
    assert {"ImageScale", "LatentUpscale", "UpscaleModelLoader", "ImageUpscaleWithModel"} <= set(found)
    named = ["upscale" in f"{type} {nodes.vocabulary()[type].display_name}".lower() for type in found]
    assert named == sorted(named, reverse=True) and not all(named)
    assert types(loomis("nodes", "ksampler"))[0].startswith("KSampler")
    assert "KSampler" in types(loomis("nodes", "sampler_name scheduler"))
    assert loomis("nodes", "quetzal").code == 2
