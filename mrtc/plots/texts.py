"""What models of documents make of the same codes at several betas: a table in several forms."""

import json
import re
import unicodedata
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from mrtc.errors import OutputError
from mrtc.files import write_atomically
from mrtc.plots.text_table import Grid, text_table, wrap
from mrtc.plots.theme import METADATA, save

NARROWEST = 20
"""Letters a line that texts have in a terminal at least, however narrow that is."""


@dataclass(frozen=True)
class ModelTexts:
    """Texts of one model, a row for each beta.

    Raises:
        ValueError: If texts or rates do not match the betas.
    """

    name: str
    """Of the model."""
    beta: Float[np.ndarray, " beta"]
    """Increasing; a baseline has one."""
    texts: tuple[tuple[str, ...], ...]
    """What is decoded, by beta and column."""
    rates: Float[np.ndarray, "beta example"] | None = None
    """Of the posteriors of the examples behind the codes, in nats; None where there are none."""

    def __post_init__(self) -> None:
        rates = self.beta if self.rates is None else self.rates
        if not len(self.texts) == len(rates) == len(self.beta):
            raise ValueError(
                f"{len(self.texts)} rows of texts and {len(rates)} of rates at {len(self.beta)} "
                "betas; give a row for each"
            )

    @property
    def labels(self) -> list[str]:
        """Of the rows: beta, and below it the mean rate over examples, where there are rates."""
        labels = [f"beta {beta:.3g}" for beta in self.beta.tolist()]
        if self.rates is None:
            return labels
        rates = self.rates.mean(1).tolist()
        return [f"{it}\nrate {rate:.3g} nats" for it, rate in zip(labels, rates, strict=True)]


@dataclass(frozen=True)
class TextTable:
    """Texts of models in the same columns."""

    models: tuple[ModelTexts, ...]
    """One or more."""
    columns: tuple[str, ...]
    """A label for each column."""
    title: str = ""
    originals: tuple[str, ...] | None = None
    """Examples to compare with, one for each column, as the models read them."""
    is_path: bool = False
    """Whether the columns are steps from the first to the last original, the others being empty.
    They are then shown below each other, to be read one after another."""

    def grid(self) -> Grid:
        """The table as it is shown: originals first, then a row for each beta of each model."""
        named = len(self.models) > 1
        rows = [
            (f"{model.name}\n{label}" if named else label, texts)
            for model in self.models
            for label, texts in zip(model.labels, model.texts, strict=True)
        ]
        if self.originals is not None and not self.is_path:
            rows = [("original", self.originals), *rows]
        grid = Grid(
            tuple(label for label, _ in rows),
            self.columns,
            tuple(tuple(map(_shown, texts)) for _, texts in rows),
        )
        return grid.transposed() if self.is_path else grid

    @property
    def heading(self) -> str:
        """The title, and the ends of a path below it."""
        if not self.is_path or self.originals is None:
            return self.title
        first, last = _shown(self.originals[0]), _shown(self.originals[-1])
        return f"{self.title}\nfrom: {first}\nto: {last}"

    def figure(self) -> Figure:
        """The table as a picture.

        Raises:
            OutputError: If the font lacks a letter, or the picture would be too high for a file.
        """
        return text_table(self.grid(), self.heading)

    def to_text(self, width: int) -> str:
        """For a terminal of so many letters a line: each column by itself, below the others."""
        grid = self.grid()
        lines = [one for line in self.heading.splitlines() for one in wrap(line, width, _cells)]
        side = max(_cells(line) for label in grid.rows for line in label.splitlines())
        side = max(1, min(side, width // 2))
        for column, texts in zip(grid.columns, zip(*grid.cells, strict=True), strict=True):
            lines += ["", column.replace("\n", ", ")]
            for label, text in zip(grid.rows, texts, strict=True):
                left = [one for part in label.splitlines() for one in wrap(part, side, _cells)]
                right = wrap(text, max(NARROWEST, width - side - 4), _cells)
                for a, b in zip_longest(left, right, fillvalue=""):
                    lines.append(f"  {a}{' ' * (side - _cells(a))}  {b}".rstrip())
        return "\n".join(lines)

    def to_markdown(self) -> str:
        """As a table of GitHub's Markdown, below the title."""
        grid = self.grid()
        rows = [("", *grid.columns), ("---",) * (len(grid.columns) + 1)]
        rows += [(label, *cells) for label, cells in zip(grid.rows, grid.cells, strict=True)]
        marks = [[cell if at == 1 else _escaped(cell) for cell in r] for at, r in enumerate(rows)]
        table = "".join(f"| {' | '.join(cells)} |\n" for cells in marks)
        heading = "".join(f"{_escaped(line)}\n\n" for line in self.heading.splitlines())
        return heading + table

    def to_json(self) -> str:
        """All of it, rates of each example included, in nats."""
        content = {
            "title": self.title,
            "columns": self.columns,
            "originals": self.originals,
            "models": [
                {
                    "name": model.name,
                    "beta": model.beta.tolist(),
                    "rate_nats": None if model.rates is None else model.rates.tolist(),
                    "texts": model.texts,
                }
                for model in self.models
            ],
        }
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


FORMS = {".md": TextTable.to_markdown, ".json": TextTable.to_json}
"""Files of text, by suffix."""


def require_table_format(path: Path) -> None:
    """Checks, before long work, that a table can be written to ``path``.

    Raises:
        OutputError: If its suffix is that of no form of a table.
    """
    if path.suffix.lower() not in {*METADATA, *FORMS}:
        raise OutputError(
            f"cannot write a table of texts to {path}: its suffix is {path.suffix!r}; choose one "
            f"of {', '.join((*METADATA, *FORMS))}"
        )


def save_table(table: TextTable, path: Path) -> None:
    """Writes a table as a picture, as Markdown or as JSON, after the suffix.

    Raises:
        OutputError: If the suffix is another, or the file cannot be written.
    """
    require_table_format(path)
    form = FORMS.get(path.suffix.lower())
    if form is None:
        save(table.figure(), path)
    else:
        write_atomically(path, form(table).encode())


def _shown(text: str) -> str:
    """A text in a cell: none is said to be so, and control characters command no terminal."""
    safe = "".join("\ufffd" if unicodedata.category(c) == "Cc" else c for c in text)
    return safe or "(no words)"


def _cells(text: str) -> int:
    """Width in a terminal, where letters of East Asia are two cells wide."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _escaped(text: str) -> str:
    """A text in which nothing is a mark of Markdown, in one line."""
    return re.sub(r"([\\`*_\[\]<>|~$&])", r"\\\1", text.replace("\n", ", "))
