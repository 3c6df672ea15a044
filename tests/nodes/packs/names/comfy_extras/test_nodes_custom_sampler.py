from nodes.packs.names.classes import node_class
from nodes.packs.names.comfy_extras import nodes_custom_sampler
from nodes.packs.objects import from_foreign
from nodes.recipes import NoiseSource


def test_noise_is_that_of_our_nodes() -> None:
    assert from_foreign("NOISE", nodes_custom_sampler.Noise_RandomNoise(7)) == NoiseSource(7)
    assert from_foreign("NOISE", nodes_custom_sampler.Noise_EmptyNoise()) == NoiseSource(0, starts=False)
    assert nodes_custom_sampler.BasicGuider is node_class("BasicGuider")
