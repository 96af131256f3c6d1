"""The linear VAE: what its gates can represent, and its place among the architectures."""

import json
import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import expit

from mrtc.architectures import (
    LinearConfig,
    LinearDecoder,
    LinearEncoder,
    LinearOptimum,
    MLPConfig,
    build_networks,
    linear_rate_distortion,
    read_parameters,
    set_optimal,
)
from mrtc.architectures.linear import LinearGates
from mrtc.distributions import SquaredError
from mrtc.experiments import RunConfig, preset
from mrtc.objectives import ObjectiveConfig
from mrtc.randomness import numpy_stream
from mrtc.rates import BetaRange
from mrtc.training import TrainingConfig, train
from mrtc.vae import VAE

SHAPE = (2, 4)
BETAS = BetaRange(0.01, 10.0)
GRID = np.geomspace(BETAS.low, BETAS.high, 20)
EIGENVALUES = np.array([6.0, 3.0, 3.0, 0.9, 0.2, 0.02, 0.0, 0.0])
ALL: list[LinearGates] = ["none", "paper", "exact"]


def data() -> tuple[np.ndarray, np.ndarray]:
    """Covariance and mean."""
    rng = numpy_stream(0, "data")
    rotation = np.linalg.qr(rng.standard_normal((8, 8)))[0]
    return (rotation * EIGENVALUES) @ rotation.T, rng.standard_normal(8)


def networks(
    gates: LinearGates, codes: int = 4, init: str = "open"
) -> tuple[LinearEncoder, LinearDecoder]:
    """In float64."""
    config = LinearConfig(codes=codes, gates=gates, gate_init=init)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder, decoder = build_networks(SHAPE, config)
    assert isinstance(encoder, LinearEncoder)
    assert isinstance(decoder, LinearDecoder)
    return encoder.double(), decoder.double()


def rate_code(beta: float) -> float:
    return BETAS.standardise(torch.tensor([beta], dtype=torch.float64)).item()


@pytest.mark.parametrize("codes", [2, 5, 9])
def test_exact_gates_are_the_optimum_at_every_beta(codes: int) -> None:
    """Encoder, posterior variance and decoder, with repeated, small and zero eigenvalues."""
    covariance, mean = data()
    optimum = LinearOptimum.of(covariance, codes)
    encoder, decoder = networks("exact", codes)
    set_optimal(encoder, decoder, optimum, BETAS, mean)
    for beta in GRID:
        actual = read_parameters(encoder, decoder, rate_code(beta), mean)
        wanted = optimum.parameters(float(beta))
        for name in ("encoder", "posterior_variance", "decoder"):
            np.testing.assert_allclose(getattr(actual, name), getattr(wanted, name), atol=1e-10)
        np.testing.assert_allclose(actual.code_mean, 0, atol=1e-10)
        np.testing.assert_allclose(actual.residual_mean, 0, atol=1e-10)
        rate, distortion = linear_rate_distortion(covariance, actual)
        exact = optimum.objective(np.array([beta]))[0]
        assert distortion + beta * rate == pytest.approx(exact, abs=1e-10)


def test_a_plain_model_is_the_optimum_of_its_beta() -> None:
    covariance, mean = data()
    optimum = LinearOptimum.of(covariance, 4)
    encoder, decoder = networks("none")
    set_optimal(encoder, decoder, optimum, BetaRange(0.7, 0.7), mean)
    reached = linear_rate_distortion(covariance, read_parameters(encoder, decoder, 0.0, mean))
    assert reached.rate == pytest.approx(optimum.rate(np.array([0.7]))[0], abs=1e-10)
    assert reached.distortion == pytest.approx(optimum.distortion(np.array([0.7]))[0], abs=1e-10)


def test_the_papers_gates_are_not_the_optimum() -> None:
    """Eigenvalue 3, variance 1: the theorem's constants give numbers that were derived by hand."""
    covariance = np.diag([3.0, *[0.0] * 7])
    optimum = LinearOptimum.of(covariance, 1, likelihood="gaussian", variance=1.0)
    encoder, decoder = networks("paper", 1)
    set_optimal(encoder, decoder, optimum, BETAS, np.zeros(8))
    for beta, gain, variance, best_gain, best_variance in (
        (1.0, math.sqrt(3) / 4, 1 / 4, math.sqrt(2) / 3, 1 / 3),  # 0.433 and 0.471
        (4.0, math.sqrt(3) / 7, 4 / 7, 0.0, 1.0),  # 0.247
    ):
        gated = read_parameters(encoder, decoder, rate_code(beta), np.zeros(8))
        best = optimum.parameters(beta)
        assert np.abs(gated.encoder).max() == pytest.approx(gain)
        assert np.abs(best.encoder).max() == pytest.approx(best_gain)
        assert gated.posterior_variance[0] == pytest.approx(variance)
        assert best.posterior_variance[0] == pytest.approx(best_variance)
        np.testing.assert_allclose(np.abs(gated.decoder), np.abs(best.decoder), atol=1e-10)


