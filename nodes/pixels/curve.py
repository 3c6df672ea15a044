"""Draw the course of a training: its loss over its steps."""

from collections.abc import Sequence
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 40, 40
"""Room for numbers and the title around the plot, in pixels."""

GROUND, INK, GRID, RAW, SMOOTH = "white", "#333333", "#e4e4e4", "#b9cfe8", "#1f5fa8"
LINES = 4
"""Parts that the grid cuts the range of the loss into."""

MEMORY = 0.9
"""How much of what was before is in a smoothed value: an exponential moving average, without the bias of its start."""


def png(losses: Sequence[float]) -> bytes:
    """Return a PNG file of the loss of each step, thin, and of its moving average; ``losses`` has one at least."""
    image = Image.new("RGB", (WIDTH, HEIGHT), GROUND)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(13)
    smooth = smoothed(losses)
    low, high = min(losses), max(losses)
    span = high - low or max(abs(high), 1.0) / 10
    draw.text((LEFT, 12), f"Loss over {len(losses)} steps: {smooth[-1]:.4g}", INK, font)
    for line in range(LINES + 1):
        y = HEIGHT - BOTTOM - line / LINES * (HEIGHT - TOP - BOTTOM)
        draw.line((LEFT, y, WIDTH - RIGHT, y), GRID)
        draw.text((LEFT - 8, y), f"{low + line / LINES * span:.3g}", INK, font, anchor="rm")
    for step, anchor in ((1, "lt"), (len(losses), "rt")):
        draw.text((LEFT if step == 1 else WIDTH - RIGHT, HEIGHT - BOTTOM + 8), str(step), INK, font, anchor=anchor)
    draw.line(_points(losses, low, span), RAW, 1)
    draw.line(_points(smooth, low, span), SMOOTH, 2)
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def smoothed(values: Sequence[float]) -> list[float]:
    """Return the moving average of values at each of them."""
    found, total, weight = [], 0.0, 0.0
    for value in values:
        total, weight = total * MEMORY + value, weight * MEMORY + 1
        found.append(total / weight)
    return found


def _points(values: Sequence[float], low: float, span: float) -> list[tuple[float, float]]:
    """Return where values lie in the picture; a single one becomes a level line."""
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    values = values if len(values) > 1 else [*values, *values]
    return [
        (LEFT + place / (len(values) - 1) * wide, HEIGHT - BOTTOM - (value - low) / span * high)
        for place, value in enumerate(values)
    ]
