"""What is measured of a model at a beta, against closed forms and repeated draws."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from torch import nn

from mrtc.architectures import LinearConfig, LinearOptimum, build_networks, set_optimal
from mrtc.errors import MrtcError
from mrtc.evaluation.feature_networks import FeatureNetwork
from mrtc.evaluation.realism_config import RealismConfig
from mrtc.evaluation.search import find_at_most, find_target
from mrtc.evaluation.search_best import find_best
from mrtc.evaluation.search_count import find_count
from mrtc.evaluation.search_model import Measured
from mrtc.experiments.quantities import (
    ActiveUnits,
    FrechetOfSamples,
    MeanOfExamples,
    ScoreOfCodes,
    left_out_error,
)
from mrtc.metrics.rate_distortion import standard_error
from mrtc.rates import BetaRange
from mrtc.vae import VAE

CPU = torch.device("cpu")
BETAS = BetaRange(0.01, 10.0)
SHAPE = (1, 2, 3)
EIGENVALUES = np.array([4.0, 2.0, 0.8, 0.3, 0.1, 0.02])


@dataclass(frozen=True)
class Rows:
    """Rows of numbers, as images."""

    rows: np.ndarray
    shape: tuple[int, ...] = SHAPE

    def __len__(self) -> int:
        return len(self.rows)

    def images(self, index: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self.rows[index.numpy()]).float().reshape(-1, *self.shape)


@pytest.fixture(scope="module")
def linear() -> tuple[Measured, LinearOptimum]:
    """The linear VAE that is optimal at every beta for 600 examples, and what theory says of it."""
    rows = np.random.default_rng(0).standard_normal((600, 6)) * np.sqrt(EIGENVALUES)
    centred = rows - rows.mean(0)
    optimum = LinearOptimum.of(centred.T @ centred / len(rows), 4)
    with torch.random.fork_rng(devices=[]):
        encoder, decoder = build_networks(SHAPE, LinearConfig(codes=4))
    set_optimal(encoder, decoder, optimum, BETAS, rows.mean(0))
    vae = VAE(encoder, decoder, 4, BETAS, "squared_error")
    return Measured(vae, Rows(rows), 600, device=CPU, precision="fp32", quiet=True), optimum


@pytest.mark.parametrize("target", [0.3, 2.0, 5.0])
def test_the_rate_is_met_at_the_beta_of_the_closed_form(
    linear: tuple[Measured, LinearOptimum], target: float
) -> None:
    model, optimum = linear
    found = find_target(MeanOfExamples(model, "rate"), target, BETAS)
    assert len(found.evaluations) <= 12
    assert found.place.value == pytest.approx(target, rel=0.003)
    (exact,) = optimum.beta_at_rate(np.array([found.place.value]))
    assert found.place.beta == pytest.approx(exact, rel=1e-3)
    per_example = model.rate(found.place.beta)
    assert found.place.error == pytest.approx(per_example.std(ddof=1) / np.sqrt(600))


def test_the_bound_on_the_distortion_is_kept_near_the_beta_of_the_closed_form(
    linear: tuple[Measured, LinearOptimum],
) -> None:
    """The distortion comes from one draw of each example: within four of its standard errors."""
    model, optimum = linear

    def distortion(log_beta: float) -> float:
        return float(optimum.distortion(np.exp([log_beta]))[0])

    bound = 3.0
    found = find_at_most(MeanOfExamples(model, "distortion"), bound, BETAS)
    assert bound * 0.99 <= found.place.value <= bound
    exact = brentq(lambda x: distortion(x) - bound, np.log(0.01), np.log(10))
    low, high = np.log(found.place.interval)
    middle, half = (low + high) / 2, (high - low) / 2
    assert half < 0.5
    assert abs(exact - middle) <= 2 * half
    again = MeanOfExamples(model, "distortion").value(found.place.beta)
    assert again == found.place.value  # the same noise each time


@pytest.mark.parametrize("count", [1, 3])
def test_active_units_hold_between_the_betas_of_the_closed_form(
    linear: tuple[Measured, LinearOptimum], count: int
) -> None:
    """Var of the posterior mean is 1 - t / eigenvalue, here N / (N - 1) of it."""
    model, optimum = linear
    found = find_count(ActiveUnits(model), count, BETAS)
    ends = (1 - 0.01 * 599 / 600) * optimum.collapse[[count, count - 1]]
    # The variance falls from twice the threshold to nothing within 2 % of beta.
    np.testing.assert_allclose(found.place.holds, ends, rtol=3e-3)
    low, high = found.place.holds
    assert found.place.interval[0] < low < found.place.beta < high < found.place.interval[1]
    assert len(found.evaluations) <= 30


def test_the_error_of_a_log_variance_is_that_of_repeated_samples(
    linear: tuple[Measured, LinearOptimum],
) -> None:
    model, _ = linear
    units = ActiveUnits(model)
    mean, _ = model.moments(0.5)
    at = int(np.argmax(mean.var(0)))
    rng = np.random.default_rng(0)
    resampled = [np.log(rng.choice(mean[:, at], 600).var(ddof=1)) for _ in range(500)]
    assert units.error(0.5, 0) == pytest.approx(np.std(resampled), rel=0.1)


def test_a_left_out_error_of_a_mean_is_that_of_its_groups() -> None:
    """With equal groups, the standard error of their means, exactly; and close to that of all."""
    values = np.random.default_rng(0).exponential(size=500)
    kept_sets: list[np.ndarray] = []

    def estimate(kept: np.ndarray) -> float:
        kept_sets.append(kept)
        return float(values[kept].mean())

    error = left_out_error(estimate, 500)
    groups = np.array([values[~kept].mean() for kept in kept_sets])
    assert error == pytest.approx(standard_error(groups))
    assert error == pytest.approx(standard_error(values), rel=0.6)
    with pytest.raises(ValueError, match="10 groups need 20 examples or more, got 19"):
        left_out_error(estimate, 19)


class Bright(nn.Module):
    """Pixels as features."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images[:, 0].float().flatten(1) / 255


