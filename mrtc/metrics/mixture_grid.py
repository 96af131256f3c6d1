"""The density of a one-dimensional Gaussian mixture with very many components, on grids.

The density is a convolution, so it costs one pass over the components and a few Fourier transforms:

1. Each component is dealt to six points of a grid over (variance, mean): to the two nearest cells
   with linear weights, to the three nearest rows with those of Lagrange. A deposit between two
   cells, at the fraction f of their distance h, adds f (1 - f) h² to the variance. That much is
   taken off first, so that every component keeps its mean and its variance; what is left is of
   third order, in the cell width as in the distance of rows.
2. Each row of equal variance is convolved with its Gaussian, and the rows are added, in the
   Fourier domain.

Components of very unequal width are sorted into levels by sigma. Each level has a grid of its own,
as fine as its narrowest component asks for and as long as its components reach: narrow components
are resolved only where there are any. The density of the coarser levels comes to a finer grid by
cubic splines, and smooth windows that sum to one hand an integral over from grid to grid. Where a
class has few components for so many cells, they are added to the grid one by one.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.fft
from jaxtyping import Float, Int, Integer
from scipy.interpolate import CubicSpline
from scipy.special import ndtr

CELLS_PER_SIGMA = 3.0  # the highest frequency damps a Gaussian to 1e-17 of its peak
ROW_STEP = 0.06  # distance of rows in log sigma
TAIL = 8.0  # sigmas kept on either side of a mean
LEVEL_RATIO = 8.0  # largest over smallest sigma of a level
EDGE = 6.0  # half the length of a window's edge, in cells of the next coarser grid
MAX_POINTS = 2**24  # of one grid, all rows: 128 MiB
TRANSFORM_GAIN = 4  # grid points transformed in the time of one direct evaluation


@dataclass(frozen=True)
class Domain:
    """Where a grid lies, and where its window fades: ``fade`` is the scale of that, 0 for never."""

    low: float
    high: float
    fade: float

    def window(self, z: Float[np.ndarray, " cell"]) -> Float[np.ndarray, " cell"]:
        """One inside, falling smoothly to zero at the ends of the domain."""
        if self.fade == 0:
            return np.ones_like(z)
        from_low, from_high = (z - self.low) / self.fade, (self.high - z) / self.fade
        inside: Float[np.ndarray, " cell"] = ndtr(from_low - EDGE) * ndtr(from_high - EDGE)
        return inside


@dataclass(frozen=True)
class Level:
    """Components of similar width, dealt to one grid."""

    members: Int[np.ndarray, " member"] | slice
    """Which components these are."""
    position: Float[np.ndarray, " member"]
    """Mean, in cells from the first node."""
    scale: Float[np.ndarray, " member"]
    """Standard deviation, in cells."""
    base: Int[np.ndarray, " member"]
    """Flat index (row, cell) of the lowest of the six points that share a component."""
    shares: Float[np.ndarray, "6 member"]
    kernels: Float[np.ndarray, "row frequency"]
    """Fourier transform of each row's Gaussian."""
    nodes: Float[np.ndarray, " cell"]
    quadrature: Float[np.ndarray, " cell"]
    """Weights of an integral over the line; those of all levels together are complete."""

    @property
    def points(self) -> int:
        """Points of the grid, all rows."""
        return len(self.kernels) * len(self.nodes)

    def density(
        self, classes: Integer[np.ndarray, " example"], chosen: range
    ) -> Float[np.ndarray, "class cell"]:
        """Density of this level's components, per cell width, summed (not averaged) by class."""
        labels = classes[self.members] - chosen.start
        inside: Int[np.ndarray, " inside"] | slice = slice(None)
        if labels.min() < 0 or labels.max() >= len(chosen):
            inside = np.flatnonzero((labels >= 0) & (labels < len(chosen)))
            labels = labels[inside]
        if not len(labels):
            return np.zeros((len(chosen), len(self.nodes)))
        evaluations = len(labels) * 2 * TAIL * float(self.scale.max())
        if evaluations * TRANSFORM_GAIN < len(chosen) * self.points:
            return self._added_up(labels, inside, len(chosen))
        return self._transformed(labels, inside, len(chosen))

    def _transformed(
        self,
        labels: Integer[np.ndarray, " inside"],
        inside: Int[np.ndarray, " inside"] | slice,
        num_classes: int,
    ) -> Float[np.ndarray, "class cell"]:
        cells = len(self.nodes)
        index = labels * self.points + self.base[inside]
        mass = np.zeros(num_classes * self.points)
        corners = (0, 1, cells, cells + 1, 2 * cells, 2 * cells + 1)
        for corner, share in zip(corners, self.shares[:, inside], strict=True):
            mass[corner:] += np.bincount(index, share, len(mass) - corner)
        rows = scipy.fft.rfft(mass.reshape(num_classes, -1, cells), overwrite_x=True)
        transform = np.einsum("krf,rf->kf", rows, self.kernels)
        density: Float[np.ndarray, "class cell"] = scipy.fft.irfft(transform, cells)
        return density

    def _added_up(
        self,
        labels: Integer[np.ndarray, " inside"],
        inside: Int[np.ndarray, " inside"] | slice,
        num_classes: int,
    ) -> Float[np.ndarray, "class cell"]:
        cells, position, scale = len(self.nodes), self.position[inside], self.scale[inside]
        reach = math.ceil(TAIL * self.scale.max())
        near = position.astype(np.int64)[:, None] + np.arange(-reach, reach + 1)
        distance = (near - position[:, None]) / scale[:, None]
        height = np.exp(-0.5 * distance**2) / (math.sqrt(2 * math.pi) * scale[:, None])
        # What lies outside is beyond the tail of its component, and nothing.
        index = labels[:, None] * cells + near.clip(0, cells - 1)
        flat = np.bincount(index.ravel(), height.ravel(), num_classes * cells)
        return flat.reshape(num_classes, cells)


