"""Train LoRAs, and draw how it went."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from engine.context import Context
from engine.errors import InputError
from engine.node import Artifact, Effort, Field, Files, Shown, Widget, node
from nodes.image import check_prefix
from nodes.lazy import lazy
from nodes.recipes import Conditioning, Latent, LoraModel, LoraPatch, LossMap, Model

if TYPE_CHECKING:
    from nodes.models import files
    from nodes.pixels import curve
    from nodes.training import train_lora, tuning
else:
    files = lazy("nodes.models.files")
    curve = lazy("nodes.pixels.curve")
    train_lora = lazy("nodes.training.train_lora")
    tuning = lazy("nodes.training.tuning")

NONE = "[None]"
"""What stands for no file."""

ExistingLora = Annotated[
    str, Files("loras", (NONE,)), Widget(tooltip="The existing LoRA to append to. Set to None for new LoRA.")
]


class Trained(NamedTuple):
    model_with_lora: Model
    lora: LoraModel
    loss: LossMap
    steps: int


@node("TrainLoraNode", category="training", display_name="Train LoRA", experimental=True, resource="gpu", numeric=True)
def train_lora_node(
    ctx: Context,
    model: Annotated[Model, Widget(tooltip="The model to train the LoRA on.")],
    latents: Annotated[Latent, Widget(tooltip="The latents to learn from, as VAEEncode makes them of pictures.")],
    positive: Annotated[Conditioning, Widget(tooltip="One prompt for all latents, or one for each.")],
    batch_size: Annotated[int, Field(ge=1, le=10_000), Widget(step=1), Effort()] = 1,
    grad_accumulation_steps: Annotated[
        int, Field(ge=1, le=1024), Widget(step=1, tooltip="How many batches each step sees."), Effort()
    ] = 1,
    steps: Annotated[int, Field(ge=1, le=100_000), Widget(tooltip="How often the LoRA is changed."), Effort()] = 16,
    learning_rate: Annotated[float, Field(ge=1e-7, le=1.0), Widget(step=1e-6)] = 0.0005,
    rank: Annotated[int, Field(ge=1, le=128), Widget(tooltip="The rank of the LoRA layers.")] = 8,
    optimizer: Literal["AdamW", "Adam", "SGD", "RMSprop"] = "AdamW",
    loss_function: Literal["MSE", "L1", "Huber", "SmoothL1"] = "MSE",
    seed: Annotated[
        int, Field(ge=0, lt=2**64), Widget(tooltip="Decides how the LoRA begins, and all noise and order.")
    ] = 0,
    training_dtype: Annotated[
        Literal["bf16", "fp32"], Widget(tooltip="What the model computes in; fp32 is faster on most CPUs.")
    ] = "bf16",
    lora_dtype: Annotated[Literal["bf16", "fp32"], Widget(tooltip="What the trained LoRA is rounded to.")] = "bf16",
    algorithm: Literal["LoRA", "LoHa", "LoKr", "OFT"] = "LoRA",
    gradient_checkpointing: Annotated[bool, Widget(tooltip="Takes less memory, and about a third more time.")] = True,
    existing_lora: ExistingLora = NONE,
) -> Trained:
    """Train a LoRA for a model on latents and prompts, so that it makes pictures like them.

    It changes every linear layer and convolution in the blocks of the UNet; the text encoder stays as it is. A step
    is one change of it after ``grad_accumulation_steps`` batches. Layers that an existing LoRA changes go on from it as
    it is; the last output counts its steps too. Not compared with the reference.
    """
    existing = None if existing_lora == NONE else files.opened(ctx, "loras", existing_lora)
    kind = train_lora.Kind(algorithm, rank, lora_dtype, existing)
    settings = tuning.Settings(batch_size, grad_accumulation_steps, learning_rate, optimizer, loss_function, seed)
    lora, losses = train_lora.train(
        ctx, model, latents, positive, kind, settings,
        steps=steps, dtype=training_dtype, checkpointing=gradient_checkpointing,
    )  # fmt: skip
    laid = replace(model, patches=(*model.patches, LoraPatch(lora.reference, 1.0)))
    return Trained(laid, lora, {"loss": losses}, steps + (train_lora.steps_of(existing) if existing else 0))


@node(
    "LossGraphNode",
    category="training",
    display_name="Plot Loss Graph",
    output_node=True,
    experimental=True,
    validate={"filename_prefix": check_prefix},
)
def loss_graph(loss: LossMap = {}, filename_prefix: str = "loss_graph") -> Shown[None]:  # noqa: B006
    """Draw the loss of each step of a training, and save it as a PNG file in the output folder."""
    check_prefix(filename_prefix)
    if not loss.get("loss"):
        raise InputError(
            "There is no loss to draw.",
            input="loss",
            got=", ".join(loss) or "nothing",
            expected="the loss of at least one step",
            hint="Link it to TrainLoraNode.",
        )
    picture = curve.png(loss["loss"])
    return Shown(None, (Artifact(picture, filename_prefix, width=curve.WIDTH, height=curve.HEIGHT),))
