"""Numbers of Bae et al. (ICLR 2023), beside which ours are put.

Those of figures are read off the vector graphics of the paper, to about 0.1 % of an axis, and are
printed nowhere; those of the baselines of figure 8 are in the authors' plotting script too.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64


class Curve(NamedTuple):
    """Rate and distortion over beta, in the units of the figure."""

    beta: Float64[np.ndarray, " beta"]
    rate: Float64[np.ndarray, " beta"]
    distortion: Float64[np.ndarray, " beta"]


class Series(NamedTuple):
    """A score over beta, with half the length of its error bars."""

    beta: Float64[np.ndarray, " beta"]
    mean: Float64[np.ndarray, " beta"]
    half: Float64[np.ndarray, " beta"]


class Cost(NamedTuple):
    """Of a whole rate-distortion curve."""

    parameters: int
    seconds: float


def _curve(beta: Float64[np.ndarray, " beta"], *points: tuple[float, float]) -> Curve:
    return Curve(beta, *np.array(points).T)


FIG4_BASELINES = _curve(
    np.geomspace(0.01, 10, 10)[2:],
    *((59.57, 27.04), (47.14, 27.89), (34.82, 29.69), (22.56, 33.63)),
    *((10.69, 41.83), (3.94, 51.60), (0.82, 62.16), (0.02, 67.22)),
)
"""Linear baselines; those at the two smallest betas are off the axes."""

FIG4_MULTIRATE = _curve(
    np.geomspace(0.01, 10, 20),
    *((69.83, 27.04), (65.87, 27.15), (61.75, 27.31), (57.51, 27.53), (53.16, 27.81)),
    *((48.70, 28.17), (44.14, 28.65), (39.43, 29.26), (34.57, 30.11), (29.59, 31.30)),
    *((24.59, 32.96), (19.73, 35.26), (15.20, 38.25), (11.17, 41.98), (7.75, 46.18)),
    *((4.96, 50.82), (2.76, 55.61), (1.20, 60.65), (0.41, 64.58), (0.57, 66.56)),
)
"""The linear multi-rate VAE."""

_FIG8_SEEDS = np.array(
    [
        *([0.069, 0.030, 0.012], [0.054, 0.023, 0.038], [0.058, 0.031, 0.107]),
        *([0.034, 0.029, 0.070], [0.435, 0.089, 0.141], [0.127, 0.364, 0.518]),
        [0.369, 0.213, 0.159],
    ]
)
FIG8_BASELINES = Series(np.geomspace(0.1, 10, 7), _FIG8_SEEDS.mean(1), _FIG8_SEEDS.std(1))
"""MIG of Chen et al. of beta-TCVAE on dSprites: mean and population deviation of three seeds."""

FIG8_MULTIRATE = Series(
    np.geomspace(0.1, 10, 10),
    np.array([0.369, 0.398, 0.441, 0.445, 0.443, 0.449, 0.453, 0.443, 0.443, 0.422]),
    np.array([0.085, 0.057, 0.054, 0.056, 0.054, 0.057, 0.044, 0.057, 0.055, 0.055]),
)
"""The same of the multi-rate VAE."""

FIG1_COST = {
    "one baseline": Cost(1_881_217, 4_836),
    "8 baselines": Cost(15_049_736, 38_492),
    "multi-rate": Cost(1_884_289, 5_040),
}
"""Table in figure 1: ResNet, one P100. The printed exponents of the parameters are ten times too
small; these were counted."""
