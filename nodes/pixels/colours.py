"""Between red, green, blue and brightness with two colours: YCbCr of ITU-R BT.601, full range, all in 0 to 1."""

from torch import Tensor


def to_yuv(image: Tensor) -> Tensor:
    """Return pictures (B, H, W, 3 or 4) as brightness and colour (B, H, W, 3), without an alpha channel."""
    from kornia.color import rgb_to_ycbcr

    found: Tensor = rgb_to_ycbcr(image[..., :3].movedim(-1, 1))
    return found.movedim(1, -1)


def to_rgb(yuv: Tensor) -> Tensor:
    """Return (B, H, W, 3) brightness and colour as pictures, cut to 0..1."""
    from kornia.color import ycbcr_to_rgb

    found: Tensor = ycbcr_to_rgb(yuv.movedim(-1, 1))
    return found.movedim(1, -1).clamp(0, 1).contiguous()
