import nodes
from server.search import search, spelled_alike


def types(found):
    return [spec.type for spec in found]


SPECS = list(nodes.vocabulary())


def test_who_is_called_so_comes_first_then_who_begins_so():
    found = types(search("ksampler", SPECS))
    assert found[0] == "KSampler"
    begins = [type.lower().startswith("ksampler") for type in found]
    assert begins[:3] == [True, True, True] and not all(begins)


def test_all_parts_of_a_word_are_looked_for_anywhere():
    assert "KSampler" in types(search("sampler_name scheduler", SPECS))
    assert search("quetzal", SPECS) == []


def test_a_misspelt_name_gets_those_that_are_spelled_alike():
    assert types(spelled_alike("KSampelr", SPECS))[0] == "KSampler"
    assert types(spelled_alike("load chekpoint", SPECS))[0] == "CheckpointLoaderSimple"
    found = types(spelled_alike("imagescal", SPECS))
    assert found[0] == "ImageScale" and 1 < len(found) <= 5
    assert spelled_alike("q" * 40, SPECS) == []
