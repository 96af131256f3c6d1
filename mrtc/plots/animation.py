"""Animations over beta as GIF: one palette for all frames, no dither, forwards and back."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, UInt8
from matplotlib.figure import Figure
from PIL import Image
from scipy.spatial import cKDTree

from mrtc.errors import OutputError
from mrtc.files import write_atomically
from mrtc.plots.theme import METADATA, save, theme

SUFFIX = ".gif"
FRAME_DPI = 120
"""Of a figure that becomes a frame: five inches of images are 600 dots."""
STEP, REST = 100, 700
"""Milliseconds that a frame is shown; and the first and the last."""
LEVELS = np.linspace(0, 255, 64).round().astype(np.uint8)
"""Of grey, and of each colour before the nearest in the palette is looked up."""
TEXT_GREYS = LEVELS[::3]
"""In the palette of coloured frames, for text; with black and white."""
COLOURS, FEWER, LARGE = 233, 106, 3_000_000
"""Of images: entries of the palette, and of that for a file that would have so many bytes.

One of 256 entries stays free, by which frames leave out what has not changed.
"""
SLACK = 4
"""Levels of 255 by which a pixel must change to be drawn anew; smaller changes only cost bytes."""
SHARE = 4
"""Of so many rows of pixels one is looked at, when colours are chosen."""


@runtime_checkable
class Drawing(Protocol):
    """What can be drawn at once, or as one frame for each beta."""

    def figure(self) -> Figure:
        """All betas in one picture."""

    def frames(self) -> list[Image.Image]:
        """A picture in RGB for each beta, all of one size."""


def is_animation(path: Path) -> bool:
    """Whether ``path`` asks for an animation; otherwise for a picture.

    Raises:
        OutputError: If its suffix is that of neither; check before long work.
    """
    suffix = path.suffix.lower()
    if suffix not in (*METADATA, SUFFIX):
        raise OutputError(
            f"cannot write a picture to {path}: its suffix is {suffix!r}; choose one of "
            f"{', '.join(METADATA)}, or {SUFFIX} for an animation over beta"
        )
    return suffix == SUFFIX


def save_drawing(drawing: Drawing, path: Path) -> None:
    """Writes a picture as PNG, PDF or SVG, or an animation as GIF, after the suffix.

    Raises:
        OutputError: If the suffix is another, or the file cannot be written.
    """
    if is_animation(path):
        save_gif(drawing.frames(), path)
    else:
        save(drawing.figure(), path)


def frame_of(figure: Figure) -> Image.Image:
    """A figure as pixels, at its own resolution."""
    buffer = io.BytesIO()
    with theme():
        figure.savefig(buffer, format="png", dpi=figure.dpi)
    return Image.open(buffer).convert("RGB")


def save_gif(frames: Sequence[Image.Image], path: Path) -> None:
    """Writes an animation that runs through the frames and back, for ever.

    The first and the last frame rest for a while. A pixel differs from that of its frame by the
    nearest colour of the palette, and by a change too small to be seen.

    Args:
        frames: In RGB, of one size; one at least.
        path: What to write.

    Raises:
        OutputError: If the file cannot be written.
    """
    steady = _steady(frames)
    data = _encoded(steady, COLOURS)
    write_atomically(path, data if len(data) < LARGE else _encoded(steady, FEWER))


def _encoded(frames: Sequence[Image.Image], colours: int) -> memoryview:
    indexed = _indexed(frames, _palette(frames, colours))
    durations = [REST, *[STEP] * (len(frames) - 2), REST][: len(frames)]
    buffer = io.BytesIO()
    indexed[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=indexed[1:] + indexed[-2:0:-1],
        duration=durations + durations[-2:0:-1],
        loop=0,
        optimize=True,
    )
    return buffer.getbuffer()


def _steady(frames: Sequence[Image.Image]) -> list[Image.Image]:
    """The frames without changes too small to be seen, since what stays takes no space."""
    shown = np.asarray(frames[0]).astype(np.int16)
    steady = []
    for frame in frames:
        new = np.asarray(frame).astype(np.int16)
        changes = (np.abs(new - shown) > SLACK).any(-1, keepdims=True)
        shown = np.where(changes, new, shown)
        steady.append(Image.fromarray(shown.astype(np.uint8)))
    return steady


def _palette(frames: Sequence[Image.Image], colours: int) -> UInt8[np.ndarray, "entry 3"]:
    """Of all frames together, so that colours do not flicker; with black, white and greys."""
    strip = np.concatenate([np.asarray(frame)[::SHARE] for frame in frames])
    if (strip == strip[..., :1]).all():
        return np.stack([LEVELS] * 3, axis=1)
    chosen = Image.fromarray(strip).quantize(colours, Image.Quantize.MEDIANCUT).getpalette()
    greys = np.stack([TEXT_GREYS] * 3, axis=1)
    return np.concatenate([greys, np.array(chosen, np.uint8).reshape(-1, 3)])


def _indexed(
    frames: Sequence[Image.Image], palette: UInt8[np.ndarray, "entry 3"]
) -> list[Image.Image]:
    """The frames with the nearest colour of the palette at each pixel, looked up in a table."""
    cube = np.stack(np.meshgrid(LEVELS, LEVELS, LEVELS, indexing="ij"), axis=-1)
    nearest = cKDTree(palette).query(cube)[1].astype(np.uint8)
    indexed = []
    for frame in frames:
        red, green, blue = np.moveaxis(np.asarray(frame) * (len(LEVELS) - 1.0) / 255, -1, 0)
        image = Image.fromarray(nearest[_whole(red), _whole(green), _whole(blue)])
        image.putpalette(palette.tobytes())
        indexed.append(image)
    return indexed


def _whole(values: Float[np.ndarray, "height width"]) -> Int[np.ndarray, "height width"]:
    return values.round().astype(np.intp)
