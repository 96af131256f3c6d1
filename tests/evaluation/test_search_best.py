"""The best of curves whose peaks are known in closed form."""

import math

import numpy as np
import pytest
from scipy import stats

from mrtc.evaluation.search_best import SCAN_FOR_BEST, find_best
from mrtc.evaluation.search_curve import REFINE
from tests.evaluation.search_toys import WITHIN, Toy


@pytest.mark.parametrize("top", [-4.6, -3.3, -0.4, 1.1, 2.3])
@pytest.mark.parametrize("goal", ["highest", "lowest"])
def test_the_best_is_the_top_of_a_curve(top: float, goal: str) -> None:
    """Within 0.05 in log beta; the interval ends where the curve leaves the noise."""
    sign = 1 if goal == "highest" else -1
    toy = Toy(lambda x: sign * (3 - (x - top) ** 2), spread=0.1)
    found = find_best(toy, goal, WITHIN)
    assert math.log(found.place.beta) == pytest.approx(top, abs=0.05)
    assert len(toy.asked) <= SCAN_FOR_BEST + REFINE
    half = math.sqrt(stats.norm.ppf(0.975) * 0.1)
    ends = np.log([WITHIN.low, WITHIN.high])
    exact = np.clip([top - half, top + half], *ends)
    np.testing.assert_allclose(np.log(found.place.interval), exact, atol=0.2)
    low, high = found.place.interval
    assert low <= found.place.beta <= high


def test_a_second_peak_within_the_noise_is_named() -> None:
    def peaks(x: float) -> float:
        return math.exp(-0.5 * (x + 3) ** 2) + 0.98 * math.exp(-0.5 * (x - 1) ** 2)

    noisy = find_best(Toy(peaks, spread=0.1), "highest", WITHIN)
    assert math.log(noisy.place.beta) == pytest.approx(-3, abs=0.05)
    (other,) = noisy.others
    assert math.log(other.beta) == pytest.approx(1, abs=0.5)
    assert find_best(Toy(peaks, spread=1e-3), "highest", WITHIN).others == ()
