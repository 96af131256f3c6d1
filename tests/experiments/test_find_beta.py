"""Betas that are found, against closed forms, against ``evaluate``, and by repeated draws."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from torch import nn

from mrtc.architectures import LinearConfig, LinearOptimum, build_networks, set_optimal
from mrtc.errors import BetaError, CheckpointError, MrtcError
from mrtc.evaluation.feature_networks import FeatureNetwork
from mrtc.evaluation.realism import RealismConfig
from mrtc.evaluation.scoring import score_results
from mrtc.evaluation.search import find_at_most, find_best, find_count, find_target
from mrtc.experiments import RunConfig, evaluate, preset, run
from mrtc.experiments.find_beta import (
    ActiveUnits,
    FrechetOfSamples,
    Goal,
    MeanOfExamples,
    Measured,
    ScoreOfCodes,
    find_beta,
    left_out_error,
)
from mrtc.experiments.realism import evaluate_realism
from mrtc.metrics.rate_distortion import standard_error
from mrtc.rates import BetaRange
from mrtc.vae import VAE

CPU = torch.device("cpu")
BETAS = BetaRange(0.01, 10.0)
SHAPE = (1, 2, 3)
EIGENVALUES = np.array([4.0, 2.0, 0.8, 0.3, 0.1, 0.02])


@dataclass(frozen=True)
class Ellipsoid:
    """Normal data of fixed variances."""

    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def images(self, index: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self.rows[index.numpy()]).float().reshape(-1, *SHAPE)


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
    return Measured(vae, Ellipsoid(rows), 600, device=CPU, precision="fp32", quiet=True), optimum


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


class Rows(nn.Module):
    """The mean of every eighth of an image, by rows."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images[:, 0].float().reshape(len(images), 8, -1).mean(2) / 255


@dataclass(frozen=True)
class Checkpoint:
    path: Path
    config: RunConfig


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Sixty steps: enough for the rate to fall with beta."""
    config = preset("dsprites", "quick", "beta")
    config = replace(
        config,
        model=replace(config.model, hidden=16, codes=3),
        training=replace(config.training, steps=60, batch=64),
    )
    path = tmp_path_factory.mktemp("find") / "my ckpt.pt"
    run(config, out=path, device="cpu", quiet=True)
    return Checkpoint(path, config)


COMMON = {"examples": 400, "device": "cpu", "precision": "fp32", "quiet": True}


def measured(checkpoint: Checkpoint, beta: float) -> dict[str, float]:
    """What ``evaluate`` says, and the scores from its results file."""
    out = checkpoint.path.with_name("measured.h5")
    evaluate(checkpoint.path, out, betas=np.array([float(beta)]), keep=400, force=True, **COMMON)
    results = score_results(out, ("mig_chen", "mig_locatello"), quiet=True)
    scores = {name: float(series.value[0]) for name, series in results.scores.items()}
    names = ("rate", "rate_error", "distortion", "distortion_error", "elbo", "active_units")
    return scores | {name: float(results.metric(name)[0]) for name in names}


@pytest.mark.usefixtures("dsprites")
@pytest.mark.parametrize("name", ["rate", "distortion"])
def test_what_is_found_has_the_target_in_an_evaluation(checkpoint: Checkpoint, name: str) -> None:
    """Within 2 %, in at most 12 evaluations; and with the value and error that are stated."""
    ends = [measured(checkpoint, beta)[name] for beta in (0.1, 10)]
    target = float(np.mean(ends))
    found = find_beta(checkpoint.path, Goal(name, target), **COMMON)
    there = measured(checkpoint, found.place.beta)
    assert there[name] == pytest.approx(target, rel=0.02)
    assert there[name] == pytest.approx(found.place.value, rel=1e-5)
    assert there[f"{name}_error"] == pytest.approx(found.place.error, rel=1e-4)
    assert len(found.evaluations) <= 12
    assert (found.name, found.unit) == (name, "nats")


@pytest.mark.usefixtures("dsprites")
@pytest.mark.parametrize("name", ["mig", "mig_locatello", "elbo"])
def test_the_best_is_what_an_evaluation_has_there(checkpoint: Checkpoint, name: str) -> None:
    within = BetaRange(0.1, 1.0)
    found = find_beta(checkpoint.path, Goal(name), within=within, **COMMON)
    there = measured(checkpoint, found.place.beta)
    full_name = {"mig": "mig_chen"}.get(name, name)
    assert there[full_name] == pytest.approx(found.place.value, rel=1e-4, abs=1e-6)
    assert found.name == full_name
    assert found.place.value == max(value for _, value in found.evaluations)
    assert within.low <= min(found.evaluations)[0] < max(found.evaluations)[0] <= within.high
    assert found.place.error > 0


@pytest.mark.usefixtures("dsprites")
def test_active_units_are_those_of_an_evaluation(checkpoint: Checkpoint) -> None:
    count = int(measured(checkpoint, 1.0)["active_units"])
    found = find_beta(checkpoint.path, Goal("active_units", float(count)), **COMMON)
    for beta in (found.place.beta, 1.0):
        assert measured(checkpoint, beta)["active_units"] == count
    assert any(low <= 1.0 <= high for low, high in [found.place.holds])
    with pytest.raises(MrtcError, match=r"counted, and the target is 1\.5; give a whole one"):
        find_beta(checkpoint.path, Goal("active_units", 1.5), **COMMON)


@pytest.mark.usefixtures("dsprites")
def test_the_distance_of_samples_is_that_of_an_evaluation(checkpoint: Checkpoint) -> None:
    realism = RealismConfig(samples=100, reference_examples=300)
    network = FeatureNetwork("rows", Rows())
    given = {"network": network, "realism": realism, "device": "cpu", "quiet": True}
    found = find_beta(checkpoint.path, Goal("fid"), **given)
    assert found.name == "frechet_rows"
    betas = np.array([beta for beta, _ in found.evaluations])
    out = checkpoint.path.with_name("distances.h5")
    evaluate(checkpoint.path, out, betas=betas, keep=400, force=True, **COMMON)
    results = evaluate_realism(
        *(checkpoint.path, out, network), config=realism, device="cpu", quiet=True
    )
    values = [value for _, value in found.evaluations]
    np.testing.assert_allclose(results.scores["frechet_rows"].value, values, rtol=1e-5)
    assert found.place.value == min(values)
    with pytest.raises(ValueError, match="fid needs a feature network"):
        find_beta(checkpoint.path, Goal("fid", 1.0), **COMMON)


class Bright(nn.Module):
    """Pixels as features."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images[:, 0].float().flatten(1) / 255


