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


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_stack_of_models_is_one_model_after_another(estimator: Estimator) -> None:
    """Values and gradients, with the axis of models first or last, and moments in common."""
    models, weights = 3, log_weights(estimator, 5, 40)
    z, mean, log_sigma = (
        torch.stack([x + 0.1 * i for i in range(models)]) for x in moments(5, 2, 0.3)
    )
    inputs = (z.movedim(0, -1), mean, log_sigma[0])
    for x in inputs:
        x.requires_grad_()
    stacked = torch.func.vmap(lambda *x: log_aggregate(*x, weights), in_dims=(-1, 0, None))(*inputs)
    rows = zip(inputs[0].unbind(-1), inputs[1].unbind(0), strict=True)
    loop = [log_aggregate(z, mean, inputs[2], weights) for z, mean in rows]

    upstream = torch.randn(models, 5, 3, generator=torch.manual_seed(1), dtype=torch.float64)
    results = []
    for joint, marginal in (stacked, [torch.stack(parts) for parts in zip(*loop, strict=True)]):
        out = torch.cat([joint[..., None], marginal], -1)
        results.append([out, *torch.autograd.grad((out * upstream).sum(), inputs)])
    for actual, expected in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-13, atol=1e-13)


def test_gradients_of_a_stack_are_those_of_finite_differences() -> None:
    weights = log_weights("stratified", 4, 40)
    inputs = tuple(x.reshape(2, 4, 2).requires_grad_() for x in moments(8, 2, 0.3))
    stacked = torch.func.vmap(lambda *x: log_aggregate(*x, weights))
    assert torch.autograd.gradcheck(stacked, inputs)