def test_the_papers_theorem_holds_for_a_decoder_that_does_not_change() -> None:
    """Its encoder and variance are then stationary: no step in them lowers the objective."""
    covariance, mean = data()
    optimum = LinearOptimum.of(covariance, 9)
    encoder, decoder = networks("paper", 9)
    set_optimal(encoder, decoder, optimum, BETAS, mean)
    rng = numpy_stream(1, "steps")
    for beta in (0.02, 0.5, 6.0):
        set_ = read_parameters(encoder, decoder, rate_code(beta), mean)
        fixed = set_._replace(decoder=optimum.parameters(0.0).decoder)

        def objective(step: np.ndarray, fixed=fixed, beta=beta) -> float:
            moved = fixed._replace(
                encoder=fixed.encoder + step[:-9].reshape(9, 8),
                posterior_variance=fixed.posterior_variance * np.exp(step[-9:]),
            )
            rate, distortion = linear_rate_distortion(covariance, moved)
            return distortion + beta * rate

        for size in (1e-4, 1e-2, 1.0):
            step = size * rng.standard_normal(9 * 8 + 9)
            assert objective(step) >= objective(0 * step) - 1e-12


def test_no_constants_make_the_papers_gates_the_optimum() -> None:
    """Best sigmoid fits to the gain and to the variance of one code, from many starts."""
    log_beta = np.linspace(math.log(0.01), math.log(10), 200)
    ratio = np.minimum(np.exp(log_beta) / 3, 1)

    def misfit(p: np.ndarray, target: np.ndarray) -> float:
        return float(np.square(p[0] * expit(p[1] * log_beta + p[2]) - target).mean())

    rng = numpy_stream(0, "starts")
    for target in (np.sqrt(1 - ratio), ratio):
        fits = [minimize(misfit, rng.standard_normal(3), (target,)).fun for _ in range(10)]
        assert 0.005 < math.sqrt(min(fits)) < 0.1


@pytest.mark.parametrize("gates", ALL)
def test_the_parameters_that_are_read_are_what_the_networks_compute(gates: LinearGates) -> None:
    """Rate and distortion by the trace formulas against the model's own; biases too."""
    rng, (covariance, mean) = numpy_stream(2, "draws"), data()
    encoder, decoder = networks(gates, init="paper")
    draws = 100_000
    x = torch.from_numpy(rng.multivariate_normal(mean, covariance, draws)).reshape(-1, *SHAPE)
    # Moments of this very set, so that only the posterior draws are random.
    flat = x.flatten(1).numpy()
    covariance, mean = np.cov(flat.T, bias=True), flat.mean(0)
    vae = VAE(encoder, decoder, 4, BETAS if gates != "none" else BetaRange(2.0, 2.0))
    beta = torch.tensor([2.0], dtype=torch.float64)
    with torch.no_grad():
        posterior = vae.encode(x, beta)
        z = posterior.draw(torch.from_numpy(rng.standard_normal((draws, 4))))
        out = vae.decoder(z, vae.betas.standardise(beta))
    error = -SquaredError(out).log_prob(x).numpy()
    code = vae.betas.standardise(beta).item()
    exact = linear_rate_distortion(covariance, read_parameters(encoder, decoder, code, mean))
    assert posterior.rate().sum(1).mean().item() == pytest.approx(exact.rate)
    assert abs(error.mean() - exact.distortion) < 5 * error.std() / math.sqrt(draws)


@pytest.mark.parametrize("gates", ["paper", "exact"])
def test_each_example_may_have_its_own_beta(gates: LinearGates) -> None:
    """One code for all, for groups, and for each example are the same numbers, row by row."""
    encoder, decoder = networks(gates, init="paper")
    x = torch.from_numpy(numpy_stream(0, "x").standard_normal((6, *SHAPE)))
    groups = torch.tensor([-1.0, 0.2, 1.5], dtype=torch.float64)
    together = encoder(x, groups)
    images = decoder(together[0], groups)
    for group, code in enumerate(groups):
        rows = slice(2 * group, 2 * group + 2)
        alone = encoder(x[rows], code[None])
        for part, whole in zip(alone, together, strict=True):
            torch.testing.assert_close(part, whole[rows])
        torch.testing.assert_close(decoder(alone[0], code[None]), images[rows])
    each = encoder(x, groups.repeat_interleave(2))
    torch.testing.assert_close(each, together)


@pytest.mark.parametrize("gates", ["paper", "exact"])
def test_every_gate_is_alive_at_the_start(gates: LinearGates) -> None:
    """At every beta of the range each parameter of a gate has a gradient, and closes with beta."""
    encoder, decoder = networks(gates, codes=3)
    x = torch.from_numpy(numpy_stream(0, "x").standard_normal((50, *SHAPE)))
    means = [encoder(x, torch.tensor([r]).double())[0].abs().sum().item() for r in (-1.7, 0, 1.7)]
    assert means[0] > means[1] > means[2] > 0.2 * means[0]
    for code in (-math.sqrt(3), 0.1, math.sqrt(3)):
        rate = torch.tensor([code], dtype=torch.float64)
        encoder.zero_grad()
        decoder.zero_grad()
        mean, log_sigma = encoder(x, rate)
        (decoder(mean + log_sigma.exp(), rate) - x).square().sum().backward()
        for network in (encoder, decoder):
            for name, parameter in network.named_parameters():
                assert parameter.grad is not None
                assert (parameter.grad != 0).all(), name


