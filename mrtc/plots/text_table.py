"""Tables of long texts: cells wrapped to their columns, thin rules, as high as their lines are."""

import functools
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path

from mrtc.errors import OutputError
from mrtc.plots.dots import POINTS
from mrtc.plots.theme import WIDTH, new_figure, theme

TITLE, TEXT = 8.0, 7.0
"""Sizes of letters in points, as the theme has them."""
PITCH = 1.3
"""From line to line, as a multiple of the size."""
MARGIN, GAP, PAD = 6.0, 10.0, 4.0
"""Points around the table, between columns, and between a rule and the text under it."""
WIDEST_LABEL = 100.0
"""Points; longer labels of rows are wrapped."""
NARROWEST, MOST_LINES = 22, 8
"""Columns stand beside each other while each has so many letters a line, and cells few lines."""
HIGHEST = 200.0
"""Inches; about the most that a PNG of 300 dots an inch and a PDF can have."""
THIN, THICK = 0.3, 0.8
"""Points of rules."""


@dataclass(frozen=True)
class Grid:
    """Texts in rows and columns with labels; a label may have several lines.

    Raises:
        ValueError: If labels and cells do not match.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        if len(self.cells) != len(self.rows) or {len(r) for r in self.cells} != {len(self.columns)}:
            raise ValueError(
                f"{len(self.cells)} rows of {sorted({len(row) for row in self.cells})} texts with "
                f"{len(self.rows)} and {len(self.columns)} labels; give one for each row and column"
            )

    def transposed(self) -> "Grid":
        """Rows as columns."""
        return Grid(self.columns, self.rows, tuple(zip(*self.cells, strict=True)))

    def bands(self, letters: float | int) -> list["Grid"]:
        """The columns in groups that fit beside each other in so many letters, most at first."""
        longest = max(len(text) for row in self.cells for text in row)
        across = len(self.columns)
        while across > 1 and (
            letters / across < NARROWEST or longest * across / letters > MOST_LINES
        ):
            across -= 1
        width = math.ceil(len(self.columns) / math.ceil(len(self.columns) / across))
        parts = [slice(at, at + width) for at in range(0, len(self.columns), width)]
        return [
            Grid(self.rows, self.columns[part], tuple(row[part] for row in self.cells))
            for part in parts
        ]


def wrap(text: str, width: float | int, measure: Callable[[str], float]) -> list[str]:
    """Lines of a text, none wider than ``width`` by ``measure``; words that are wider are cut."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if measure(longer) <= width:
            lines[-1] = longer
            continue
        rest = word
        while measure(rest) > width and len(rest) > 1:
            fits = (at for at in range(len(rest) - 1, 1, -1) if measure(rest[:at]) <= width)
            cut = next(fits, 1)
            lines.append(rest[:cut])
            rest = rest[cut:]
        lines.append(rest)
    return lines if lines[0] or len(lines) == 1 else lines[1:]


@theme()
def text_table(grid: Grid, title: str = "") -> Figure:
    """The table, of the width of a paper's text; what does not fit beside each other stands below.

    Args:
        grid: Its texts; a dollar is a dollar, and no sign of a formula.
        title: Stands above; each of its lines is wrapped by itself.

    Raises:
        OutputError: If the font lacks a letter, or the picture would be too high for a file.
    """
    sheet = _Sheet()
    inner = WIDTH * POINTS - 2 * MARGIN
    for line in title.splitlines():
        sheet.row([(MARGIN, inner, line)], TITLE)
    lines = [line for label in grid.rows for line in label.splitlines()]
    side = min(WIDEST_LABEL, max(_points(line, TEXT) for line in lines) + 1 if lines else 0.0)
    left = MARGIN + side + GAP
    room = inner - side - GAP
    texts = [text for row in grid.cells for text in row]
    letters = sum(map(len, texts))
    # Of a long text, a part tells how wide its letters are.
    seen = [text[:200] for text in texts if text]
    letter = sum(_points(text, TEXT) for text in seen) / sum(map(len, seen)) if letters else 1.0
    for band in grid.bands(room / letter):
        width = (room + GAP) / len(band.columns) - GAP
        places = [left + at * (width + GAP) for at in range(len(band.columns))]
        sheet.rule(THICK)
        if any(band.columns):
            heads = [label.replace("\n", ", ") for label in band.columns]
            sheet.row([(x, width, head) for x, head in zip(places, heads, strict=True)], bold=True)
        for at, (label, cells) in enumerate(zip(band.rows, band.cells, strict=True)):
            if at or any(band.columns):
                sheet.rule(THIN)
            sheet.row(
                [
                    (MARGIN, side, label),
                    *((x, width, text) for x, text in zip(places, cells, strict=True)),
                ]
            )
        sheet.rule(THICK)
        sheet.skip()
    return sheet.figure()


@dataclass
class _Sheet:
    """Lines of text and rules by their places, in points from the upper left corner."""

    y: float = MARGIN
    texts: list[tuple[float, float, str, float, bool]] = field(default_factory=list)
    rules: list[tuple[float, float]] = field(default_factory=list)

    def row(
        self, cells: Sequence[tuple[float, float, str]], size: float = TEXT, *, bold: bool = False
    ) -> None:
        """Texts at a place, in a width; the next row begins below the longest of them."""
        most = 0
        for x, width, text in cells:
            measure = functools.partial(_points, size=size, bold=bold)
            lines = [one for part in text.splitlines() for one in wrap(part, width, measure)]
            for at, line in enumerate(lines):
                self.texts.append((x, self.y + (at + 1) * size * PITCH, line, size, bold))
            most = max(most, len(lines))
        self.y += most * size * PITCH + PAD

    def rule(self, width: float) -> None:
        self.rules.append((self.y, width))

    def skip(self) -> None:
        self.y += GAP

    def figure(self) -> Figure:
        height = self.y - GAP + MARGIN
        if height > HIGHEST * POINTS:
            raise OutputError(
                f"the table would be {height / POINTS:.0f} inches high, and a picture has at most "
                f"{HIGHEST:g}; show fewer or shorter texts, or write it as .md or .json"
            )
        figure = new_figure(WIDTH, height / POINTS)
        figure.set_layout_engine("none")
        wide = WIDTH * POINTS
        for x, y, line, size, bold in self.texts:
            weight = "bold" if bold else "normal"
            figure.text(
                *(x / wide, 1 - y / height, line),
                size=size,
                weight=weight,
                va="baseline",
                parse_math=False,
            )
        for y, width in self.rules:
            ends = [MARGIN / wide, 1 - MARGIN / wide]
            figure.add_artist(Line2D(ends, [1 - y / height] * 2, linewidth=width, color="0.2"))
        return figure


def _points(text: str, size: float, *, bold: bool = False) -> float:
    """Width of a line of text, letter by letter: pairs that are set closer make it narrower.

    Raises:
        OutputError: If the font lacks a letter of it.
    """
    try:
        return size * sum(_advance(letter, bold=bold) for letter in text)
    except UserWarning as warning:
        raise OutputError(
            f"the font of pictures lacks a letter of {text[:40]!r} ({warning}); write the table as "
            ".md or .json, or read it in the terminal"
        ) from warning


@functools.cache
def _advance(letter: str, *, bold: bool) -> float:
    """From a letter to the next one, at size one."""
    font = FontProperties(size=100, weight="bold" if bold else "normal")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Glyph .* missing")
        with_it, without = (
            text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]
            for text in (f"|{letter}|", "||")
        )
    return float(with_it - without) / 100
