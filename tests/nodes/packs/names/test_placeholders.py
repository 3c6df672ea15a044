"""Placeholders can be named and subclassed; each use raises one error."""

from abc import ABC
from typing import Any

import pytest
from torch import nn

from engine.errors import NodeFailure
from nodes.packs import current
from nodes.packs.names.placeholders import AbsentModule, members_of, placeholder

VAE = placeholder("comfy.sd.VAE")


def test_a_placeholder_can_be_named_where_packs_name_classes() -> None:
    class Own(VAE):  # type: ignore[misc, valid-type]
        def method(self) -> int:
            return 1

    class Module(nn.Module, VAE):  # type: ignore[misc, valid-type]
        pass

    class Abstract(VAE, ABC):  # type: ignore[misc, valid-type]
        pass

    def hinted(vae: VAE, other: VAE | None = None) -> None:  # type: ignore[valid-type]
        pass

    assert issubclass(Own, VAE) and issubclass(Module, nn.Module) and issubclass(Abstract, VAE)
    assert not isinstance(3, VAE) and not isinstance(3, Own)
    assert VAE.__name__ == "VAE" and VAE.__module__ == "comfy.sd"
    assert VAE and not isinstance(object(), (Own, VAE))
    hinted(None)


def test_members_of_a_placeholder_are_the_same_each_time() -> None:
    assert VAE.Mode.FAST is VAE.Mode.FAST is not VAE.Mode.SLOW
    assert not hasattr(VAE, "__dataclass_fields__")


@pytest.mark.parametrize("use", [
    lambda vae: vae(),
    lambda vae: vae.decode(1),
    lambda vae: type("Own", (vae,), {})(sd={}),
    lambda vae: list(vae),
    lambda vae: vae + 1,
    lambda vae: vae[0],
    lambda vae: 1 in vae,
])  # fmt: skip
def test_each_use_raises_an_error_that_names_the_member_and_the_pack(use: Any) -> None:
    with current.running("Some-Pack", "SomeNode"), pytest.raises(NodeFailure) as caught:
        use(VAE)
    assert "comfy.sd.VAE" in caught.value.message and "SomeNode of Some-Pack" in caught.value.message


def test_a_placeholder_decorates_while_a_pack_is_loaded_and_the_function_raises_then() -> None:
    with current.running("Some-Pack"):

        @placeholder("comfy.ldm.modules.attention.wrap_attn")
        def attention(q: int) -> int:
            return q

    with current.running("Some-Pack", "SomeNode"), pytest.raises(NodeFailure, match="wrap_attn"):
        attention(1)


def test_while_a_node_runs_a_function_is_an_argument() -> None:
    with current.running("Some-Pack", "SomeNode"), pytest.raises(NodeFailure, match=r"comfy\.sample\.hook"):
        placeholder("comfy.sample.hook")(lambda: None)


def test_a_module_takes_what_a_pack_puts_into_it() -> None:
    module = AbsentModule("comfy.sample")
    original = module.sample
    module.sample = len
    assert module.sample is len and original is placeholder("comfy.sample.sample")


def test_a_module_here_answers_the_rest_with_placeholders() -> None:
    get = members_of("nodes.packs.names.comfy.samplers")
    assert get("CFGGuider") is placeholder("comfy.samplers.CFGGuider")
    with pytest.raises(AttributeError):
        get("__wrapped__")
