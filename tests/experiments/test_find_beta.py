"""Betas that are found for a checkpoint, against what ``evaluate`` says there."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mrtc.errors import BetaError, CheckpointError, MrtcError
from mrtc.evaluation.feature_networks import FeatureNetwork
from mrtc.evaluation.realism_config import RealismConfig
from mrtc.evaluation.scoring import score_results
from mrtc.experiments import RunConfig, evaluate, preset, run
from mrtc.experiments.find_beta import Goal, find_beta
from mrtc.experiments.realism import evaluate_realism
from mrtc.rates import BetaRange


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
