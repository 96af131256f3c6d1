"""What is measured of a hierarchy, against plain loops, the published order and closed forms."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from torch.distributions import Normal

from mrtc.distributions import Bernoulli
from mrtc.errors import ResultsError
from mrtc.evaluation import EvaluationConfig, hierarchy, sweep
from mrtc.evaluation.hierarchy import WaysDown
from mrtc.evaluation.search_model import MeasuredHierarchy
from mrtc.experiments.quantities import ActiveUnits, MeanOfExamples
from mrtc.hierarchical_vae import HierarchicalVAE
from mrtc.hierarchy import slices
from mrtc.metrics.information import information_matrix
from mrtc.randomness import numpy_stream, torch_stream
from mrtc.results import Header, Results, open_writer, read
from mrtc.results.groups import group_parameters
from tests.references.hierarchy import way_down
from tests.toys import Crosses

from .hierarchy_toys import SMALL, TwoGroups, small_hierarchy

CPU = torch.device("cpu")
INDEX = np.arange(3, 40, 2)
CHUNK = 16


@pytest.fixture(autouse=True)
def chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of which 19 examples fill one, and begin a second."""
    monkeypatch.setattr(hierarchy, "CHUNK", CHUNK)


@pytest.fixture(scope="module")
def vae() -> HierarchicalVAE:
    return small_hierarchy()


