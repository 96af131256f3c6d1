"""Factor grids: data sets that hold every combination of their ground-truth factors once."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int


@dataclass(frozen=True)
class FactorGrid:
    """The full grid of some factors; the class of the last factor varies fastest.

    Example:
        >>> grid = FactorGrid(names=("shape", "x"), sizes=(3, 32))
        >>> len(grid)
        96
        >>> grid.classes(np.array(33))
        array([1, 1])
    """

    names: tuple[str, ...]
    """One name for each factor."""

    sizes: tuple[int, ...]
    """How many classes each factor has."""

    def __post_init__(self) -> None:
        if not self.sizes or len(self.names) != len(self.sizes) or min(self.sizes) < 1:
            raise ValueError(
                "a grid needs one name and one size of at least 1 for every factor, got "
                f"names={self.names} and sizes={self.sizes}; make the two equally long"
            )

    def __len__(self) -> int:
        return math.prod(self.sizes)

    def index(self, classes: Int[np.ndarray, "*shape factor"]) -> Int[np.ndarray, "*shape"]:
        """Position in the grid of each row of factor classes.

        Raises:
            ValueError: If a class is not one of its factor's.
        """
        sizes = np.array(self.sizes)
        if classes.shape[-1] != len(sizes) or (classes < 0).any() or (classes >= sizes).any():
            raise ValueError(
                f"every row needs {len(sizes)} classes, from 0 to below {self.sizes}, got "
                f"shape {classes.shape} with values {_extent(classes)}; "
                f"give the classes in the order {self.names}"
            )
        strides = np.cumprod([1, *self.sizes[:0:-1]], dtype=np.int64)[::-1]
        return np.asarray(classes.astype(np.int64) @ strides)

    def classes(self, index: Int[np.ndarray, "*shape"]) -> Int[np.ndarray, "*shape factor"]:
        """Class of every factor at each position in the grid; the inverse of ``index``.

        Raises:
            ValueError: If a position lies outside the grid.
        """
        if (index < 0).any() or (index >= len(self)).any():
            raise ValueError(
                f"positions in this grid go from 0 to {len(self) - 1}, got {_extent(index)}; "
                "count from 0, and from the front"
            )
        return np.stack(np.unravel_index(index, self.sizes), axis=-1).astype(np.int64)

    def stratified(self, count: int, rng: np.random.Generator) -> Int[np.ndarray, " count"]:
        """Draws distinct examples in which every class of a factor is equally frequent.

        Classes are dealt out like cards, factor after factor, and round by round: to the
        examples that agree on the factors so far, then to the next such group. So a class
        falls equally often, up to one, on every group and on the whole. The first keeps the
        examples distinct (no group ever outgrows the part of the grid that it stands for), the
        second is the balance promised. Every example is equally likely to be drawn.

        Args:
            count: How many examples to draw.
            rng: Source of randomness.

        Returns:
            Positions in the grid, ascending.

        Raises:
            ValueError: If ``count`` is below 1 or above the size of the grid.
        """
        if not 1 <= count <= len(self):
            raise ValueError(
                f"a draw of distinct examples needs 1 <= count <= {len(self)}, got "
                f"count={count}; ask for as many as the grid has, at most"
            )
        drawn = np.zeros(count, np.int64)
        for size in self.sizes:
            group = np.unique(drawn, return_inverse=True)[1]
            by_group = np.argsort(rng.permutation(count)[group], kind="stable")
            dealt = np.empty(count, np.int64)
            dealt[by_group] = rng.permutation(size)[np.arange(count) % size]
            drawn = drawn * size + dealt
        return np.sort(drawn)


def _extent(values: Int[np.ndarray, "*shape"]) -> str:
    return f"{values.min()} to {values.max()}" if values.size else "none"
