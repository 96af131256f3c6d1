"""Counts of codes that collapse at betas that are known."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from mrtc.errors import MrtcError
from mrtc.evaluation.search_count import find_count
from tests.evaluation.search_toys import MOST, WITHIN


@dataclass
class Collapse:
    """Codes that fall below the threshold one after another."""

    log_betas: tuple[float, ...]
    name: str = "active_units"
    unit: str = "count"

    @property
    def codes(self) -> int:
        return len(self.log_betas)

    def margins(self, beta: float) -> np.ndarray:
        margins = 3.0 * np.tanh(np.array(self.log_betas) - math.log(beta))
        return np.sort(margins)[::-1]

    def error(self, beta: float, rank: int) -> float:
        del beta, rank
        return 0.15


@pytest.mark.parametrize("count", range(5))
def test_a_count_holds_between_two_collapses(count: int) -> None:
    collapses = (-3.0, -1.0, -0.9, 2.0)
    found = find_count(Collapse(collapses), count, WITHIN)
    edges = [math.log(WITHIN.high), *sorted(collapses, reverse=True), math.log(WITHIN.low)]
    low, high = edges[count + 1], edges[count]
    assert found.place.value == count
    np.testing.assert_allclose(np.log(found.place.holds), [low, high], atol=0.03)
    half = stats.norm.ppf(0.975) * 0.15 / 3
    wide = np.clip([low - half, high + half], edges[-1], edges[0])
    np.testing.assert_allclose(np.log(found.place.interval), wide, atol=0.05)
    assert len(found.evaluations) <= 2 * MOST


def test_a_count_that_is_jumped_over_is_refused_with_those_there_are() -> None:
    two_at_once = Collapse((-1.0, -1.0, 1.0))
    with pytest.raises(MrtcError, match=r"active_units 2: .* have 0, 1, 3; ask for one of these"):
        find_count(two_at_once, 2, WITHIN)
    with pytest.raises(MrtcError, match="has 3 codes, and active_units 4 were asked for"):
        find_count(two_at_once, 4, WITHIN)
