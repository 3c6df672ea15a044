"""Whose latents these are: families with as many channels mean different things by them."""

from engine.errors import InputError
from nodes.models.families.checkpoint import LatentFormat
from nodes.recipes import Latent


def check(latent: Latent, form: LatentFormat, input: str) -> None:
    """Raise InputError where a latent is known to be of another family than ``form``."""
    if latent.space and form.space and latent.space != form.space:
        raise InputError(
            "The latent is of another family of models.",
            input=input,
            got=f"a latent of {latent.space}",
            expected=f"a latent of {form.space}",
            hint="Turn it into a picture with the VAE of its own family, and that into a latent with the other VAE.",
        )
