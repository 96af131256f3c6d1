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


class Marks(NamedTuple):
    """Values over beta."""

    beta: Float64[np.ndarray, " beta"]
    value: Float64[np.ndarray, " beta"]


class Sizes(NamedTuple):
    """Parameters of a baseline, and of a multi-rate network."""

    plain: int
    multirate: int


class Elbo(NamedTuple):
    """Rate and distortion at the beta of the greatest ELBO, which is less their sum, in nats."""

    negative: float
    rate: float
    distortion: float


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

FIG5_YAHOO: dict[str, Points] = {
    "baselines": _points(
        *((104.8, 330.7), (98.9, 331.7), (88.7, 331.8), (80.5, 331.3), (72.4, 330.9)),
        *((61.8, 331.7), (52.5, 331.9), (41.6, 333.4), (28.1, 337.0), (13.3, 344.0)),
        *((4.2, 351.9), (0.0, 355.0), (0.0, 357.0)),
    ),
    "multi-rate": _points(
        *((103.0, 331.0), (86.8, 331.1), (70.0, 331.4), (53.6, 332.2), (36.4, 334.4)),
        *((24.8, 338.2), (8.8, 348.9), (0.6, 358.4), (0.2, 359.2)),
    ),
}
"""LSTMs on the test part of Yahoo answers, 100,000 documents for training; small betas first. The
baselines are one of two series, with constant or annealed weight of the rate: which is not marked.
Four of them have rate 0, and here the least and the greatest of their distortions."""

_DENSE = np.geomspace(0.01, 10, 20)


def _marks(beta: Float64[np.ndarray, " beta"], *values: int | float) -> Marks:
    return Marks(beta, np.array(values, float))


_UNEVEN = (3.79, 6.16, 10.0)
"""Some baselines of figure 6; the appendix has another grid."""

_COARSE = np.geomspace(0.01, 10, 10)

FIG6_ACTIVE_UNITS: dict[str, dict[str, Marks]] = {
    "omniglot": {
        "baselines": _marks(np.r_[_COARSE[3:7], _UNEVEN], 32, 32, 32, 28, 8, 3, 2),
        "multi-rate": _marks(_DENSE[14:], 32, 28, 22, 10, 4, 2),
    },
    "svhn": {
        "baselines": _marks(_COARSE[6:], 32, 18, 10, 4),
        "multi-rate": _marks(_DENSE[14:], 32, 24, 16, 11, 8, 4),
    },
    "celeba": {
        "baselines": _marks(_COARSE[6:], 64, 43, 25, 15),
        "multi-rate": _marks(_DENSE[15:], 64, 62, 46, 36, 34),
    },
}
"""From the greatest beta on at which all codes are active; below it they are too. Those of Omniglot
baselines are all that the figure has."""

FIG6_FID: dict[str, dict[str, Marks]] = {
    "svhn": {
        "baselines": _marks(
            np.r_[_COARSE[:7], _UNEVEN],
            *(73.0, 56.7, 45.9, 44.6, 51.4, 63.6, 91.8),
            *(160.9, 194.4, 268.0),
        ),
        "multi-rate": _marks(
            _COARSE, 46.2, 43.3, 40.4, 41.4, 42.4, 58.1, 81.8, 123.8, 179.5, 231.0
        ),
    },
    "celeba": {
        "baselines": _marks(
            np.r_[_COARSE[:7], _UNEVEN],
            *(131.7, 74.5, 54.3, 55.0, 54.1, 58.8, 60.2),
            *(70.5, 78.4, 91.7),
        ),
        "multi-rate": _marks(_COARSE, 62.5, 55.2, 55.1, 55.2, 57.7, 56.8, 59.2, 65.7, 76.3, 87.6),
    },
}
"""Numbers of samples and of reference images are not said."""

FIG8_RANGES: dict[tuple[float, float], Points] = {
    (0.001, 10.0): _points((149.5, 51.5), (0.9, 164.4)),
    (0.01, 10.0): _points((116.3, 51.9), (0.9, 164.1)),
    (0.1, 10.0): _points((75.3, 55.6), (0.9, 164.7)),
    (1.0, 10.0): _points((26.4, 85.2), (0.8, 164.5)),
    (0.01, 1.0): _points((119.7, 51.0), (42.4, 67.2)),
    (0.01, 0.1): _points((127.4, 51.0), (91.7, 52.3)),
}
"""Both ends of the curve of each range of beta; Omniglot, residual network."""

TABLE1: dict[tuple[str, str], Sizes] = {
    ("MNIST, Omniglot", "conv"): Sizes(17_526_977, 17_885_377),
    ("MNIST, Omniglot", "resnet"): Sizes(1_881_217, 1_884_289),
    ("CIFAR-10", "conv"): Sizes(40_462_723, 40_819_075),
    ("CIFAR-10", "resnet"): Sizes(7_896_963, 7_898_435),
    ("CelebA", "conv"): Sizes(34_594_563, 34_969_091),
    ("CelebA", "resnet"): Sizes(2_770_819, 2_774_403),
}
"""Counted of the published networks whose numbers the table has, which prints four digits of each,
some rounded and some cut off, with exponents ten times too small."""

TABLE2: dict[tuple[str, str, str], Elbo] = {
    ("binarized-mnist", "resnet", "baselines"): Elbo(89.63, 29.17, 60.46),
    ("binarized-mnist", "resnet", "multi-rate"): Elbo(87.89, 27.07, 60.82),
    ("binarized-mnist", "conv", "baselines"): Elbo(96.35, 18.33, 78.03),
    ("binarized-mnist", "conv", "multi-rate"): Elbo(93.51, 28.50, 65.00),
    ("omniglot", "resnet", "baselines"): Elbo(111.07, 34.98, 76.09),
    ("omniglot", "resnet", "multi-rate"): Elbo(107.78, 34.36, 73.41),
    ("omniglot", "conv", "baselines"): Elbo(114.73, 34.11, 80.62),
    ("omniglot", "conv", "multi-rate"): Elbo(110.98, 34.21, 76.77),
}
"""Test part, by dataset, architecture and kind of runs."""

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