def noise(seed: int, count: int, *path: str | int) -> torch.Tensor:
    """As a way down draws it, for whole chunks."""
    parts = [
        torch.randn(
            min(CHUNK, count - first),
            SMALL.codes,
            generator=torch_stream(seed, "hierarchy", *path, first // CHUNK),
        )
        for first in range(0, count, CHUNK)
    ]
    return torch.cat(parts)


@pytest.mark.oracle("rate", "distortion")
@pytest.mark.parametrize("beta", [0.1, 4.0])
def test_rates_and_distortions_are_those_of_codes_that_are_not_whitened(
    vae: HierarchicalVAE, beta: float
) -> None:
    """Example by example, KL of two normals by torch, in the published order."""
    found = WaysDown(vae, Crosses(), INDEX, 7, device=CPU).measure(beta, 0)
    eps = noise(7, len(INDEX), "draw")
    rate_code = vae.betas.standardise(torch.tensor([beta]))
    for at, example in enumerate(INDEX.tolist()):
        x = Crosses().images(torch.tensor([example]))
        with torch.no_grad():
            features = vae.encoder(x, rate_code)
            logits, rates, _ = way_down(vae.decoder, features, eps[at : at + 1], rate_code)
        np.testing.assert_allclose(found.rate_group[at], rates[0], rtol=2e-4)
        assert found.rate[at] == pytest.approx(rates.sum().item(), rel=1e-4)
        expected = -Bernoulli(logits).log_prob(x).item()
        assert found.distortion[at] == pytest.approx(expected, rel=1e-4)


@pytest.mark.oracle("active_units")
@pytest.mark.parametrize(("group", "flows"), [(0, 0), (2, 0), (0, 1)])
def test_moments_are_kept_of_one_group_and_variances_of_all_codes(group: int, flows: int) -> None:
    vae = small_hierarchy(flows=flows)
    kept = np.arange(len(INDEX)) % 3 == 1
    found = WaysDown(vae, Crosses(), INDEX, 7, device=CPU).measure(0.5, group, kept)
    x, codes = Crosses().images(torch.from_numpy(INDEX)), slices(vae.groups)[group]
    with torch.no_grad():
        drawn = vae.infer(vae.encoder.stem(x), 0.5, noise(7, len(INDEX), "draw")).posterior
        path = vae.encode(x, 0.5)
    mean = drawn.mean.double().numpy()
    np.testing.assert_allclose(found.variance, mean.var(0, ddof=1), rtol=1e-4, atol=1e-9)
    fourth = ((mean - mean.mean(0)) ** 4).mean(0)
    np.testing.assert_allclose(found.fourth, fourth, rtol=1e-3, atol=1e-12)
    rates = drawn.rate().double().mean(0)[codes]
    np.testing.assert_allclose(found.rate_code, rates, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.mean, path.mean[kept][:, codes], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        found.log_sigma, path.log_sigma[kept][:, codes], rtol=1e-4, atol=1e-5
    )
    moved = np.abs(found.mean - mean[kept][:, codes]).max()
    # Below the top, and in a flow, means depend on the way.
    assert (moved < 1e-5) == (group == 0 and flows == 0)


@pytest.mark.oracle("importance_weighted_bound")
def test_the_bound_is_that_of_a_loop_over_draws(vae: HierarchicalVAE) -> None:
    bound = WaysDown(vae, Crosses(), INDEX, 7, device=CPU).importance_weighted_bound(0.5, 3)
    x = Crosses().images(torch.from_numpy(INDEX))
    rows = []
    for draw in range(3):
        eps = noise(7, len(INDEX), "importance", draw)
        with torch.no_grad():
            q, u, likelihood = vae.infer(vae.encoder.stem(x), 0.5, eps)
        prior, posterior = Normal(0.0, 1.0), Normal(q.mean, q.log_sigma.exp())
        ratio = (prior.log_prob(u) - posterior.log_prob(u)).double().sum(1)
        rows.append((likelihood.log_prob(x) + ratio).numpy())
    expected = logsumexp(np.stack(rows), axis=0) - math.log(3)
    np.testing.assert_allclose(bound.per_example, expected, rtol=1e-5)
    assert (bound.effective_samples < 2.99).any()


class Numbers:
    """Images of one pixel."""

    source = "numbers"

    def __init__(self, count: int) -> None:
        self.x = torch.randn(count, 1, 1, 1, generator=torch.manual_seed(0))

    def __len__(self) -> int:
        return len(self.x)

    def images(self, index: torch.Tensor) -> torch.Tensor:
        return self.x[index]


@pytest.mark.oracle("importance_weighted_bound", "elbo")
@pytest.mark.parametrize("count", [7, 20])
def test_every_weight_is_the_likelihood_where_the_posterior_is_exact(count: int) -> None:
    """Few examples go down together, many in chunks; the numbers are those of the closed form."""
    model, examples = TwoGroups(), Numbers(count)
    ways = WaysDown(model, examples, np.arange(count), 0, device=CPU)
    told: list[int] = []
    bound = ways.importance_weighted_bound(1.0, 5, advance=told.append)
    log_p = Normal(0.0, math.sqrt(model.variance)).log_prob(examples.x.flatten().double())
    np.testing.assert_allclose(bound.per_example, log_p, rtol=1e-6)
    np.testing.assert_allclose(bound.effective_samples, 5, rtol=1e-6)
    assert sum(told) == 5
    assert len(told) == (3 if count == 7 else 5)


@pytest.mark.oracle("rate", "elbo")
def test_the_mean_over_draws_is_the_elbo_of_the_closed_form() -> None:
    """log p(x) less the KL of a posterior of half the width: 2 (log 2 - 3 / 8) nats."""
    model, examples = TwoGroups(width=0.5), Numbers(4)
    gap = 2 * (math.log(2) - 3 / 8)
    elbos = []
    for seed in range(300):
        found = WaysDown(model, examples, np.arange(4), seed, device=CPU).measure(1.0, 0)
        elbos.append(-found.distortion - found.rate)
    log_p = Normal(0.0, math.sqrt(model.variance)).log_prob(examples.x.flatten().double())
    # Means are exact given the groups above, so each group adds the divergence of its width.
    differences = log_p.numpy() - np.stack(elbos)
    error = differences.std(0, ddof=1) / math.sqrt(300)
    assert (np.abs(differences.mean(0) - gap) < 4 * error).all()
    assert error.max() < 0.1


def header(config: EvaluationConfig, vae: HierarchicalVAE, group: int) -> Header:
    grid = Crosses().grid
    index, kept = config.choose(len(grid), grid)
    return Header(
        beta=np.array([0.1, 1.0]),
        num_codes=vae.groups[group].codes,
        factors=grid.names,
        config={},
        fingerprint="toy",
        seed=config.seed,
        source="crosses",
        parameters=group_parameters(vae.groups, group),
        index=index[kept],
        classes=grid.classes(index[kept]),
    )


def evaluated(
    vae: HierarchicalVAE, path: Path, config: EvaluationConfig, group: int = 0
) -> Results:
    with open_writer(path, header(config, vae, group)) as writer:
        sweep(vae, Crosses(), config, writer, device=CPU, quiet=True)
    return read(path)


@pytest.mark.parametrize("group", [0, 1])
def test_a_sweep_stores_what_is_on_the_way(
    vae: HierarchicalVAE, tmp_path: Path, group: int
) -> None:
    config = EvaluationConfig(
        ("x", "y"), keep=20, estimator="sampling", samples=100, importance_samples=2
    )
    results = evaluated(vae, tmp_path / "r.h5", config, group)
    metrics, whole = results.metrics, WaysDown(vae, Crosses(), np.arange(64), 0, device=CPU)
    found = whole.measure(1.0, group)
    np.testing.assert_allclose(results.rate_group.sum(1), metrics["rate"])
    np.testing.assert_allclose(metrics["elbo"], -metrics["rate"] - metrics["distortion"])
    assert metrics["rate"][1] == found.rate.mean()
    assert metrics["rate_error"][1] == pytest.approx(found.rate.std(ddof=1) / 8)
    is_active = found.variance >= 0.01
    counts = [is_active[where].sum() for where in slices(vae.groups)]
    assert results.active_units_group[1].tolist() == counts
    assert metrics["active_units"][1] == sum(counts)
    assert metrics["rate_bits_per_dimension"][1] * 64 * math.log(2) == pytest.approx(
        metrics["rate"][1]
    )
    x = Crosses().images(torch.from_numpy(results.header.index))
    with torch.no_grad():
        path_of_means = vae.encode(x, 1.0)
    codes = slices(vae.groups)[group]
    np.testing.assert_allclose(
        results.moments(1).mean, path_of_means.mean[:, codes], rtol=1e-4, atol=1e-5
    )
    information = information_matrix(
        *(found.mean, found.log_sigma, Crosses().grid.classes(np.arange(64))),
        estimator="sampling",
        samples=100,
        generator=numpy_stream(0, "entropies"),
    )
    np.testing.assert_array_equal(metrics["information"][1], information.information)
    kept = WaysDown(vae, Crosses(), results.header.index, 0, device=CPU)
    bound = kept.importance_weighted_bound(1.0, 2)
    assert metrics["importance_weighted_bound"][1] == bound.value
    assert results.parameters["rate_code"]["group"] == group
    assert results.parameters["distortion"]["examples"] == 64


def test_a_stopped_evaluation_goes_on_to_the_same_numbers(
    vae: HierarchicalVAE, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = EvaluationConfig((), examples=20, keep=5)
    whole = evaluated(vae, tmp_path / "whole.h5", config)
    measure = WaysDown.measure

    def interrupted(self: WaysDown, beta: float, *rest):
        if beta == 1.0:
            raise KeyboardInterrupt
        return measure(self, beta, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(WaysDown, "measure", interrupted)
        with pytest.raises(KeyboardInterrupt):
            evaluated(vae, tmp_path / "parts.h5", config)
    resumed = evaluated(vae, tmp_path / "parts.h5", config)
    for name, values in whole.metrics.items():
        np.testing.assert_array_equal(resumed.metrics[name], values)


def test_a_search_measures_what_a_sweep_stores(vae: HierarchicalVAE, tmp_path: Path) -> None:
    results = evaluated(vae, tmp_path / "r.h5", EvaluationConfig((), examples=40, keep=40))
    model = MeasuredHierarchy(vae, Crosses(), 40, device=CPU, quiet=True)
    for name in ("rate", "distortion", "elbo"):
        quantity = MeanOfExamples(model, name)
        assert quantity.value(1.0) == pytest.approx(results.metrics[name][1], rel=1e-12)
    assert quantity.error(1.0) > 0
    units = ActiveUnits(model)
    assert (units.margins(1.0) >= 0).sum() == results.metrics["active_units"][1]
    assert len(units.margins(1.0)) == SMALL.codes
    x = Crosses().images(torch.from_numpy(model.index))
    with torch.no_grad():
        mean = vae.infer(vae.encoder.stem(x), 1.0, noise(0, 40, "draw")).posterior.mean
    best = mean.double().numpy()[:, np.argmax(model.variance(1.0))]
    centred, n = best - best.mean(), len(best)
    kurtosis = (centred**4).mean() / best.var(ddof=1) ** 2
    assert units.error(1.0, 0) == pytest.approx(
        math.sqrt((kurtosis - (n - 3) / (n - 1)) / n), rel=1e-3
    )


def test_a_model_that_has_diverged_is_told_with_its_beta(tmp_path: Path) -> None:
    broken = small_hierarchy()
    with torch.no_grad():
        broken.decoder.stages[1].to_posterior.layer.bias[0] = float("nan")
    with pytest.raises(ResultsError, match=r"no rate at beta 0\.1: those of 64 of 64 examples"):
        evaluated(broken, tmp_path / "r.h5", EvaluationConfig(("x", "y")))
