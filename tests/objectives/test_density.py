"""The blocked estimate of q(z) equals the plain one, in value and gradient."""

import pytest
import torch

from mrtc.objectives import Estimator, density
from mrtc.objectives.density import log_aggregate
from mrtc.objectives.total_correlation import log_weights
from tests.references import total_correlation as plain

ESTIMATORS: list[Estimator] = ["weighted", "stratified", "in-batch"]


def moments(batch: int, codes: int, spread: float) -> tuple[torch.Tensor, ...]:
    generator = torch.manual_seed(0)
    mean = torch.randn(batch, codes, generator=generator, dtype=torch.float64)
    log_sigma = spread * torch.randn(batch, codes, generator=generator, dtype=torch.float64) - 2
    noise = torch.randn(batch, codes, generator=generator, dtype=torch.float64)
    return mean + log_sigma.exp() * noise, mean, log_sigma


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("cells", [1, 70, 2**20])
def test_blocks_equal_the_plain_formulation(
    estimator: Estimator, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the size of the blocks: one row, some rows with a short rest, all at once."""
    monkeypatch.setitem(density.BLOCK_CELLS, "cpu", cells)
    batch, codes, population = 11, 3, 500
    results = []
    upstream = torch.randn(batch, codes + 1, generator=torch.manual_seed(1), dtype=torch.float64)
    for function, weights in (
        (log_aggregate, log_weights(estimator, batch, population)),
        (plain.log_aggregate, plain.weight_matrix(estimator, batch, population)),
    ):
        inputs = [part.clone().requires_grad_() for part in moments(batch, codes, 0.5)]
        joint, marginal = function(*inputs, weights)
        out = torch.cat([joint[:, None], marginal], dim=1)
        (out * upstream).sum().backward()
        results.append([out, *(part.grad for part in inputs)])
    for actual, expected in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_gradients_are_those_of_finite_differences(estimator: Estimator) -> None:
    weights = log_weights(estimator, 5, 40)
    inputs = tuple(part.requires_grad_() for part in moments(5, 2, 0.3))
    assert torch.autograd.gradcheck(lambda *x: log_aggregate(*x, weights), inputs)


def test_small_sigmas_cancel_nothing_in_float32() -> None:
    """Sigmas from 1e-4 to 10: the float32 value is the float64 value of the same inputs."""
    z, mean, _ = (part.float() for part in moments(64, 4, 0.5))
    log_sigma = torch.linspace(-9.2, 2.3, 64)[:, None].expand(64, 4)
    z = mean + (z - mean) / 0.135 * log_sigma.exp()
    weights = log_weights("in-batch", 64, 1000)
    joint, marginal = log_aggregate(z, mean, log_sigma, weights)
    exact = log_aggregate(z.double(), mean.double(), log_sigma.double(), weights)
    torch.testing.assert_close(joint.double(), exact[0], rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(marginal.double(), exact[1], rtol=1e-5, atol=1e-4)


def test_far_posteriors_leave_no_denormal_numbers() -> None:
    """A density of exp(-100) counts as exp(-60), which adds nothing; a processor needs that."""
    mean = torch.tensor([[0.0], [14.2]])
    joint, _ = log_aggregate(mean, mean, torch.zeros(2, 1), log_weights("in-batch", 2, 2))
    expected = (
        torch.distributions.Normal(0.0, 1.0).log_prob(torch.zeros(2)) - torch.tensor(2.0).log()
    )
    torch.testing.assert_close(joint, expected)
