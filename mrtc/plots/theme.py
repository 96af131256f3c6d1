"""One look for all pictures: sizes of a paper, colours that colour-blind readers tell apart.

Figures are plain objects, never pyplot's: they need no screen, and none is left open.
"""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    Locator,
    LogLocator,
    MaxNLocator,
    NullLocator,
)

from mrtc.errors import OutputError
from mrtc.files import write_atomically
from mrtc.results import VARIABLES, unit_of

METADATA: dict[str, dict[str, None]] = {
    ".png": {},
    ".pdf": {"CreationDate": None},
    ".svg": {"Date": None},
}
"""Formats by suffix, each without the date, so that equal figures are equal files."""

WIDTH = 5.5
"""Inches; the text width of NeurIPS and ICLR papers."""
HEIGHT = 3.0
TITLE_WIDTH = 70
"""Letters that fit above the narrowest picture."""
PALETTE: list[tuple[float, float, float]] = sns.color_palette("colorblind")
MARKERS = "osD^vP*Xhd"
SHADE = "0.92"

_RC = {
    **sns.axes_style("ticks"),
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "figure.titlesize": 8,
    "legend.fontsize": 7,
    "legend.title_fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.linewidth": 0.6,
    "axes.edgecolor": "0.2",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "xtick.minor.size": 1.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.dpi": 100,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,  # text stays text, as journals ask
    "svg.fonttype": "none",
    "svg.hashsalt": "mrtc",
}


@contextmanager
def theme() -> Iterator[None]:
    """Draws what is inside in the look of ``mrtc``; also a decorator, ``@theme()``."""
    with mpl.rc_context(_RC):
        yield


def new_figure(width: float = WIDTH, height: float = HEIGHT) -> Figure:
    """An empty figure, sizes in inches, that lays itself out; draw on it inside :func:`theme`."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def picture_format(path: Path) -> str:
    """The suffix of ``path``, in lower case.

    Raises:
        OutputError: If it is not that of a format for pictures; check before long work.
    """
    suffix = path.suffix.lower()
    if suffix not in METADATA:
        raise OutputError(
            f"cannot write a picture to {path}: its suffix is {suffix!r}; choose one of "
            f"{', '.join(METADATA)}"
        )
    return suffix


def save(figure: Figure, path: Path) -> None:
    """Writes ``figure`` as PNG, PDF or SVG, after the suffix of ``path``.

    Raises:
        OutputError: If the suffix is another, or the file cannot be written.
    """
    suffix = picture_format(path)
    buffer = io.BytesIO()
    with theme():
        figure.savefig(buffer, format=suffix[1:], metadata=METADATA[suffix])
    write_atomically(path, buffer.getbuffer())


def beta_limits(beta: Float[np.ndarray, " beta"]) -> tuple[float, float]:
    """Ends of a logarithmic axis that shows all of ``beta``, one value alone in its middle."""
    low, high = float(beta.min()), float(beta.max())
    margin = (high / low) ** 0.04 if high > low else 3.0
    return low / margin, high * margin


def log_ticks(low: float, high: float) -> list[float]:
    """Few round values from ``low`` to ``high``: decades, or 1, 2, 5 where those are too few."""

    def inside(locator: Locator) -> list[float]:
        return [float(tick) for tick in locator.tick_values(low, high) if low <= tick <= high]

    decades = inside(LogLocator(subs=(1,)))
    if len(decades) >= 3:
        return decades[:: 1 + len(decades) // 8]
    steps = inside(LogLocator(subs=(1, 2, 5)))
    return steps if 2 <= len(steps) <= 7 else inside(MaxNLocator(4, steps=[1, 2, 5, 10]))


def label_beta(axis: Axis, beta: Float[np.ndarray, " beta"]) -> None:
    """Ticks and label of a logarithmic axis of beta, which reads 0.1, 1, 10 and not powers."""
    axis.set_major_locator(FixedLocator(log_ticks(*beta_limits(beta))))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
    axis.set_label_text("beta")


def beta_axis(axes: Axes, beta: Float[np.ndarray, " beta"]) -> None:
    """Makes the x axis of ``axes`` one of beta."""
    axes.set_xscale("log")
    axes.set_xlim(*beta_limits(beta))
    label_beta(axes.xaxis, beta)


def marker_size(beta: Float[np.ndarray, " beta"]) -> float:
    """Points, such that the markers of a dense grid stay apart."""
    return 2.8 if len(beta) <= 20 else 1.8


def points_well_apart(x: Float[np.ndarray, " point"], y: Float[np.ndarray, " point"]) -> list[int]:
    """Few points to annotate: the first, the last, and between them some that are well apart.

    Apart by more than an eighth of the curve's length, both axes scaled to their extent.

    Returns:
        Indices, ascending; points with a coordinate that is not finite are left out.
    """
    finite = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    points = np.stack([x, y], axis=1)[finite]
    if len(points) < 2:
        return [int(at) for at in finite]
    extent = np.ptp(points, axis=0)
    steps = np.diff(points, axis=0) / np.where(extent > 0, extent, 1)
    along = np.r_[0, np.hypot(*steps.T).cumsum()]
    apart = along[-1] / 8
    chosen = [0]
    for at in range(1, len(along) - 1):
        if min(along[at] - along[chosen[-1]], along[-1] - along[at]) > apart:
            chosen.append(at)
    return [int(finite[at]) for at in (*chosen, len(along) - 1)]


def distortion_label(*configs: Mapping[str, Any]) -> str:
    """Of an axis with the distortions of runs with ``configs``."""
    units = dict.fromkeys(unit_of(VARIABLES["distortion"], config) for config in configs)
    return f"distortion ({' or '.join(units)} per example)"
