"""Schedules of the rate's weight, against their definition at chosen steps."""

import numpy as np
import pytest
import torch

from mrtc.distributions import DiagonalGaussian
from mrtc.objectives import ObjectiveConfig, objective_terms, rate_weight
from mrtc.objectives.schedules import HELD

STEPS = 1000


def weights(schedule: str) -> np.ndarray:
    return np.array([rate_weight(schedule, step, STEPS) for step in range(STEPS)])


def test_constant_is_one() -> None:
    assert (weights("constant") == 1).all()


def test_monotonic_rises_over_the_first_30_percent() -> None:
    got = weights("monotonic")
    np.testing.assert_allclose(got[:300], np.arange(300) / 300)
    assert (got[300:] == 1).all()


def test_cyclic_rises_four_times_over_half_a_cycle() -> None:
    got = weights("cyclic").reshape(4, 250)
    np.testing.assert_allclose(got, np.tile(np.minimum(np.arange(250) / 125, 1), (4, 1)))


def test_held_is_small_for_the_first_30_percent_and_then_one() -> None:
    got = weights("held")
    assert set(got[:300]) == {HELD}
    assert 0 < HELD < 1e-2
    assert (got[300:] == 1).all()


@pytest.mark.parametrize("name", ["beta", "tcvae"])
def test_the_weight_multiplies_all_but_the_distortion(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    mean, log_sigma, noise = torch.randn(3, 8, 2, generator=generator)
    posterior = DiagonalGaussian(mean, log_sigma)
    arguments = {
        "distortion": torch.rand(8, generator=generator),
        "posterior": posterior,
        "z": posterior.draw(noise),
        "beta": torch.tensor([3.0]),
        "population": 100,
    }
    config = ObjectiveConfig(name, groups=1)
    whole, half, none = (
        objective_terms(config, **arguments, rate_weight=weight) for weight in (1.0, 0.5, 0.0)
    )
    torch.testing.assert_close(none["objective"], arguments["distortion"])
    middle = (whole["objective"] + none["objective"]) / 2
    torch.testing.assert_close(half["objective"], middle)