def test_a_plain_model_starts_as_a_gated_one_at_mid_range() -> None:
    """With the same log sigmas, so that no unit noise drowns its codes."""
    x, middle = torch.zeros(3, *SHAPE).double(), torch.zeros(1).double()
    log_sigmas = [networks(gates)[0](x, middle)[1] for gates in ("none", "exact")]
    torch.testing.assert_close(*log_sigmas)
    assert (log_sigmas[0] == -1).all()


def test_the_plain_model_has_no_other_parameters() -> None:
    """Two affine maps and a log variance a code; gates add three lines a code, paper's a factor."""
    counts = {
        gates: sum(p.numel() for network in networks(gates) for p in network.parameters())
        for gates in ALL
    }
    assert counts == {"none": 8 * 4 + 4 + 4 + 4 * 8 + 8, "exact": 80 + 20, "paper": 80 + 24}
    assert LinearConfig(gates="exact").plain() == LinearConfig(gates="none")
    assert LinearConfig(gates="none").is_plain
    assert not LinearConfig(gates="paper").is_plain


def test_moments_are_float32_under_autocast() -> None:
    """And as exact as without, for the one layer is the moment."""
    encoder = networks("exact")[0].float()
    x, code = torch.rand(5, *SHAPE), torch.zeros(1)
    wanted = encoder(x, code)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mean, log_sigma = encoder(x, code)
    assert mean.dtype == log_sigma.dtype == torch.float32
    torch.testing.assert_close((mean, log_sigma), wanted)


class Gaussian:
    """Draws with more directions of variance than codes, about a mean that is not zero."""

    def __init__(self) -> None:
        rng = numpy_stream(3, "gaussian")
        scale = np.sqrt(np.array([4.0, 2.0, 1.0, 0.6, *[0.3] * 4]))
        rotation = np.linalg.qr(rng.standard_normal((8, 8)))[0]
        draws = rng.standard_normal((4096, 8)) * scale @ rotation.T + 1
        self.draws = torch.from_numpy(draws).float()

    def __len__(self) -> int:
        return len(self.draws)

    def images(self, index: torch.Tensor) -> torch.Tensor:
        return self.draws[index].reshape(-1, *SHAPE)


@pytest.mark.slow
def test_training_from_scratch_finds_the_optimum() -> None:
    """Over the inner betas: on the exact curve, and nearly at the right place of it."""
    examples = Gaussian()
    encoder, decoder = (network.float() for network in networks("exact"))
    vae = VAE(encoder, decoder, 4, BETAS, "squared_error")
    train(
        vae,
        examples,
        ObjectiveConfig("beta", groups=64),
        TrainingConfig(steps=1500, batch=256, learning_rate=2e-2, schedule="cosine"),
        seed=0,
        device=torch.device("cpu"),
        quiet=True,
    )
    flat, inner = examples.draws.double().numpy(), GRID[2:-2]
    covariance, mean = np.cov(flat.T, bias=True), flat.mean(0)
    optimum = LinearOptimum.of(covariance, 4)
    reached = [
        linear_rate_distortion(covariance, read_parameters(encoder, decoder, rate_code(b), mean))
        for b in inner
    ]
    rate, distortion = np.array(reached).T
    excess = distortion / optimum.distortion_at_rate(rate) - 1
    assert excess.min() > -1e-6  # nothing is below the curve
    assert excess.max() < 0.01
    np.testing.assert_allclose(rate, optimum.rate(inner), atol=0.15)


def test_configurations_round_trip_and_the_kind_tells_them_apart() -> None:
    base = json.loads(preset("dsprites", "quick", "beta").to_json())
    for model in (MLPConfig(hidden=8), LinearConfig(codes=7, gates="paper")):
        written = json.dumps(base | {"model": vars(model)})
        config = RunConfig.from_json(written)
        assert config.model == model
        assert RunConfig.from_json(config.to_json()) == config


def test_configurations_without_a_kind_are_mlps() -> None:
    """As runs wrote them before there was a second architecture."""
    base = json.loads(preset("dsprites", "quick", "beta").to_json())
    for model in ({"codes": 5, "gated": "all"}, {"codes": 5}):
        config = RunConfig.from_json(json.dumps(base | {"model": model}))
        assert config.model == MLPConfig(**model)


def test_an_unknown_kind_is_refused() -> None:
    base = json.loads(preset("dsprites", "quick", "beta").to_json())
    with pytest.raises(ValueError, match="'cubic'"):
        RunConfig.from_json(json.dumps(base | {"model": {"kind": "cubic"}}))
