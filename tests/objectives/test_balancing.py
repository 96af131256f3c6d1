"""Balancing of latent groups: by hand, its gradient, and when it applies."""

from dataclasses import replace

import pytest
import torch

from mrtc.architectures import build_networks
from mrtc.distributions import DiagonalGaussian
from mrtc.hierarchical_vae import HierarchicalVAE
from mrtc.hierarchy import LatentGroup
from mrtc.objectives import ObjectiveConfig, objective_terms
from mrtc.objectives.balancing import balanced_rate
from mrtc.rates import BetaRange
from mrtc.training import TrainingConfig, train
from tests.architectures.test_nvae import SHAPE, SMALL
from tests.toys import Crosses

GROUPS = (LatentGroup(1, 1), LatentGroup(3, 1))
"""One code, and three."""
RATES = torch.tensor([[1.0, 0.5, 0.0, 0.5], [3.0, 1.0, 1.0, 0.0]], dtype=torch.float64)
"""The groups' rates are 1 and 1 nats in the first example, 3 and 2 in the second; on average 2 and
1.5. Times the sizes that is 2 and 4.5, so the factors are 2 * 2 / 6.5 and 2 * 4.5 / 6.5."""
GAMMA = 4 / 6.5, 9 / 6.5
COSTS = [GAMMA[0] + GAMMA[1], 3 * GAMMA[0] + 2 * GAMMA[1]]
BALANCED = ObjectiveConfig("beta", rate_schedule="monotonic", group_balance=True)


def test_groups_pay_by_size_and_mean_rate() -> None:
    assert sum(GAMMA) == pytest.approx(2)
    assert balanced_rate(RATES, GROUPS).tolist() == pytest.approx(COSTS)


def test_the_factors_are_constants_to_the_gradient() -> None:
    rates = RATES.clone().requires_grad_()
    balanced_rate(rates, GROUPS).sum().backward()
    expected = torch.tensor([GAMMA[0]] + [GAMMA[1]] * 3, dtype=torch.float64)
    torch.testing.assert_close(rates.grad, expected.expand(2, 4))


def test_groups_of_equal_pull_pay_their_rate() -> None:
    groups = (LatentGroup(2, 1), LatentGroup(2, 1))
    rates = torch.tensor([[1.0, 0.0, 0.5, 0.5], [0.0, 3.0, 2.0, 1.0]])
    torch.testing.assert_close(balanced_rate(rates, groups), rates.sum(1))


def test_no_rate_costs_nothing() -> None:
    rates = torch.zeros(3, 4, requires_grad=True)
    cost = balanced_rate(rates, GROUPS)
    cost.sum().backward()
    assert cost.tolist() == [0, 0, 0]
    assert torch.equal(rates.grad, torch.ones(3, 4))


def test_codes_that_are_not_those_of_the_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="of all 4 codes, got 1 groups with 3 codes"):
        balanced_rate(RATES, GROUPS[1:])
    with pytest.raises(ValueError, match="of all 4 codes, got 0 groups"):
        balanced_rate(RATES, ())


@pytest.mark.parametrize("rate_weight", [0.5, 1.0])
def test_the_objective_is_balanced_until_the_weight_is_one(rate_weight: float) -> None:
    """At sigma 1 the rate of a code is half its mean squared."""
    mean = (2 * RATES).sqrt()
    terms = objective_terms(
        replace(BALANCED, groups=1),
        distortion=torch.tensor([5.0, 7.0], dtype=torch.float64),
        posterior=DiagonalGaussian(mean, torch.zeros_like(mean)),
        z=mean,
        beta=torch.tensor([3.0], dtype=torch.float64),
        population=100,
        rate_weight=rate_weight,
        groups=GROUPS,
    )
    costs = COSTS if rate_weight < 1 else [2, 5]
    expected = [5 + rate_weight * 3 * costs[0], 7 + rate_weight * 3 * costs[1]]
    assert terms["objective"].tolist() == pytest.approx(expected)
    assert terms["rate"].tolist() == pytest.approx([2, 5])


def test_training_balances_the_groups_of_a_hierarchy() -> None:
    """The first objective is another, of the same rate and distortion; from the end of the warm-up
    on, weights that are the same would be trained alike."""
    first = {}
    for balance in (None, True):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            vae = HierarchicalVAE(*build_networks(SHAPE, SMALL.plain()), BetaRange(2.0, 2.0))
        objective = ObjectiveConfig("beta", groups=1, rate_schedule="held", group_balance=balance)
        state = train(
            *(vae, Crosses(), objective, TrainingConfig(steps=1, batch=8)),
            seed=0,
            device=torch.device("cpu"),
            quiet=True,
        )
        first[balance] = state.history[0]
    for name in ("rate", "distortion"):
        assert first[None][name] == first[True][name]
    price = {key: (of["objective"] - of["distortion"]) for key, of in first.items()}
    assert price[None] == pytest.approx(1e-4 * 2 * first[None]["rate"], rel=1e-2)
    assert price[True] != pytest.approx(price[None], rel=1e-2)


def test_none_is_the_default_and_what_false_becomes() -> None:
    assert ObjectiveConfig("beta", group_balance=False) == ObjectiveConfig("beta")
    assert ObjectiveConfig("beta").group_balance is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "tcvae"}, "the objective tcvae with"),
        ({"free_bits": 0.5}, r"free bits 0\.5"),
        ({"rate_schedule": "constant"}, "a constant schedule; leave the balance out"),
    ],
)
def test_what_has_nothing_to_balance_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(BALANCED, **change)