def test_the_error_of_a_distance_is_its_spread_over_draws() -> None:
    """Sixty seeds, whose standard deviation is good to 9 %, and the mean of ten stated errors."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        encoder, decoder = build_networks(SHAPE, LinearConfig(codes=4))
    vae = VAE(encoder, decoder, 4, BETAS, "squared_error")
    data = Rows(np.random.default_rng(0).uniform(0, 1, (400, 6)))
    config = RealismConfig(samples=300)
    network = FeatureNetwork("pixels", Bright())
    distances = [
        FrechetOfSamples(vae, network, data, replace(config, seed=seed), CPU, quiet=True)
        for seed in range(60)
    ]
    spread = np.std([distance.value(1.0) for distance in distances], ddof=1)
    stated = np.mean([distance.error(1.0) for distance in distances[:10]])
    assert stated == pytest.approx(spread, rel=0.35)


def test_the_error_of_a_score_is_its_spread_over_examples(
    linear: tuple[Measured, LinearOptimum],
) -> None:
    """Of the rate as a score, whose standard error is known."""
    model, _ = linear
    score, plain = ScoreOfCodes(model, "rate"), MeanOfExamples(model, "rate")
    assert score.value(0.3) == pytest.approx(plain.value(0.3))
    assert score.error(0.3) == pytest.approx(plain.error(0.3), rel=0.6)


def test_a_score_that_has_no_value_somewhere_is_said(
    linear: tuple[Measured, LinearOptimum],
) -> None:
    """Where all codes are collapsed, there is nothing to compare."""
    model, _ = linear
    constant = np.zeros((600, 1), np.int64)
    with pytest.raises(MrtcError, match=r"cannot be measured at beta 0\.01: .*; leave that beta"):
        find_best(ScoreOfCodes(model, "mig_locatello", constant), "highest", BETAS)


def test_a_distance_from_data_that_will_not_do_is_refused() -> None:
    with torch.random.fork_rng(devices=[]):
        encoder, decoder = build_networks(SHAPE, LinearConfig(codes=4))
    vae = VAE(encoder, decoder, 4, BETAS, "squared_error")
    data, network = Rows(np.zeros((30, 6))), FeatureNetwork("pixels", Bright())
    with pytest.raises(MrtcError, match="are 30 examples of the data, and 31 were asked for; ask"):
        FrechetOfSamples(vae, network, data, RealismConfig(20, 31), CPU, quiet=True)
    rows = Rows(np.zeros((30, 6)), shape=(2, 1, 3))
    with pytest.raises(MrtcError, match=r"shape \(2, 1, 3\); choose other scores"):
        FrechetOfSamples(vae, network, rows, RealismConfig(20), CPU, quiet=True)