@dataclass(frozen=True)
class Grey(Ellipsoid):
    source: str = ""
    checksum: str = ""

    def to(self, device: torch.device | str) -> "Grey":
        del device
        return self


def test_the_error_of_a_distance_is_its_spread_over_draws() -> None:
    """Sixty seeds, whose standard deviation is good to 9 %, and the mean of ten stated errors."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        encoder, decoder = build_networks(SHAPE, LinearConfig(codes=4))
    vae = VAE(encoder, decoder, 4, BETAS, "squared_error")
    data = Grey(np.random.default_rng(0).uniform(0, 1, (400, 6)))
    config = RealismConfig(samples=300)
    network = FeatureNetwork("pixels", Bright())
    distances = [
        FrechetOfSamples(vae, network, data, config, seed, CPU, quiet=True) for seed in range(60)
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


@pytest.mark.usefixtures("dsprites")
@pytest.mark.parametrize(
    ("goal", "more", "message"),
    [
        (Goal("rate", 1e6), {}, r"rate 1e\+06: at the \d+ .* choose a target between"),
        (Goal("distortion", 0.1, is_bound=True), {}, r"at most 0\.1: .* choose a bound above"),
        (Goal("rate"), {}, "no best rate: .* choose --best among mig_chen"),
        (Goal("beauty"), {}, "no 'beauty' that can be measured .* choose among mig_chen"),
        (Goal("udr"), {}, "no 'udr' that can be measured"),
        (Goal("rate", float("nan")), {}, "target of rate is nan; give a finite number"),
        (Goal("rate", 1.0), {"examples": 10**6}, "have 737280 examples, 1000000 were asked for"),
    ],
)
def test_goals_that_cannot_be_met_are_refused(
    checkpoint: Checkpoint, goal: Goal, more: dict[str, int], message: str
) -> None:
    with pytest.raises(MrtcError, match=message):
        find_beta(checkpoint.path, goal, **(COMMON | more))


@pytest.mark.usefixtures("dsprites")
def test_betas_outside_the_trained_range_are_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(BetaError, match="beta 20 lies outside the trained range"):
        find_beta(checkpoint.path, Goal("rate", 1.0), within=BetaRange(1.0, 20.0), **COMMON)


def test_a_baseline_is_refused(tiny: RunConfig, tmp_path: Path) -> None:
    path = tmp_path / "baseline.pt"
    plain = replace(tiny, betas=BetaRange(4.0, 4.0), model=tiny.model.plain())
    run(plain, out=path, device="cpu", quiet=True)
    with pytest.raises(CheckpointError, match=r"is a baseline, trained at beta 4 alone.* give a"):
        find_beta(path, Goal("rate", 1.0), **COMMON)
