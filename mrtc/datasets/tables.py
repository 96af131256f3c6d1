"""Tables of whole numbers with one row for each image: factors, labels, attributes."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int, Int64

from mrtc.errors import DataError


@dataclass(frozen=True, eq=False)
class Attributes:
    """What is known of each image, in whole numbers."""

    names: tuple[str, ...]
    """Of the columns."""

    values: Int64[np.ndarray, "example attribute"] = field(repr=False)
    """Rows in the order of the images."""

    def __post_init__(self) -> None:
        if len(self.names) != self.values.shape[1]:
            raise ValueError(
                f"{len(self.names)} names do not fit values of shape {self.values.shape}; give one "
                "name for each column"
            )

    def rows(self, index: Int[np.ndarray, " batch"]) -> "Attributes":
        """Those of some images."""
        return Attributes(self.names, self.values[index])


@dataclass(frozen=True, eq=False)
class FileTable:
    """Attributes by the name of the image's file."""

    place: str
    """What messages call it."""

    names: tuple[str, ...]
    """Of the columns."""

    row_of: dict[str, int] = field(repr=False)
    """Position of a file's row."""

    values: Int64[np.ndarray, "row attribute"] = field(repr=False)
    """In the order of the table."""

    def of(self, files: Sequence[str]) -> Attributes:
        """The rows of some files, in their order; other rows are left aside.

        Raises:
            DataError: If a file has no row.
        """
        missing = [file for file in files if file not in self.row_of]
        if missing:
            others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise DataError(
                f"{self.place} has no row for the image {missing[0]}{others}: it has "
                f"{len(self.row_of)} rows, and there are {len(files)} images; add the rows, or "
                "remove the images"
            )
        order = np.array([self.row_of[file] for file in files], np.int64)
        return Attributes(self.names, self.values[order])


def table_of(
    place: str, names: tuple[str, ...], rows: Iterable[Sequence[str]], *, first_line: int
) -> FileTable:
    """A table of rows that begin with the name of a file.

    Args:
        place: What messages call it.
        names: Of the columns after the first.
        rows: The fields of each line; an empty line counts as a line, but is no row.
        first_line: Number of the first one in its file, for messages.

    Raises:
        DataError: If a row has too many or too few fields, a field is no whole number of 64 bits,
            or a file has two rows.
    """
    row_of: dict[str, int] = {}
    values = []
    for line, row in enumerate(rows, start=first_line):
        if not row:
            continue
        file, *fields = row
        if len(fields) != len(names):
            raise DataError(
                f"{place}, line {line}: a row is the name of a file and {len(names)} whole numbers "
                f"({_in_brief(names)}), got {len(fields)} after {file!r}; mend that line"
            )
        if file in row_of:
            raise DataError(f"{place}, line {line}: {file!r} has a row already; remove one of them")
        row_of[file] = len(row_of)
        try:
            values.append(np.array([int(field) for field in fields], np.int64))
        except (ValueError, OverflowError) as error:
            raise DataError(
                f"{place}, line {line}: {file!r} should be followed by whole numbers of at most 64 "
                f"bits, got {_in_brief(fields)}; number the classes from 0 on"
            ) from error
    if not values:
        raise DataError(f"{place} has no rows; add one for each image, or remove the file")
    return FileTable(place, names, row_of, np.stack(values))


def read_csv(place: str, data: bytes) -> FileTable:
    """Reads comma-separated values: a line of names, then for each image its file and numbers.

    Args:
        place: What messages call it.
        data: Text in UTF-8.

    Raises:
        DataError: If it has another form.
    """
    try:
        header, *rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise DataError(
            f"{place} is no table of comma-separated values in UTF-8 ({error}); its first line "
            "should name the columns, and the others begin with the name of an image"
        ) from error
    names = tuple(name.strip() for name in header[1:])
    if not names or not all(names) or len(set(names)) < len(names) or _are_numbers(names):
        raise DataError(
            f"{place}: its first line should name the columns, the first of which holds the names "
            f"of the images, got {_in_brief(header)}; add such a line"
        )
    return table_of(place, names, rows, first_line=2)


def _are_numbers(fields: Sequence[str]) -> bool:
    return all(field.removeprefix("-").isdecimal() for field in fields)


def _in_brief(fields: Sequence[str]) -> str:
    shown = ", ".join(field if len(field) <= 20 else f"{field[:20]}..." for field in fields[:5])
    return f"{shown}, ..." if len(fields) > 5 else shown