def densities(
    levels: list[Level], classes: Integer[np.ndarray, " example"], chosen: range
) -> Iterator[Float[np.ndarray, "class cell"]]:
    """Density of the whole mixture on the grid of each level in turn, summed by class.

    Args:
        levels: As :func:`lay_grids` returns them, coarsest first.
        classes: Class index of each component.
        chosen: The classes asked for.
    """
    nodes, density = np.empty(0), np.empty((len(chosen), 0))
    for level in levels:
        finer = level.density(classes, chosen) / (level.nodes[1] - level.nodes[0])
        if len(nodes):
            finer += CubicSpline(nodes, density, axis=1)(level.nodes)
        nodes, density = level.nodes, finer
        yield np.maximum(density, 0)  # rounding leaves about -1e-15 of the peak here and there


def lay_grids(
    mean: Float[np.ndarray, " example"], sigma: Float[np.ndarray, " example"]
) -> list[Level]:
    """Sorts the components by width and deals each group to a grid of its own.

    Args:
        mean: Of each component; finite.
        sigma: Standard deviation of each component; positive.

    Returns:
        The levels, coarsest first.

    Raises:
        ValueError: If a grid would take more than 2**24 points.
    """
    groups: list[Int[np.ndarray, " member"] | slice] = [slice(None)]
    if sigma.max() > LEVEL_RATIO * sigma.min():
        rank = (np.log(sigma / sigma.min()) / math.log(LEVEL_RATIO)).astype(np.int64)
        groups = [np.flatnonzero(rank == r) for r in np.flatnonzero(np.bincount(rank))]
    widths = [float(sigma[group].min()) / CELLS_PER_SIGMA for group in groups]
    low, high = math.inf, -math.inf
    levels: list[Level] = []
    finer: Domain | None = None
    for group, width, fade in zip(groups, widths, [*widths[1:], 0.0], strict=True):
        means, sigmas = mean[group], sigma[group]
        # A coarser domain holds the finer one, faded edges included, so that windows telescope.
        low = min(low, float((means - TAIL * sigmas).min())) - 2 * EDGE * fade
        high = max(high, float((means + TAIL * sigmas).max())) + 2 * EDGE * fade
        domain = Domain(low, high, fade)
        levels.append(_deal(means, sigmas, group, width, domain, finer))
        finer = domain
    return levels[::-1]


def _deal(
    mean: Float[np.ndarray, " member"],
    sigma: Float[np.ndarray, " member"],
    members: Int[np.ndarray, " member"] | slice,
    width: float,
    domain: Domain,
    finer: Domain | None,
) -> Level:
    """Deals components to the six points around their (variance, mean)."""
    rows = 4 + int(math.log(float(sigma.max() / sigma.min())) / ROW_STEP)  # at most
    span = domain.high - domain.low
    if not span * rows < MAX_POINTS * width:
        raise ValueError(
            f"a sigma of {width * CELLS_PER_SIGMA:.3g} is too small for a grid over {span:.3g}, "
            "the range of the posteriors of about that width; use estimator='sampling'"
        )
    cells = scipy.fft.next_fast_len(math.ceil(span / width) + 2, real=True)
    position, scale = (mean - domain.low) / width, sigma / width
    cell = position.astype(np.int64)
    right = position - cell
    left = 1 - right
    variance = scale**2 - left * right
    ratio = math.exp(2 * ROW_STEP)
    row = (np.log(variance / variance.min()) / math.log(ratio)).astype(np.int64)
    variances = variance.min() * ratio ** np.arange(-1, row.max() + 2)
    x = variance / variances[row + 1]  # from 1 to the ratio, so only the lowest share is negative
    below = (1 - x) * (ratio - x) / ((1 - 1 / ratio) * (ratio - 1 / ratio))
    above = (x - 1 / ratio) * (x - 1) / ((ratio - 1 / ratio) * (ratio - 1))
    frequency = 2 * np.pi * scipy.fft.rfftfreq(cells)
    nodes = domain.low + width * np.arange(cells)
    window = domain.window(nodes) - (0 if finer is None else finer.window(nodes))
    return Level(
        members=members,
        position=position,
        scale=scale,
        base=row * cells + cell,
        shares=np.stack([s * a for a in (below, 1 - below - above, above) for s in (left, right)]),
        kernels=np.exp(-0.5 * np.outer(variances, frequency**2)),
        nodes=nodes,
        quadrature=width * np.maximum(window, 0),
    )
