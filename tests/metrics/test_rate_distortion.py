"""The rate against torch's divergence, against its small-sigma limit, and its error."""

import numpy as np
import pytest
import torch
from scipy.stats import sem
from torch.distributions import Normal, kl_divergence

from mrtc.metrics.rate_distortion import rate_per_code, rate_per_example, standard_error


@pytest.mark.oracle("rate")
def test_rate_is_torch_s_divergence() -> None:
    rng = np.random.default_rng(0)
    mean, log_sigma = rng.normal(size=(50, 4)), rng.normal(size=(50, 4))
    posterior = Normal(torch.from_numpy(mean), torch.from_numpy(log_sigma).exp())
    expected = kl_divergence(posterior, Normal(0.0, 1.0)).numpy()
    np.testing.assert_allclose(rate_per_code(mean, log_sigma), expected.mean(0), rtol=1e-10)
    np.testing.assert_allclose(rate_per_example(mean, log_sigma), expected.sum(1), rtol=1e-10)


@pytest.mark.oracle("rate")
def test_rate_keeps_its_digits_close_to_the_prior() -> None:
    """With mean 0 and log sigma s the rate is s² + 2 s³ / 3 + ..., and 0 at the prior."""
    s = np.array([[1e-7, 0.0]])
    np.testing.assert_allclose(rate_per_code(np.zeros((1, 2)), s), [1e-14, 0], rtol=1e-6)


def test_standard_error_is_scipy_s() -> None:
    values = np.random.default_rng(0).normal(size=30)
    assert standard_error(values) == pytest.approx(sem(values))
    with pytest.raises(ValueError, match="at least two values, got 1"):
        standard_error(values[:1])
