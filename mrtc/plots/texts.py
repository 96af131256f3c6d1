"""What models of documents make of the same codes at several betas: a table in several forms."""

import json
import re
import unicodedata
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from matplotlib.figure import Figure

from mrtc.errors import OutputError
from mrtc.files import write_atomically
from mrtc.plots.text_table import Grid, text_table, wrap
from mrtc.plots.theme import METADATA, save
from mrtc.results.texts import Texts
from mrtc.results.texts_file import add_texts, read_texts, require_texts_place

HDF5 = ".h5"
"""The suffix of files that a table is added to."""

NARROWEST = 20
"""Letters a line that texts have in a terminal at least, however narrow that is."""


@dataclass(frozen=True)
class TextTable(Texts):
    """Texts of models in the same columns, in the forms in which they are shown."""

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
            "kind": self.kind,
            "title": self.title,
            "settings": self.settings,
            "columns": self.columns,
            "originals": self.originals,
            "models": [
                {
                    "name": model.name,
                    "fingerprint": model.fingerprint,
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
        ResultsError: If it is an HDF5 file to which no texts can be added.
    """
    suffix = path.suffix.lower()
    if suffix not in {*METADATA, *FORMS, HDF5}:
        raise OutputError(
            f"cannot write a table of texts to {path}: its suffix is {path.suffix!r}; choose one "
            f"of {', '.join((*METADATA, *FORMS, HDF5))}"
        )
    if suffix == HDF5:
        require_texts_place(path)


def save_table(table: TextTable, path: Path) -> None:
    """Writes a table as a picture, as Markdown or as JSON, or adds it to an HDF5 file.

    Raises:
        OutputError: If the suffix is another, or the file cannot be written.
        ResultsError: If it is an HDF5 file to which these texts cannot be added.
    """
    require_table_format(path)
    suffix = path.suffix.lower()
    if suffix == HDF5:
        add_texts(path, table)
    elif suffix in FORMS:
        write_atomically(path, FORMS[suffix](table).encode())
    else:
        save(table.figure(), path)


def read_tables(path: Path | str) -> dict[str, TextTable]:
    """The tables of an HDF5 file by name, as they were when they were written.

    Raises:
        ResultsError: If it cannot be read, or holds no texts.
    """
    return {name: TextTable(**vars(texts)) for name, texts in read_texts(path).items()}


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
