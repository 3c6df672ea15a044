"""What foreign code may read of a diffusion network: ``model.model`` and what hangs on it."""

from enum import Enum
from typing import TYPE_CHECKING, Any

from engine.types import Tensor
from nodes.lazy import lazy
from nodes.packs.objects.members import Members, context, no_member
from nodes.recipes import Model

if TYPE_CHECKING:
    import torch

    from nodes.models import levels, parametrization, service
    from nodes.models.families.checkpoint import Checkpoint
    from nodes.models.pool import Pool
    from nodes.packs.objects import weights
else:
    torch = lazy("torch")
    levels = lazy("nodes.models.levels")
    parametrization = lazy("nodes.models.parametrization")
    service = lazy("nodes.models.service")
    weights = lazy("nodes.packs.objects.weights")


class ModelType(Enum):
    """What a network predicts, by the names and numbers that foreign code compares."""

    EPS = 1
    V_PREDICTION = 2
    V_PREDICTION_EDM = 3
    STABLE_CASCADE = 4
    EDM = 5
    FLOW = 6
    V_PREDICTION_CONTINUOUS = 7
    FLUX = 8


TYPES = {"eps": ModelType.EPS, "v": ModelType.V_PREDICTION, "flow": ModelType.FLOW}


def pool() -> "Pool":
    return context().use(service.pool)


class BaseModel(Members):
    """The diffusion network of a recipe. Its modules can't be had: they belong to the pool."""

    kind = "MODEL.model"

    def __init__(self, recipe: Model) -> None:
        self.recipe = recipe

    def __getattr__(self, name: str) -> Any:
        if name == "diffusion_model":
            hint = "Patch the model with set_model_... methods, or use one of Loomis's own nodes."
            raise no_member(self.kind, name, hint)
        return self._refuse(name)

    @property
    def _checkpoint(self) -> "Checkpoint":
        return pool().checkpoint(self.recipe.file)

    @property
    def model_sampling(self) -> "ModelSampling":
        return ModelSampling(parametrization.parametrization(self.recipe, self._checkpoint))

    @property
    def latent_format(self) -> "LatentFormat":
        return LatentFormat(self._checkpoint.latent)

    @property
    def model_config(self) -> "ModelConfig":
        config, latent = pool().network(self.recipe).config, self.latent_format
        return FAMILIES.get(self._checkpoint.family, ModelConfig)(config, latent)

    @property
    def model_type(self) -> ModelType:
        return TYPES[self._checkpoint.prediction]

    @property
    def device(self) -> Any:
        return pool().device

    def get_dtype(self) -> Any:
        return pool().policy.unet[-1]

    def memory_required(self, input_shape: Any, **more: Any) -> int:
        """Return the bytes that the network needs at work on latents (batch, channels, height, width)."""
        batch, _, *sides = input_shape
        return pool().working(self.recipe, int(batch), int(torch.tensor(sides).prod()))

    def process_latent_in(self, latent: Tensor) -> Tensor:
        return self.latent_format.process_in(latent)

    def process_latent_out(self, latent: Tensor) -> Tensor:
        return self.latent_format.process_out(latent)

    def state_dict(self) -> dict[str, Tensor]:
        """Return copies of all weights as they are in the file."""
        return weights.copies(pool(), self.recipe)


class LatentFormat(Members):
    """The scale of a model's latents."""

    kind = "MODEL.latent_format"
    latent_dimensions = 2

    def __init__(self, form: Any) -> None:
        self.scale_factor: float = form.scale
        self.shift_factor: float = form.shift
        self.latent_channels: int = form.channels
        self.spacial_downscale_ratio: int = form.factor
        self.latent_rgb_factors = [list(row) for row in form.rgb]

    def process_in(self, latent: Tensor) -> Tensor:
        """Return latents in the model's own scale."""
        return (latent - self.shift_factor) * self.scale_factor

    def process_out(self, latent: Tensor) -> Tensor:
        """Return latents in VAE space."""
        return latent / self.scale_factor + self.shift_factor


class ModelConfig(Members):
    """The build of a network. Foreign code asks which of its subclasses it is."""

    kind = "MODEL.model_config"

    def __init__(self, config: Any, latent_format: LatentFormat) -> None:
        added = config.get("projection_class_embeddings_input_dim")
        self.latent_format = latent_format
        self.unet_config = {
            "in_channels": config["in_channels"],
            "out_channels": config["out_channels"],
            "model_channels": config["block_out_channels"][0],
            "channel_mult": [width // config["block_out_channels"][0] for width in config["block_out_channels"]],
            "context_dim": config["cross_attention_dim"],
            "use_linear_in_transformer": config["use_linear_projection"],
            **({"adm_in_channels": added} if added else {}),
        }


class SD15(ModelConfig):
    pass


class SD20(ModelConfig):
    pass


class SDXL(ModelConfig):
    pass


class SDXLRefiner(ModelConfig):
    pass


FAMILIES: dict[str, type[ModelConfig]] = {"sd1": SD15, "sd2": SD20, "sdxl": SDXL, "sdxl-refiner": SDXLRefiner}


class ModelSampling(Members):
    """The noise levels of a model, and how its network's prediction becomes x0."""

    kind = "MODEL.model_sampling"
    sigma_data = 1.0

    def __init__(self, form: Any) -> None:
        self._form = form

    @property
    def sigmas(self) -> Tensor:
        return self._form.levels.table

    @property
    def sigma_min(self) -> Tensor:
        return self.sigmas[0]

    @property
    def sigma_max(self) -> Tensor:
        return self.sigmas[-1]

    @property
    def num_timesteps(self) -> int:
        return len(self.sigmas)

    def percent_to_sigma(self, percent: float) -> float:
        """Return the level when ``percent`` (0 to 1) of sampling is done; a very large one at 0."""
        return float(min(self._form.levels.sigma_at(percent), levels.BEYOND))

    def timestep(self, sigma: Tensor) -> Tensor:
        return self._form.levels.timestep(sigma).to(sigma.device)

    def sigma(self, timestep: Tensor) -> Tensor:
        return self._form.levels.sigma(torch.as_tensor(timestep).cpu())

    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor:
        """Return what the network gets for x at a level."""
        seen: list[Tensor] = []

        def network(x: Tensor, timestep: Tensor, inputs: Any) -> Tensor:
            seen.append(x)
            return x

        self._form.predictor(network)(noise, _level(sigma), {})
        return seen[0]

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        """Return x0 for what the network predicted, where ``model_input`` is x."""
        return self._form.predictor(lambda x, timestep, inputs: model_output)(model_input, _level(sigma), {})

    def noise_scaling(self, sigma: Tensor, noise: Tensor, latent_image: Tensor, max_denoise: bool = False) -> Tensor:
        """Return a latent under noise of a level."""
        return self._form.process.start(latent_image, noise, _level(sigma), max_denoise)

    def inverse_noise_scaling(self, sigma: Tensor, latent: Tensor) -> Tensor:
        return self._form.process.finish(latent, _level(sigma))


def _level(sigma: Tensor) -> Tensor:
    """Return the level that a batch of equal ones is on."""
    return torch.as_tensor(sigma).flatten()[0].float().cpu()
