"""Stored pictures as the page shows them: a frame for each beta, of PNGs inside the page."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8

from mrtc.report.series import Series
from mrtc.report.sprites import sprite
from mrtc.results.groups import GROUP, code_name, groups_of, one_group
from mrtc.results.pictures import StoredPictures

COLUMNS = 8
"""Samples in a row."""


@dataclass(frozen=True)
class Frame:
    """What one model makes at one beta."""

    beta: float
    examples: list[int]
    """Their indices in the data."""
    traversed: int
    """Which of the data's examples the traversals start from."""
    codes: list[str]
    """Names of the rows of the traversals."""
    group: str
    """Of a hierarchy, whose codes these are, in words; empty for other models."""
    values: list[float]
    """Columns of the traversals, in standard deviations of the prior."""
    original: int
    """Which of the page's rows of originals belongs to it."""
    reconstructions: str
    samples: str
    traversals: str
    """Data addresses of PNGs, as the two above."""

    def as_json(self) -> dict[str, Any]:
        """As the page's script reads it."""
        return asdict(self)


def originals_of(series: Sequence[Series]) -> dict[bytes, str]:
    """Rows of originals by their pixels: models of the same examples share one."""
    return {
        pictures.originals.tobytes(): sprite(pictures.originals[None])
        for one in series
        for pictures in one.pictures
    }


def frames_of(one: Series, originals: dict[bytes, str]) -> list[Frame]:
    """The frames of one series, by beta."""
    frames = [
        _frame(pictures, at, list(originals).index(pictures.originals.tobytes()))
        for pictures in one.pictures
        for at in range(len(pictures.beta))
    ]
    return sorted(frames, key=lambda frame: frame.beta)


def thinned(frames: Sequence[Frame], most: int) -> list[Frame]:
    """At most so many frames, spread over them, both ends among them where there are two."""
    places = np.linspace(0, len(frames) - 1, min(most, len(frames))).round()
    return [frames[int(at)] for at in places]


def _frame(pictures: StoredPictures, at: int, original: int) -> Frame:
    groups = groups_of(pictures.parameters)
    group: int | None = pictures.parameters[GROUP] if groups else None
    return Frame(
        beta=float(f"{pictures.beta[at]:.6g}"),
        examples=pictures.example.tolist(),
        traversed=int(pictures.parameters["traversed"]),
        codes=[code_name(groups, group, code) for code in pictures.code.tolist()],
        group="" if group is None else one_group(groups, group),
        values=pictures.value.tolist(),
        original=original,
        reconstructions=sprite(pictures.reconstructions[at][None]),
        samples=sprite(_rows(pictures.samples[at])),
        traversals=sprite(pictures.traversals[at]),
    )


def _rows(
    images: UInt8[np.ndarray, "sample height width *channel"],
) -> UInt8[np.ndarray, "row column height width *channel"]:
    """In rows of ``COLUMNS``, the last one filled up with white."""
    columns = min(COLUMNS, len(images))
    missing = -len(images) % columns
    filled = np.pad(images, ((0, missing), *((0, 0),) * (images.ndim - 1)), constant_values=255)
    return filled.reshape(-1, columns, *images.shape[1:])
