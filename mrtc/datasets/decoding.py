"""From the bytes of an image file to pixels of one shape.

It imports no torch, so that the processes that decode start quickly.
"""

import math
import struct
import warnings
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from mrtc.errors import DataError

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
"""What is looked for in a file, whatever its name; of others some would start programs."""

GREY_MODES = ("1", "L", "LA", "La")
COLOUR_MODES = ("RGB", "RGBA", "RGBX", "RGBa", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV")

UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
"""What Pillow raises at damaged files."""


class BrokenImageError(DataError):
    """An image that cannot be read."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)  # both, so that it can go from process to process
        self.name, self.reason = name, reason

    def __str__(self) -> str:
        return f"the image {self.name} cannot be read ({self.reason})"


class Decoded(NamedTuple):
    """An image in the form that was asked for."""

    pixels: UInt8[np.ndarray, "channel row column"]
    size: tuple[int, int]
    """Width and height of the file's image, in pixels."""


@dataclass(frozen=True)
class Form:
    """A square that is cut out of every image, and what becomes of it."""

    size: int
    """Rows and columns in the end, by bilinear interpolation with antialiasing."""

    channels: int
    """1 or 3."""

    box: tuple[int, int, int, int] | None = None
    """Left, upper, right and lower edge of the square in an image of size ``box_of``; it grows
    with the image. Left out, it is the largest in the middle, upright as the camera was held."""

    box_of: tuple[int, int] = (0, 0)
    """Width and height."""

    def place(self, name: str, width: int, height: int) -> tuple[float, float, float, float]:
        """Edges of the square in one image; its file's name is for messages."""
        if self.box is None:
            side = min(width, height)
            left, upper = (width - side) // 2, (height - side) // 2
            return float(left), float(upper), float(left + side), float(upper + side)
        if abs(height - width * self.box_of[1] / self.box_of[0]) >= 1:
            raise DataError(
                f"the image {name} should be of {self.box_of[0]} x {self.box_of[1]} pixels, or of "
                f"that proportion, got {width} x {height}; give the images as published"
            )
        x, y = width / self.box_of[0], height / self.box_of[1]
        left, upper, right, lower = self.box
        return left * x, upper * y, right * x, lower * y


def is_coloured(name: str, data: bytes, *, whole: bool) -> bool:
    """Whether an image file has colour, by its head; a palette counts as colour.

    Args:
        name: Of the file, for messages.
        data: Its bytes.
        whole: Decode the rest too, to see that it can be.

    Raises:
        BrokenImageError: If it cannot be read.
        DataError: If its values have no known scale.
    """
    return _read(name, data, whole=whole).mode not in GREY_MODES


def decode(name: str, data: bytes, form: Form) -> Decoded:
    """The pixels of an image file in some form; of several frames, the first.

    What is transparent shows white. CMYK is turned to RGB without a colour profile. A JPEG is
    decoded at its full size (Pillow's ``draft`` would be faster, and give other pixels).

    Raises:
        BrokenImageError: If it cannot be read.
        DataError: If its values have no known scale, or its proportion is not that of the form.
    """
    image = _read(name, data, upright=form.box is None)
    left, upper, right, lower = form.place(name, *image.size)
    # Cut first: `resize` alone would look beyond the box. It gets what of an edge is a fraction.
    cut = (math.floor(left), math.floor(upper), math.ceil(right), math.ceil(lower))
    square = _plain(image.crop(cut), form.channels).resize(
        (form.size, form.size),
        Image.Resampling.BILINEAR,
        box=(left - cut[0], upper - cut[1], right - cut[0], lower - cut[1]),
    )
    pixels = np.asarray(square).reshape(form.size, form.size, form.channels)
    return Decoded(np.ascontiguousarray(pixels.transpose(2, 0, 1)), image.size)


def _plain(image: Image.Image, channels: int) -> Image.Image:
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("L" if channels == 1 else "RGB")


def _read(name: str, data: bytes, *, whole: bool = True, upright: bool = False) -> Image.Image:
    """Opens an image file, and reads its pixels if ``whole``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image: Image.Image = Image.open(BytesIO(data), formats=FORMATS)
            if whole:
                image.load()
            if upright:
                image = ImageOps.exif_transpose(image)
    except UnidentifiedImageError as error:
        raise BrokenImageError(name, f"it is none of {', '.join(FORMATS)}") from error
    except UNREADABLE as error:
        raise BrokenImageError(name, str(error)) from error
    if image.mode not in GREY_MODES + COLOUR_MODES:
        raise DataError(
            f"the image {name} has values of unknown scale (Pillow's mode {image.mode!r}); save it "
            "with 8 bits a channel"
        )
    return image
