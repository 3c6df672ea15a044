"""Inputs that many nodes share: their bounds and what an editor should know about them."""

from typing import Annotated, Literal

from engine.node import Effort, Field, Widget

MAX_SIDE = 16384
"""The longest side of a picture, in pixels."""

CELL = 8
"""Pixels per latent cell that widths, heights and places in workflow files are counted with, whatever the family."""

Side = Annotated[int, Field(ge=1, le=MAX_SIDE), Widget(step=1)]
Offset = Annotated[int, Field(ge=0, le=MAX_SIDE), Widget(step=1)]
Place = Annotated[int, Field(ge=0, le=MAX_SIDE), Widget(step=CELL)]
"""A place along one side in pixels, counted in whole latent cells."""

BatchSize = Annotated[int, Field(ge=1, le=4096)]
ScaleFactor = Annotated[float, Field(ge=0.01, le=8.0), Widget(step=0.01)]
Crop = Literal["disabled", "center"]
ImageMethod = Literal["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]
LatentMethod = Literal["nearest-exact", "bilinear", "area", "bicubic", "bislerp"]
Fraction = Annotated[float, Field(ge=0.0, le=1.0), Widget(step=0.01)]
Seed = Annotated[int, Field(ge=0, lt=2**64), Widget(control_after_generate=True)]
Steps = Annotated[int, Field(ge=1, le=10_000), Effort()]
Cfg = Annotated[float, Field(ge=0.0, le=100.0), Widget(step=0.1, round=0.01)]
