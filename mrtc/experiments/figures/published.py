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


class Points(NamedTuple):
    """Rates and distortions, whose betas the figure does not say one by one."""

    rate: Float64[np.ndarray, " point"]
    distortion: Float64[np.ndarray, " point"]


def _points(*points: tuple[float, float]) -> Points:
    return Points(*np.array(points).T)


FIG5: dict[str, dict[str, Points]] = {
    "binarized-mnist": {
        "baselines": _points(
            *((98.5, 55.9), (78.4, 53.1), (55.3, 51.2), (29.2, 60.5), (17.1, 74.4), (10.3, 92.6))
        ),
        "multi-rate": _points(
            *((108.8, 40.7), (98.0, 40.3), (85.1, 40.3), (70.5, 41.2), (54.6, 44.4), (36.1, 53.6)),
            *((27.1, 61.1), (20.4, 69.4), (15.9, 77.6), (9.6, 97.5), (7.2, 111.6)),
        ),
    },
    "omniglot": {
        "baselines": _points(
            *((123.0, 51.1), (107.4, 52.1), (91.4, 53.5), (74.2, 55.8), (54.4, 62.3)),
            *((35.0, 75.9), (19.4, 97.7), (5.7, 136.0), (0.75, 165.4)),
        ),
        "multi-rate": _points(
            *((118.9, 51.8), (109.2, 51.8), (98.0, 51.9), (85.4, 52.5), (71.9, 54.2)),
            *((57.6, 58.0), (42.4, 66.3), (26.1, 84.3), (10.2, 120.2), (1.8, 157.1), (0.9, 164.4)),
        ),
    },
    "cifar10": {
        "baselines": _points(
            *((126.3, 17.0), (74.9, 24.7), (42.7, 35.0), (23.7, 48.0), (12.7, 64.3), (6.5, 83.4)),
            (3.0, 107.3),
        ),
        "multi-rate": _points(
            *((156.9, 15.1), (107.1, 19.6), (66.1, 27.1), (38.2, 37.6), (21.7, 50.5)),
            *((11.9, 66.1), (6.3, 84.8), (3.2, 105.9)),
        ),
    },
    "svhn": {
        "baselines": _points(
            *((81.5, 8.3), (65.0, 8.6), (50.1, 9.4), (35.6, 11.0), (23.3, 14.6), (13.8, 21.1)),
            *((7.5, 30.4), (3.7, 43.2), (1.9, 55.6)),
        ),
        "multi-rate": _points(
            *((78.4, 8.1), (43.6, 9.6), (26.8, 13.1), (17.1, 18.2), (9.7, 26.4), (5.1, 37.5)),
            *((2.6, 49.6), (2.0, 54.8)),
        ),
    },
    "celeba": {
        "baselines": _points(
            *((197.1, 66.2), (168.1, 67.1), (139.7, 70.6), (111.5, 73.8), (83.4, 82.7)),
            *((56.9, 104.5), (34.6, 136.4), (19.8, 190.0), (11.2, 247.6)),
        ),
        "multi-rate": _points(
            *((205.7, 64.2), (174.2, 64.6), (137.7, 66.5), (101.0, 72.4), (65.5, 89.2)),
            *((43.0, 114.7), (26.2, 153.4), (15.8, 202.9), (12.5, 230.6)),
        ),
    },
}
"""Residual networks on the test part, by dataset; 200 epochs, small betas first."""

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
