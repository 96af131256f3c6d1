"""Log densities, rates and likelihoods against torch.distributions and enumeration."""

from itertools import product

import pytest
import torch
from torch.distributions import Normal, kl_divergence
from torch.nn import functional

from mrtc.distributions import (
    Bernoulli,
    DiagonalGaussian,
    Gaussian,
    SquaredError,
    _LogProb,
    log_standard_normal,
)


def posterior() -> DiagonalGaussian:
    generator = torch.manual_seed(0)
    mean, log_sigma = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    return DiagonalGaussian(mean, log_sigma)


def test_the_rate_is_the_divergence_of_torch() -> None:
    q = posterior()
    expected = kl_divergence(Normal(q.mean, q.log_sigma.exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(q.rate(), expected)


def test_the_rate_is_exact_for_a_collapsed_posterior() -> None:
    """Close to the prior the closed form cancels: expm1 keeps its digits in float32."""
    log_sigma = torch.full((1, 1), 1e-4)
    rate = DiagonalGaussian(torch.zeros(1, 1), log_sigma).rate()
    torch.testing.assert_close(rate, log_sigma.square(), rtol=2e-3, atol=0)


def test_log_densities_are_those_of_torch() -> None:
    q = posterior()
    z = q.sample(torch.manual_seed(1))
    torch.testing.assert_close(q.log_density(z), Normal(q.mean, q.log_sigma.exp()).log_prob(z))
    torch.testing.assert_close(log_standard_normal(z), Normal(0.0, 1.0).log_prob(z))


def test_draws_have_the_moments_of_the_posterior() -> None:
    """100,000 draws: within five standard errors."""
    n = 100_000
    q = DiagonalGaussian(torch.full((n, 1), 0.7), torch.full((n, 1), -1.0))
    z = q.sample(torch.manual_seed(0))
    sigma = torch.tensor(-1.0).exp()
    assert abs(z.mean() - 0.7) < 5 * sigma / n**0.5
    assert abs(z.std() / sigma - 1) < 5 / (2 * n) ** 0.5


@pytest.mark.oracle("distortion")
def test_the_bernoulli_likelihood_sums_to_one() -> None:
    """Over all binary images of three pixels, at any logits."""
    images = torch.tensor(list(product([0.0, 1.0], repeat=3)))
    logits = torch.tensor([[-2.0, 0.3, 30.0]]).expand(8, 3)
    total = Bernoulli(logits).log_prob(images).exp().sum()
    torch.testing.assert_close(total, torch.tensor(1.0))


def test_the_likelihood_leaves_bfloat16_before_it_sums() -> None:
    logits = torch.linspace(-3, 3, 4096).reshape(1, -1).bfloat16()
    x = torch.ones(1, 4096)
    expected = Bernoulli(logits.double()).log_prob(x.double())
    torch.testing.assert_close(Bernoulli(logits).log_prob(x).double(), expected, rtol=1e-6, atol=0)


def test_the_likelihood_and_its_gradients_are_those_of_torch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In blocks of rows, the last one shorter, at logits from -60 to 60 and grey pixels too."""
    monkeypatch.setattr("mrtc.distributions.BLOCK_CELLS", 30)
    generator = torch.manual_seed(0)
    logits = torch.linspace(-60, 60, 7 * 12, dtype=torch.float64).reshape(7, 3, 4).requires_grad_()
    x = torch.rand(7, 3, 4, generator=generator, dtype=torch.float64).requires_grad_()
    weight = torch.randn(7, generator=generator, dtype=torch.float64)

    ours = Bernoulli(logits).log_prob(x)
    theirs = -functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum((1, 2))

    torch.testing.assert_close(ours, theirs)
    for one, other in zip(
        torch.autograd.grad(ours @ weight, (logits, x)),
        torch.autograd.grad(theirs @ weight, (logits, x)),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("in_dims", [(0, 0), (1, 0), (-1, 1), (0, None), (None, 2)])
def test_the_likelihood_of_a_stack_is_that_of_one_model_after_another(
    in_dims: tuple[int | None, int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values and gradients, in blocks that cut across models, wherever the axis of models is."""
    monkeypatch.setattr("mrtc.distributions.BLOCK_CELLS", 90)
    generator = torch.manual_seed(0)
    stack = torch.randn(2, 3, 4, 30, generator=generator, dtype=torch.float64)
    logits, x = (
        (part[0] if dim is None else part.movedim(0, dim)).clone().requires_grad_()
        for part, dim in zip(stack, in_dims, strict=True)
    )
    upstream = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    stacked = torch.func.vmap(_LogProb.apply, in_dims=in_dims)(logits, x)
    columns = [
        [part] * 3 if dim is None else part.unbind(dim)
        for part, dim in zip((logits, x), in_dims, strict=True)
    ]
    loop = torch.stack([_LogProb.apply(*row) for row in zip(*columns, strict=True)])
    torch.testing.assert_close(stacked, loop, rtol=1e-14, atol=1e-14)
    for one, other in zip(
        *(torch.autograd.grad((out * upstream).sum(), (logits, x)) for out in (stacked, loop)),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("stacked", [False, True])
def test_gradients_of_the_likelihood_are_those_of_finite_differences(stacked: bool) -> None:
    generator = torch.manual_seed(0)
    shape = (2, 3, 4) if stacked else (3, 4)
    inputs = [
        torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
        for _ in range(2)
    ]
    function = torch.func.vmap(_LogProb.apply) if stacked else _LogProb.apply
    assert torch.autograd.gradcheck(function, inputs)


@pytest.mark.oracle("distortion")
def test_the_gaussian_likelihood_is_that_of_torch() -> None:
    """A sigma for each example, all its entries alike."""
    mean, x = torch.randn(2, 4, 3, 5, 5, generator=torch.manual_seed(0), dtype=torch.float64)
    log_sigma = torch.tensor([-2.0, -0.3, 0.0, 1.5], dtype=torch.float64)
    expected = Normal(mean, log_sigma.exp()[:, None, None, None]).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(Gaussian(mean, log_sigma).log_prob(x), expected)


def test_squared_errors_are_a_gaussian_of_variance_one_half_but_for_a_constant() -> None:
    mean, x = torch.randn(2, 3, 2, 4, generator=torch.manual_seed(1), dtype=torch.float64)
    log_sigma = torch.full((3,), 0.5, dtype=torch.float64).log() / 2
    constant = 8 / 2 * torch.tensor(torch.pi, dtype=torch.float64).log()
    gaussian = Gaussian(mean, log_sigma).log_prob(x)
    torch.testing.assert_close(gaussian, SquaredError(mean).log_prob(x) - constant)
