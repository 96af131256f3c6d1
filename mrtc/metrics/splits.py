"""Which examples a score looks at: a seeded split, and draws that keep a factor's class."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int, Int64

from mrtc.metrics.arrays import classes_of, varying

LARGEST_GATHER = 4_000_000  # numbers held at once


def split_rows(
    examples: int, train: int | None = None, test: int | None = None, *, seed: int = 0
) -> tuple[Int64[np.ndarray, " train"], Int64[np.ndarray, " test"]]:
    """Rows to fit on and rows to score on, drawn without replacement, none in both.

    Args:
        examples: How many rows there are.
        train: Rows to fit on; by default all that are not for the test.
        test: Rows to score on; by default all that are not for the fit, or a third (at least one)
            where neither number is given.
        seed: Of the order in which rows are taken.

    Raises:
        ValueError: If fewer than one row is asked for, or more than there are.
    """
    if train is None and test is None:
        test = max(1, examples // 3)
    if test is None:
        test = examples - (train or 0)
    if train is None:
        train = examples - test
    if min(train, test) < 1 or train + test > examples:
        raise ValueError(
            f"train and test need at least one example each, and {examples} together at most; got "
            f"train={train} and test={test}"
        )
    order = np.random.default_rng(seed).permutation(examples).astype(np.int64)
    return order[:train], order[train : train + test]


@dataclass(frozen=True, eq=False)
class RowsByClass:
    """The rows of one factor, sorted so that rows of one class can be drawn at once."""

    classes: Int64[np.ndarray, " example"]
    """Without gaps, from 0 on."""
    order: Int64[np.ndarray, " example"]
    """Rows of class 0, then of class 1, and so on."""
    count: Int64[np.ndarray, " class"]
    """Examples of each class."""

    @classmethod
    def of(cls, factor: Int64[np.ndarray, " example"]) -> "RowsByClass":
        """Sorts the rows of a factor."""
        classes = classes_of(factor)
        order = np.argsort(classes, kind="stable").astype(np.int64)
        return cls(classes, order, np.bincount(classes).astype(np.int64))

    @property
    def in_company(self) -> Int64[np.ndarray, " row"]:
        """Rows whose class has another example; the others show no variation within a class."""
        return np.flatnonzero(self.count[self.classes] > 1).astype(np.int64)

    def companions(
        self, rows: Int[np.ndarray, "*draw"], generator: np.random.Generator
    ) -> Int64[np.ndarray, "*draw"]:
        """For each row one of the same class, drawn with replacement; it may be the row itself."""
        classes = self.classes[rows]
        start = np.cumsum(self.count) - self.count
        place = start[classes] + generator.integers(self.count[classes])
        drawn: Int64[np.ndarray, "*draw"] = self.order[place]
        return drawn


def pieces(
    rows: Int[np.ndarray, "draw batch"], codes: Float64[np.ndarray, "example code"]
) -> list[Int[np.ndarray, "_ batch"]]:
    """The rows in parts, so that the codes of each part fit in memory."""
    return np.array_split(rows, 1 + rows.size * codes.shape[1] // LARGEST_GATHER)


def shared_factors(
    factors: Int64[np.ndarray, "example factor"],
) -> dict[int, RowsByClass]:
    """Factors that vary and that at least two examples have in common, by position."""
    groups = {k: RowsByClass.of(factor) for k, factor in enumerate(factors.T)}
    return {k: g for k, g in groups.items() if len(g.count) > 1 and len(g.in_company)}


def no_split(factors: Int64[np.ndarray, "example factor"]) -> str | None:
    """Why these factors cannot be split by class, where one that varies has too rare a class."""
    for k in varying(factors):
        classes, counts = np.unique(factors[:, k], return_counts=True)
        if counts.min() < 2:
            rare = classes[counts.argmin()]
            return f"class {rare} of factor {k} occurs once; a split needs two examples of each"
    return None


def stratified_split(
    classes: Int64[np.ndarray, " example"], test_fraction: float, seed: int
) -> Bool[np.ndarray, " example"]:
    """Which examples are held out: of each class about that fraction, drawn at random.

    Args:
        classes: From 0 on without gaps, each at least twice. Each has one on either side.
        test_fraction: Above 0 and below 1.
        seed: Of the draw.

    Raises:
        ValueError: If the fraction is not between 0 and 1.
    """
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction is above 0 and below 1, got {test_fraction}")
    counts = np.bincount(classes)
    held_out = np.clip(np.round(test_fraction * counts), 1, counts - 1)
    shuffled = np.random.default_rng(seed).permutation(len(classes))
    order = shuffled[np.argsort(classes[shuffled], kind="stable")]
    place = np.arange(len(classes)) - np.repeat(np.cumsum(counts) - counts, counts)
    test = np.empty(len(classes), dtype=bool)
    test[order] = place < np.repeat(held_out, counts)
    return test
