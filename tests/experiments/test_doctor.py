"""The doctor measures what an evaluation stores, and says what it did not look at."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mrtc.errors import MrtcError
from mrtc.evaluation import EvaluationConfig, sweep
from mrtc.experiments import RunConfig, run
from mrtc.experiments.doctor import NEEDS_EXAMPLES, default_grid, diagnose, measure
from mrtc.objectives import ObjectiveConfig
from mrtc.rates import BetaRange
from mrtc.results import Header, open_writer, read
from mrtc.training import Checkpoint
from tests.toys import Crosses, small_vae

CPU = torch.device("cpu")


def test_the_doctor_agrees_with_the_stored_moments(tmp_path: Path) -> None:
    """Rates of each example, mean rates and mean distortions, at every beta."""
    vae, grid, index = small_vae(), Crosses().grid, np.arange(64)
    beta = default_grid(vae.betas)
    header = Header(beta, 3, grid.names, {}, "toy", 5, "crosses", {}, index, grid.classes(index))
    config = EvaluationConfig((), seed=5)
    measured = measure(vae.eval(), Crosses(), index, beta, seed=5, device=CPU, quiet=True)
    with open_writer(tmp_path / "r.h5", header) as writer:
        sweep(
            *(vae, Crosses(), replace(config, scored_factors=("x", "y")), writer),
            device=CPU, precision="fp32", quiet=True,
        )  # fmt: skip
    results = read(tmp_path / "r.h5")
    curve = measured.curve
    for at in range(len(beta)):
        moments = results.moments(at)
        assert moments.log_sigma is not None
        mean, log_sigma = moments.mean.astype(float), moments.log_sigma.astype(float)
        stored = (0.5 * (mean**2 + np.exp(2 * log_sigma) - 1) - log_sigma).sum(1)
        np.testing.assert_allclose(curve.rate[at], stored, rtol=1e-5)
    np.testing.assert_allclose(curve.rate.mean(1), results.metric("rate"), rtol=1e-6)
    np.testing.assert_allclose(curve.distortion.mean(1), results.metric("distortion"), rtol=1e-6)
    assert measured.drifts == []


@pytest.mark.parametrize(("low", "high"), [(0.01, 10.0), (0.1, 10.0), (1.0, 1.5), (0.5, 16.0)])
def test_neighbours_are_at_most_a_factor_of_two_apart(low: float, high: float) -> None:
    beta = default_grid(BetaRange(low, high))
    assert len(beta) >= 5
    np.testing.assert_allclose(beta[[0, -1]], [low, high])
    assert (beta[1:] / beta[:-1] <= 2 * (1 + 1e-9)).all()


@pytest.fixture
def plain_objective(tiny: RunConfig) -> RunConfig:
    return replace(tiny, objective=ObjectiveConfig("beta"))


def test_gates_need_no_examples(plain_objective: RunConfig, tmp_path: Path) -> None:
    run(plain_objective, tmp_path / "a.pt", device="cpu", quiet=True)
    loaded = Checkpoint.load(tmp_path / "a.pt")
    loaded.weights["decoder.third.gate.offset"].fill_(9.0)
    loaded.save(tmp_path / "broken.pt")
    found = diagnose(tmp_path / "broken.pt")
    assert found.measured is None
    assert tuple(found.not_checked) == NEEDS_EXAMPLES
    dead = [finding for finding in found.findings if finding.kind == "dead gates"]
    assert [(finding.where, finding.value) for finding in dead] == [("decoder.third", 1.0)]
    healthy = diagnose(tmp_path / "a.pt")
    assert not [finding for finding in healthy.findings if finding.kind == "dead gates"]

    found = diagnose(tmp_path / "a.pt", examples=30, device="cpu", quiet=True)
    assert found.measured is not None
    assert found.measured.curve.rate.shape == (8, 30)
    assert list(found.not_checked) == ["batch normalisation"]


def test_a_model_told_beta_upside_down_has_a_rate_that_rises(
    plain_objective: RunConfig, tmp_path: Path
) -> None:
    """The encoder's gates open as beta rises, so means and log sigmas grow with it."""
    run(plain_objective, tmp_path / "a.pt", device="cpu", quiet=True)
    loaded = Checkpoint.load(tmp_path / "a.pt")
    for name, weight in loaded.weights.items():
        if name.startswith("encoder") and name.endswith("gate.slope"):
            weight.fill_(2.0)
        if name.startswith("encoder") and name.endswith("gate.offset"):
            weight.fill_(0.0)
        if name == "encoder.head.layer.weight":
            weight.mul_(4)
    loaded.save(tmp_path / "broken.pt")
    found = diagnose(tmp_path / "broken.pt", examples=100, device="cpu", quiet=True)
    (rising,) = [finding for finding in found.findings if finding.kind == "rising rate"]
    assert found.measured is not None
    rate = found.measured.curve.rate.mean(1)
    lowest = int(rate.argmin())
    assert lowest < 4
    assert rising.where == f"beta {found.measured.curve.beta[lowest]:.3g} to 10"
    assert rising.value == pytest.approx(rate[-1] - rate[lowest])
    assert [finding for finding in found.findings if finding.kind == "under-trained"]


def test_under_tcvae_what_beta_does_not_weigh_is_left_out(tiny: RunConfig, tmp_path: Path) -> None:
    run(tiny, tmp_path / "a.pt", device="cpu", quiet=True)
    found = diagnose(tmp_path / "a.pt", examples=30, device="cpu", quiet=True)
    assert {"rate", "slope", "under-training"} < set(found.not_checked)
    assert "total correlation" in found.not_checked["slope"]
    assert {finding.kind for finding in found.findings} <= {"dead gates", "constant gates"}


def test_what_cannot_be_examined_is_refused(plain_objective: RunConfig, tmp_path: Path) -> None:
    baseline = replace(
        plain_objective, betas=BetaRange(4.0, 4.0), model=plain_objective.model.plain()
    )
    run(baseline, tmp_path / "b.pt", device="cpu", quiet=True)
    with pytest.raises(MrtcError, match="is of a baseline, trained at beta 4 alone and without"):
        diagnose(tmp_path / "b.pt")
    run(plain_objective, tmp_path / "a.pt", device="cpu", quiet=True)
    with pytest.raises(MrtcError, match="data have 737280 examples for training, 1 were asked"):
        diagnose(tmp_path / "a.pt", examples=1, device="cpu", quiet=True)
