"""The estimators against what they estimate, by enumerating every minibatch."""

import math
from itertools import permutations

import pytest
import torch

from mrtc.distributions import DiagonalGaussian
from mrtc.objectives import Estimator, rate_terms
from mrtc.objectives.total_correlation import log_weights
from tests.references.total_correlation import weight_matrix

ESTIMATORS: list[Estimator] = ["weighted", "stratified", "in-batch"]


def posterior(batch: int, codes: int = 2) -> DiagonalGaussian:
    generator = torch.manual_seed(0)
    mean, log_sigma = torch.randn(2, batch, codes, generator=generator, dtype=torch.float64)
    return DiagonalGaussian(mean, log_sigma - 1)


def from_log_weights(estimator: Estimator, batch: int, population: int) -> torch.Tensor:
    """The weight matrix that the product uses, row by row."""
    weights = log_weights(estimator, batch, population)
    matrix = torch.full((batch, batch), weights.base, dtype=torch.float64)
    weights.shift(matrix, 0)
    return matrix.exp()


@pytest.mark.parametrize(("batch", "population"), [(3, 3), (3, 5), (4, 6)])
def test_stratified_weights_are_unbiased(batch: int, population: int) -> None:
    """Averaged over every ordered minibatch, the estimate of q(z) is exact."""
    q = torch.rand(population, population, generator=torch.manual_seed(0), dtype=torch.float64)
    weights = from_log_weights("stratified", batch, population)

    total, seen = torch.zeros(population).double(), torch.zeros(population).double()
    for order in permutations(range(population), batch):
        rows = torch.tensor(order)
        total[rows] += (weights * q[rows][:, rows]).sum(1)
        seen[rows] += 1

    torch.testing.assert_close(total / seen, q.mean(1))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_weights_are_those_of_the_plain_reference(estimator: Estimator) -> None:
    actual = from_log_weights(estimator, 5, 40)
    torch.testing.assert_close(actual, weight_matrix(estimator, 5, 40))
    total = {"weighted": 1 / 40}.get(estimator, 1.0)
    torch.testing.assert_close(actual.sum(1), torch.full((5,), total, dtype=torch.float64))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_rate_terms_sum_to_the_sampled_rate(estimator: Estimator) -> None:
    """The terms telescope, whatever the estimate."""
    q = posterior(6)
    z = q.sample(torch.manual_seed(1))
    terms = rate_terms(q, z, estimator=estimator, population=60)
    total = terms.index_code_mi + terms.total_correlation + terms.dimensionwise_kl
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z)
    torch.testing.assert_close(total, (q.log_density(z) - prior).sum(1))


def test_the_whole_population_in_one_batch_gives_the_true_aggregate() -> None:
    """In-batch over all N examples is q(z) itself: compare with the mixture of torch."""
    q = posterior(7, codes=2)
    z = q.sample(torch.manual_seed(1))
    terms = rate_terms(q, z, estimator="in-batch", population=7)

    from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

    even = Categorical(torch.ones(7, dtype=torch.float64))
    normals = Normal(q.mean, q.log_sigma.exp())
    joint = MixtureSameFamily(even, Independent(normals, 1)).log_prob(z)
    marginals = sum(
        MixtureSameFamily(even, Normal(q.mean[:, k], q.log_sigma[:, k].exp())).log_prob(z[:, k])
        for k in range(2)
    )
    torch.testing.assert_close(terms.total_correlation, joint - marginals)
    torch.testing.assert_close(terms.index_code_mi, q.log_density(z).sum(1) - joint)


def test_weighted_values_are_in_batch_values_with_known_offsets() -> None:
    """Off by log N, (K - 1) log N and -K log N; the gradients are the same."""
    q, codes, population = posterior(6, codes=3), 3, 500
    z = q.sample(torch.manual_seed(1))
    weighted = rate_terms(q, z, estimator="weighted", population=population)
    in_batch = rate_terms(q, z, estimator="in-batch", population=population)
    log_n = math.log(population)
    for name, offset in (
        ("index_code_mi", log_n),
        ("total_correlation", (codes - 1) * log_n),
        ("dimensionwise_kl", -codes * log_n),
    ):
        torch.testing.assert_close(getattr(weighted, name), getattr(in_batch, name) + offset)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_group_is_estimated_as_if_it_were_alone(estimator: Estimator) -> None:
    q = posterior(8)
    z = q.sample(torch.manual_seed(1))
    grouped = rate_terms(q, z, estimator=estimator, population=60, groups=2)
    for half in (slice(4), slice(4, 8)):
        alone = DiagonalGaussian(q.mean[half], q.log_sigma[half])
        terms = rate_terms(alone, z[half], estimator=estimator, population=60)
        torch.testing.assert_close(grouped.total_correlation[half], terms.total_correlation)


def test_bad_batches_are_refused() -> None:
    q = posterior(4)
    for groups, population, message in (
        (3, 60, "4 cannot be cut into 3 equal groups"),
        (2, 60, "3 <= batch <= population, got batch=2 and population=60"),
        (1, 3, "got batch=4 and population=3"),
    ):
        with pytest.raises(ValueError, match=message):
            rate_terms(q, q.mean, estimator="stratified", population=population, groups=groups)
