"""Model families, one file each. A family knows its files by keys and shapes and says how to build what is in them."""

from collections.abc import Callable, Mapping, Sequence

from engine.errors import ModelError
from nodes.models.families import components, flux, sd1, sd2, sd3, sdxl, t5
from nodes.models.families.checkpoint import Checkpoint, Placed, TextFamily
from nodes.models.families.kinds import looks_like
from nodes.models.weights import AGAIN, Weights

FAMILIES: tuple[Callable[[Weights], Checkpoint | None], ...] = (
    flux.detect,
    sd3.detect,
    t5.detect,
    sd2.detect,
    sdxl.detect,
    sd1.detect,
)
"""In the order in which they are asked. A new family is a file and a line here."""

TEXTS: Mapping[str, TextFamily] = {sdxl.NAME: sdxl.TEXT, sd3.NAME: sd3.TEXT, flux.NAME: flux.TEXT}
"""How families use several text encoders, by their names."""


def chosen(family: str, found: Sequence[Placed], files: Sequence[str]) -> tuple[Placed, ...]:
    """Return the text encoders of a family from those found in ``files``, as they stand in its checkpoints.

    Raises ModelError where they are others.
    """
    taken = TEXTS[family].chosen(found)
    if taken is None:
        raise ModelError(
            f"{' and '.join(files)} are not the text encoders of {family}",
            got=", ".join(encoder.name for _, encoder in found) or "no text encoder",
            expected=TEXTS[family].expected,
        )
    return taken


def detect(weights: Weights) -> Checkpoint:
    """Return what a file holds.

    Raises ModelError that names what the file looks like where no family knows it, or says that its weights have scales
    where the family knows none.
    """
    try:
        for family in FAMILIES:
            if found := family(weights):
                _check_scales(weights, found)
                return found
    except (KeyError, IndexError, ValueError, StopIteration) as error:
        raise ModelError(
            f"the tensors of {weights.path.name} do not make up a model",
            got=repr(error),
            expected="the names and shapes of a whole checkpoint",
            hint=AGAIN,
        ) from error
    raise ModelError(
        f"{weights.path.name} is not of a family that is known",
        got=looks_like(weights),
        expected="a checkpoint, text encoder or VAE of Stable Diffusion 1.x, 2.x, XL or 3, or of Flux",
        hint="choose another file, or the node that loads this kind",
    )


def _check_scales(weights: Weights, found: Checkpoint) -> None:
    used = {key for network in found.networks for key in network.keys.values()}
    left = [name for name in weights.infos if name.endswith(components.FACTORS) and name not in used]
    scale = next((name for name in left if f"{name.rpartition('.')[0]}.weight" in used), None)
    if scale is not None:
        raise ModelError(
            f"{weights.path.name} holds weights of few bits with scales, which are not supported for its family yet",
            got=scale,
            expected="weights that mean what they say, in 8 bits or more",
            hint="choose a file of the same model in fp16 or bf16",
        )
