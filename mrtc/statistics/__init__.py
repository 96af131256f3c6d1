"""Statistics of comparing two kinds of training runs over a grid of beta: arrays in, numbers out.

Runs differ by their seed. A run that failed enters as NaN, and is left out and not counted.
"""

from mrtc.statistics.curves import AreaBetween, area_between, distortion_at, hypervolume
from mrtc.statistics.equivalence import Equivalence, equivalence, holm
from mrtc.statistics.intervals import (
    Difference,
    Interval,
    Pairing,
    difference,
    mean_interval,
    pair,
)
from mrtc.statistics.slope import Slopes, off_slope, slopes

__all__ = [
    "AreaBetween",
    "Difference",
    "Equivalence",
    "Interval",
    "Pairing",
    "Slopes",
    "area_between",
    "difference",
    "distortion_at",
    "equivalence",
    "holm",
    "hypervolume",
    "mean_interval",
    "off_slope",
    "pair",
    "slopes",
]
