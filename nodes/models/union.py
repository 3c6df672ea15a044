"""What a union ControlNet has besides a plain one: it is told what kind of picture it gets.

ControlNet++, https://github.com/xinsir6/ControlNetPlus (Apache-2.0). Not compared with the reference.
"""

from collections.abc import Mapping
from typing import Any

import torch
from diffusers.models.controlnets.controlnet import ControlNetConditioningEmbedding, ControlNetModel
from diffusers.models.controlnets.controlnet_union import ResidualAttentionBlock
from diffusers.models.embeddings import TimestepEmbedding, get_timestep_embedding
from torch import Tensor, nn

CODE_WIDTH = 256
"""The width of the code of each type, whether it is there or not."""


class Encoder(ControlNetConditioningEmbedding):  # type: ignore[misc]
    """The encoder of pictures. It moves each channel by what the type of a picture and its mean say."""

    def __init__(self, types: int, layers: int, width: int, hints: tuple[int, ...], channels: int) -> None:
        super().__init__(width, channels, hints)
        self.task_embedding = nn.Parameter(torch.zeros(types, width))
        self.transformer_layes = nn.ModuleList(ResidualAttentionBlock(width, 1) for _ in range(layers))
        self.spatial_ch_projs = nn.Linear(width, width)

    def forward(self, given: tuple[Tensor, int | None]) -> Tensor:
        """Return the features (batch, width, height, width) of pictures of a type; None: of a type not told.

        A picture is the one token of its sequence: attention to itself is the same for any number of heads.
        """
        picture, type = given
        features: Tensor = super().forward(picture)
        if type is None:
            return features
        token = (features.mean((2, 3)) + self.task_embedding[type])[None]
        for layer in self.transformer_layes:
            token = layer(token)
        moved: Tensor = features + self.spatial_ch_projs(token[0])[:, :, None, None]
        return moved


class TypeEmbedding(TimestepEmbedding):  # type: ignore[misc]
    """What the network is told of the type of a picture: a code for each type, whether it is that."""

    def __init__(self, types: int, width: int) -> None:
        super().__init__(types * CODE_WIDTH, width)
        self.types = types

    def forward(self, given: tuple[int | None, Tensor]) -> Tensor:
        """Return the embedding (1, width) of a type (None: of a type not told), where and as a tensor beside it is."""
        type, like = given
        is_type = (torch.arange(self.types, device=like.device) == (-1 if type is None else type)).float()
        codes = get_timestep_embedding(is_type, CODE_WIDTH, flip_sin_to_cos=True, downscale_freq_shift=0)
        embedded: Tensor = super().forward(codes.reshape(1, -1).to(like.dtype))
        return embedded


def build(config: Mapping[str, Any]) -> nn.Module:
    """Make a ControlNet of ``control_types`` with ``transformer_layers`` in its encoder; the rest is diffusers'."""
    plain = {name: value for name, value in config.items() if name not in ("control_types", "transformer_layers")}
    module: nn.Module = ControlNetModel(**plain)
    width, types = config["block_out_channels"][0], config["control_types"]
    hints, channels = config["conditioning_embedding_out_channels"], config["conditioning_channels"]
    module.controlnet_cond_embedding = Encoder(types, config["transformer_layers"], width, hints, channels)
    module.class_embedding = TypeEmbedding(types, 4 * width)
    return module
