"""Active units: the variance has n - 1, the threshold belongs to the active side."""

import numpy as np
import pytest

from mrtc.metrics.active_units import active_units, code_variance


@pytest.mark.oracle("active_units")
def test_variance_by_hand() -> None:
    """Of 0, 0.3: 0.045 with n - 1. Far from zero in float32 the digits are kept."""
    mean = np.array([[0.0, 1000.0], [0.3, 1000.5]], dtype=np.float32)
    np.testing.assert_allclose(code_variance(mean), [0.045, 0.125], rtol=1e-6)


@pytest.mark.oracle("active_units")
def test_a_code_at_the_threshold_is_active() -> None:
    """Variances 0, 0.125 and 0.5: counted from the threshold on."""
    mean = np.array([[1.0, 0.0, 0.0], [1.0, 0.5, 1.0]])
    assert active_units(mean) == 2
    assert active_units(mean, threshold=0.125) == 2
    assert active_units(mean, threshold=0.126) == 1
    assert active_units(np.zeros((4, 3))) == 0


def test_one_example_has_no_variance() -> None:
    with pytest.raises(ValueError, match="at least two examples"):
        active_units(np.zeros((1, 3)))


def test_means_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match=r"mean holds 1 values of 4 .* at \(1, 0\)"):
        code_variance(np.array([[0.0, 0.0], [np.inf, 0.0]]))
