"""The two objectives, term by term."""

from dataclasses import replace

import pytest
import torch

from mrtc.distributions import DiagonalGaussian
from mrtc.objectives import Estimator, ObjectiveConfig, objective_terms


def terms_of(
    config: ObjectiveConfig, beta: torch.Tensor, examples: int = 6
) -> dict[str, torch.Tensor]:
    """Of the first ``examples`` of six."""
    generator = torch.manual_seed(0)
    mean, log_sigma = torch.randn(2, 6, 3, generator=generator, dtype=torch.float64)
    z = DiagonalGaussian(mean, log_sigma).sample(generator)
    return objective_terms(
        config,
        distortion=torch.arange(examples, dtype=torch.float64),
        posterior=DiagonalGaussian(mean[:examples], log_sigma[:examples]),
        z=z[:examples],
        beta=beta.double(),
        population=500,
    )


def test_beta_weighs_the_rate_of_its_own_group() -> None:
    terms = terms_of(ObjectiveConfig("beta"), torch.tensor([0.5, 4.0]))
    weight = torch.tensor([0.5, 0.5, 0.5, 4, 4, 4], dtype=torch.float64)
    torch.testing.assert_close(terms["objective"], torch.arange(6) + weight * terms["rate"])


@pytest.mark.parametrize("name", ["beta", "tcvae"])
def test_balance_divides_the_objective_by_a_power_of_one_plus_beta(name: str) -> None:
    config = ObjectiveConfig(name, groups=2)
    beta = torch.tensor([0.5, 8.0])
    plain, balanced = terms_of(config, beta), terms_of(replace(config, balance=0.5), beta)
    ratio = plain.pop("objective") / balanced.pop("objective")
    expected = torch.tensor([1.5**0.5] * 3 + [3.0] * 3, dtype=torch.float64)
    torch.testing.assert_close(ratio, expected)
    assert all(torch.equal(balanced[term], values) for term, values in plain.items())
    assert replace(config, balance=0.0) == config, "one way to say that there is none"


@pytest.mark.parametrize("estimator", ["weighted", "stratified", "in-batch"])
def test_beta_weighs_the_total_correlation_alone(estimator: Estimator) -> None:
    """The gradient of the objective over beta is the total correlation of each group's examples."""
    config = ObjectiveConfig("tcvae", estimator=estimator, groups=2)
    beta = torch.tensor([0.5, 4.0], dtype=torch.float64, requires_grad=True)
    terms = terms_of(config, beta)
    (slope,) = torch.autograd.grad(terms["objective"].sum(), beta)
    torch.testing.assert_close(slope, terms["total_correlation"].reshape(2, 3).sum(1))


def test_at_beta_one_the_tcvae_is_the_plain_sampled_elbo() -> None:
    """The constants of the weighted estimator cancel from the objective at beta 1."""
    weighted = terms_of(ObjectiveConfig("tcvae", groups=1), torch.ones(1))
    parts = ("index_code_mi", "total_correlation", "dimensionwise_kl")
    sampled_rate = sum(weighted[name] for name in parts)
    torch.testing.assert_close(weighted["objective"], torch.arange(6) + sampled_rate)


def test_terms_of_the_weighted_estimator_are_shown_without_their_constants() -> None:
    weighted = terms_of(ObjectiveConfig("tcvae", groups=1), torch.ones(1))
    in_batch = terms_of(ObjectiveConfig("tcvae", estimator="in-batch", groups=1), torch.ones(1))
    for name, value in in_batch.items():
        torch.testing.assert_close(weighted[name], value)


def test_each_group_has_an_estimate_of_its_own() -> None:
    """The first half is as it would be without the second."""
    config = ObjectiveConfig("tcvae", estimator="in-batch", groups=2)
    whole = terms_of(config, torch.ones(2))
    alone = terms_of(replace(config, groups=1), torch.ones(1), examples=3)
    torch.testing.assert_close(whole["total_correlation"][:3], alone["total_correlation"])


def test_one_beta_per_example_is_estimated_over_the_whole_batch() -> None:
    """The published code's way: one estimate, whatever the betas in it."""
    config = ObjectiveConfig("tcvae", estimator="in-batch", groups="example")
    mixed = terms_of(config, torch.linspace(0.1, 10, 6))
    single = terms_of(ObjectiveConfig("tcvae", estimator="in-batch", groups=1), torch.ones(1))
    torch.testing.assert_close(mixed["total_correlation"], single["total_correlation"])
