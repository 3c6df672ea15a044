"""Save latents to files and load them."""

from typing import TYPE_CHECKING, Annotated

from engine.context import Context
from engine.errors import FileError
from engine.node import Artifact, InputFile, Shown, node
from nodes.image import check_prefix
from nodes.lazy import lazy
from nodes.recipes import Latent

if TYPE_CHECKING:
    import safetensors.torch as tensor_files
    import torch

    from nodes.models import weights
else:
    torch = lazy("torch")
    tensor_files = lazy("safetensors.torch")
    weights = lazy("nodes.models.weights")

SAMPLES = "latent_tensor"
UNSCALED = "latent_format_version_0"
"""An empty tensor of this name says that the samples are in unscaled VAE space."""

OLD_SCALE = 0.18215
"""Files without that mark hold latents in the sampler's scale of Stable Diffusion 1."""


@node(
    "SaveLatent",
    category="_for_testing",
    output_node=True,
    validate={"filename_prefix": check_prefix},
)
def save_latent(samples: Latent, filename_prefix: str = "latents/ComfyUI") -> Shown[None]:
    """Save a batch of latents as one file in the output folder, with the workflow inside.

    The file keeps the samples only: no noise mask, no places in a batch.
    """
    check_prefix(filename_prefix)
    data = tensor_files.save({SAMPLES: samples.samples.contiguous(), UNSCALED: torch.tensor([])})
    return Shown(None, (Artifact(data, filename_prefix, suffix=".latent", kind="latents"),))


@node("LoadLatent", category="_for_testing")
def load_latent(ctx: Context, latent: Annotated[str, InputFile((".latent",))]) -> Latent:
    """Load a batch of latents from the input folder."""
    path = ctx.folders.input_file(latent)
    if path is None:
        raise FileError(
            f"The latent {latent!r} is not there.",
            input="latent",
            got=latent,
            expected=f"a file in {ctx.folders.input}",
            hint="Put it there, or choose another.",
        )
    file = weights.open_weights(path)
    if SAMPLES not in file.infos:
        raise FileError(
            f"{path.name} holds no latent.",
            input="latent",
            got=", ".join(list(file.infos)[:3]) or "no tensors",
            expected=f"a tensor {SAMPLES}, as SaveLatent writes it",
        )
    samples = file.tensor(SAMPLES).float()
    return Latent(samples.clone() if UNSCALED in file.infos else samples / OLD_SCALE)
