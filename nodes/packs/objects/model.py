"""MODEL: a thin object over a recipe. What foreign code asks it to do goes into the recipe that leaves the node."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.types import Tensor
from nodes.foreign import ForeignOptions
from nodes.lazy import lazy
from nodes.packs.objects.base_model import BaseModel, pool
from nodes.packs.objects.members import Members, no_member
from nodes.recipes import Model

if TYPE_CHECKING:
    import torch

    from nodes.packs.objects import options, weights
else:
    torch = lazy("torch")
    options = lazy("nodes.packs.objects.options")
    weights = lazy("nodes.packs.objects.weights")

Function = Callable[..., Any]


class ModelPatcher(Members):
    """A diffusion model as foreign code knows it.

    ``model_options`` may be changed directly, too. Functions in them, and patches of weights, have no byte form: the
    model that leaves the node then stays in this process, and stands for itself by the key of the node.
    """

    kind = "MODEL"

    def __init__(self, recipe: Model) -> None:
        self._recipe = recipe
        foreign = recipe.option(ForeignOptions)
        given = foreign.given if foreign else {"transformer_options": {}}
        self.model_options: dict[str, Any] = options.copied(given)
        self._came = options.copied(given)

    @property
    def recipe(self) -> Model:
        """The recipe with all that was asked for.

        Raises:
            NodeFailure: ``model_options`` hold something that Loomis does not offer.
        """
        if options.is_same(self.model_options, self._came):
            return self._recipe
        kept = tuple(each for each in self._recipe.options if not isinstance(each, ForeignOptions))
        if options.is_empty(self.model_options):
            return replace(self._recipe, options=kept)
        made = options.foreign_options(options.copied(self.model_options), self.model)
        return replace(self._recipe, options=(*kept, made))

    @property
    def model(self) -> BaseModel:
        return BaseModel(self._recipe)

    def clone(self, **more: Any) -> "ModelPatcher":
        made = ModelPatcher(self._recipe)
        made.model_options, made._came = options.copied(self.model_options), self._came
        return made

    def is_clone(self, other: Any) -> bool:
        return isinstance(other, ModelPatcher) and other._recipe.file == self._recipe.file

    def clone_has_same_weights(self, clone: Any) -> bool:
        return self.is_clone(clone) and clone._recipe.patches == self._recipe.patches

    # Weights.

    def add_patches(self, patches: Mapping[Any, Any], strength_patch: float = 1.0, strength_model: float = 1.0) -> Any:
        """Lay changes over weights, as ``weights.added`` says. Return the keys of those that the model has."""
        self._recipe, keys = weights.added(pool(), self._recipe, patches, strength_patch, strength_model)
        return keys

    def get_key_patches(self, filter_prefix: str | None = None) -> dict[str, Any]:
        """Return what stands for each weight, for ``add_patches`` of another model."""
        return weights.stand_ins(pool(), self._recipe, filter_prefix or "")

    def model_state_dict(self, filter_prefix: str | None = None) -> dict[str, Tensor]:
        """Return copies of weights as they are in the file."""
        return weights.copies(pool(), self._recipe, filter_prefix or "")

    # Guidance.

    def set_model_sampler_cfg_function(
        self, sampler_cfg_function: Function, disable_cfg1_optimization: bool = False
    ) -> None:
        """Put a function in the place of guidance. One of three arguments gets cond, uncond and scale."""
        if len(inspect.signature(sampler_cfg_function).parameters) == 3:
            old = sampler_cfg_function

            def sampler_cfg_function(args: Mapping[str, Any]) -> Any:
                return old(args["cond"], args["uncond"], args["cond_scale"])

        self.model_options["sampler_cfg_function"] = sampler_cfg_function
        self._also_alone(disable_cfg1_optimization)

    def set_model_sampler_post_cfg_function(
        self, post_cfg_function: Function, disable_cfg1_optimization: bool = False
    ) -> None:
        """Let a function change what guidance gave."""
        self.model_options.setdefault("sampler_post_cfg_function", []).append(post_cfg_function)
        self._also_alone(disable_cfg1_optimization)

    def set_model_sampler_pre_cfg_function(
        self, pre_cfg_function: Function, disable_cfg1_optimization: bool = False
    ) -> None:
        """Let a function change what goes into guidance."""
        self.model_options.setdefault("sampler_pre_cfg_function", []).append(pre_cfg_function)
        self._also_alone(disable_cfg1_optimization)

    def _also_alone(self, disable_cfg1_optimization: bool) -> None:
        if disable_cfg1_optimization:
            self.model_options["disable_cfg1_optimization"] = True

    def set_model_unet_function_wrapper(self, unet_wrapper_function: Function) -> None:
        """Put a function around each call of the network."""
        self.model_options["model_function_wrapper"] = unet_wrapper_function

    def set_model_denoise_mask_function(self, denoise_mask_function: Function) -> None:
        """Let a function say where a noise mask counts at a level."""
        self.model_options["denoise_mask_function"] = denoise_mask_function

    # The inside of the network.

    def set_model_patch(self, patch: Any, name: str) -> None:
        inside = self.model_options["transformer_options"]
        inside.setdefault("patches", {}).setdefault(name, []).append(patch)

    def set_model_patch_replace(
        self, patch: Any, name: str, block_name: str, number: int, transformer_index: int | None = None
    ) -> None:
        place = (block_name, number) if transformer_index is None else (block_name, number, transformer_index)
        inside = self.model_options["transformer_options"]
        inside.setdefault("patches_replace", {}).setdefault(name, {})[place] = patch

    def set_model_attn1_patch(self, patch: Any) -> None:
        self.set_model_patch(patch, "attn1_patch")

    def set_model_attn2_patch(self, patch: Any) -> None:
        self.set_model_patch(patch, "attn2_patch")

    def set_model_attn1_output_patch(self, patch: Any) -> None:
        self.set_model_patch(patch, "attn1_output_patch")

    def set_model_attn2_output_patch(self, patch: Any) -> None:
        self.set_model_patch(patch, "attn2_output_patch")

    def set_model_attn1_replace(
        self, patch: Any, block_name: str, number: int, transformer_index: int | None = None
    ) -> None:
        self.set_model_patch_replace(patch, "attn1", block_name, number, transformer_index)

    def set_model_attn2_replace(
        self, patch: Any, block_name: str, number: int, transformer_index: int | None = None
    ) -> None:
        self.set_model_patch_replace(patch, "attn2", block_name, number, transformer_index)

    def set_model_input_block_patch(self, patch: Any) -> None:
        self.set_model_patch(patch, "input_block_patch")

    def set_model_input_block_patch_after_skip(self, patch: Any) -> None:
        self.set_model_patch(patch, "input_block_patch_after_skip")

    def set_model_output_block_patch(self, patch: Any) -> None:
        self.set_model_patch(patch, "output_block_patch")

    # What can be read, and exchanged.

    def get_model_object(self, name: str) -> Any:
        """Return what lies under a name of the network, such as ``model_sampling``."""
        found: Any = self.model
        for part in name.split("."):
            found = getattr(found, part)
        return found

    def add_object_patch(self, name: str, obj: Any) -> None:
        """Refuse: parts of a network belong to the pool.

        Raises:
            NodeFailure: always.
        """
        hint = "Say what the model predicts with ModelSamplingDiscrete." if name == "model_sampling" else None
        raise no_member(self.kind, f"add_object_patch({name!r})", hint)

    def model_dtype(self) -> Any:
        return self.model.get_dtype()

    def model_size(self) -> int:
        """Return the bytes of the network's weights."""
        return int(sum(each.numel() for each in self.model_state_dict().values()) * self.model_dtype().itemsize)

    def memory_required(self, input_shape: Any) -> int:
        return self.model.memory_required(input_shape)

    @property
    def load_device(self) -> Any:
        return pool().device

    @property
    def offload_device(self) -> Any:
        return torch.device("cpu")
