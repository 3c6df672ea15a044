from nodes.models.families import clip_text
from tests.nodes.models import tiny


def test_the_config_is_read_from_shapes() -> None:
    tensors = clip_text.build(tiny.TEXT).state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    assert clip_text.config(shapes, heads=2, activation="quick_gelu") == tiny.TEXT


def test_names_begin_at_the_embeddings() -> None:
    assert next(iter(clip_text.build(tiny.TEXT).state_dict())) == clip_text.TOKENS
