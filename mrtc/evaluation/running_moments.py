"""Variances and fourth moments of very many columns, whose rows come block by block."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor


class RunningMoments:
    r"""Central moments of each column, in float64, from blocks that are not kept.

    Each block is centred on its own mean, and then put together with those before it by

    .. math:: M_2 = M_2^a + M_2^b + \delta^2 \frac{n_a n_b}{n}, \quad \delta = \mu_b - \mu_a

    and its kin for :math:`M_3` and :math:`M_4`, so that nothing cancels where means are far from
    zero. Tensors stay on the device of the blocks.

    References:
        Chan et al., "Updating formulae and a pairwise algorithm for computing sample variances",
        1979. Pebay, "Formulas for robust, one-pass parallel computation of covariances and
        arbitrary-order statistical moments", 2008, equations 2.1 and 3.1.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean = self._m2 = self._m3 = self._m4 = torch.zeros(())

    def add(self, rows: Float[Tensor, "row column"]) -> None:
        """Takes in a block of at least one row."""
        rows = rows.double()
        mean = rows.mean(0)
        centred = rows - mean
        squares = centred.square()
        m2, m3, m4 = squares.sum(0), (squares * centred).sum(0), squares.square_().sum(0)
        a, b = self.count, len(rows)
        self.count = n = a + b
        if not a:
            self._mean, self._m2, self._m3, self._m4 = mean, m2, m3, m4
            return
        d = mean - self._mean
        self._m4 = (
            self._m4
            + m4
            + d**4 * (a * b * (a * a - a * b + b * b) / n**3)
            + 6 * d**2 * (a * a * m2 + b * b * self._m2) / n**2
            + 4 * d * (a * m3 - b * self._m3) / n
        )
        self._m3 = (
            self._m3 + m3 + d**3 * (a * b * (a - b) / n**2) + 3 * d * (a * m2 - b * self._m2) / n
        )
        self._m2 = self._m2 + m2 + d**2 * (a * b / n)
        self._mean = self._mean + d * (b / n)

    @property
    def variance(self) -> Float64[Tensor, " column"]:
        """Of each column, with N - 1 in the denominator.

        Raises:
            ValueError: If there are fewer than two rows.
        """
        if self.count < 2:
            raise ValueError(f"a variance needs at least two examples, got {self.count}")
        return self._m2 / (self.count - 1)

    @property
    def fourth(self) -> Float64[Tensor, " column"]:
        """Mean fourth power of what each column is off its mean."""
        return self._m4 / self.count
