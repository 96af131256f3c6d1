"""Free bits: the floored rate by hand, its gradient, and what it does to a model that collapses."""

from typing import Any

import pytest
import torch

from mrtc.distributions import DiagonalGaussian
from mrtc.objectives import ObjectiveConfig, objective_terms
from mrtc.rates import BetaRange
from mrtc.training import TrainingConfig, train
from tests.toys import Crosses, small_vae

MEAN = torch.tensor([[0.2, 1.0, 0.0], [0.4, 2.0, 0.0]], dtype=torch.float64)
"""At sigma 1 the rate of a code is half its square, on average 0.05, 1.25 and 0 nats."""


def terms_of(config: ObjectiveConfig, mean: torch.Tensor = MEAN) -> dict[str, torch.Tensor]:
    """At beta 3, half of which the schedule lets through, and distortions 5 and 7."""
    return objective_terms(
        config,
        distortion=torch.tensor([5.0, 7.0], dtype=torch.float64),
        posterior=DiagonalGaussian(mean, torch.zeros_like(mean)),
        z=mean,
        beta=torch.tensor([3.0], dtype=torch.float64),
        population=100,
        rate_weight=0.5,
    )


@pytest.mark.parametrize(
    ("free_bits", "cost"),
    [
        (None, 0.05 + 1.25 + 0.0),
        (0.02, 0.05 + 1.25 + 0.02),
        (0.1, 0.1 + 1.25 + 0.1),
        (0.6, 0.6 + 1.25 + 0.6),  # the mean counts: one example of the second code has 0.5
        (2.0, 3 * 2.0),
    ],
)
def test_the_objective_has_the_floored_rate_and_the_terms_the_true_one(
    free_bits: float | None, cost: float
) -> None:
    terms = terms_of(ObjectiveConfig("beta", free_bits=free_bits))
    assert float(terms["objective"].mean()) == pytest.approx(6 + 0.5 * 3 * cost)
    assert terms["rate"].tolist() == pytest.approx([0.02 + 0.5, 0.08 + 2.0])
    assert terms["distortion"].tolist() == [5, 7]


def test_codes_below_the_floor_are_not_pulled_and_others_as_without() -> None:
    slopes = []
    for free_bits in (None, 0.1):
        mean = MEAN.clone().requires_grad_()
        objective = terms_of(ObjectiveConfig("beta", free_bits=free_bits), mean)["objective"]
        slopes.append(torch.autograd.grad(objective.sum(), mean)[0])
    torch.testing.assert_close(slopes[0], 0.5 * 3 * MEAN)  # KL has the slope mu
    expected = slopes[0].clone()
    expected[:, 0] = 0
    assert torch.equal(slopes[1], expected)


def test_models_of_a_stack_have_floors_of_their_own() -> None:
    config = ObjectiveConfig("beta", free_bits=0.1)
    means = torch.stack([MEAN, 3 * MEAN])
    together = torch.vmap(lambda mean: terms_of(config, mean)["objective"])(means)
    alone = torch.stack([terms_of(config, mean)["objective"] for mean in means])
    torch.testing.assert_close(together, alone)


def test_none_is_the_default_and_what_0_becomes() -> None:
    assert ObjectiveConfig("beta", free_bits=0.0) == ObjectiveConfig("beta")
    assert ObjectiveConfig("beta").free_bits is None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": "tcvae", "free_bits": 0.5}, r"no sums over codes: leave out free bits of 0\.5"),
        ({"name": "beta", "free_bits": -1.0}, "greater than 0"),
        ({"name": "beta", "free_bits": float("nan")}, "free_bits"),
        ({"name": "beta", "free_bits": float("inf")}, "finite"),
    ],
)
def test_what_cannot_be_a_floor_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ObjectiveConfig(**wrong)


@pytest.mark.parametrize(("free_bits", "rate"), [(None, 0.0), (0.5, 3 * 0.5)])
def test_a_model_that_would_collapse_keeps_its_floor(free_bits: float | None, rate: float) -> None:
    """At beta 3, three codes; the batch is the dataset, so that its mean rate is that of all."""
    vae, crosses = small_vae(BetaRange(3.0, 3.0), plain=True), Crosses()
    train(
        vae,
        crosses,
        ObjectiveConfig("beta", groups=1, free_bits=free_bits),
        TrainingConfig(steps=300, batch=64, learning_rate=1e-2, schedule="cosine"),
        seed=0,
        device=torch.device("cpu"),
        quiet=True,
    )
    with torch.no_grad():
        rates = vae.encode(crosses.images(torch.arange(64)), 3.0).rate().mean(0)
    assert float(rates.sum()) == pytest.approx(rate, abs=0.03)
