"""The rate split in three under the aggregate posterior of a whole reference set."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from mrtc.distributions import HALF_LOG_TWO_PI
from mrtc.metrics.arrays import Array, as_codes
from mrtc.metrics.checks import check_moments
from mrtc.metrics.entropy import CodeEntropies

TILE_DRAWS, TILE_EXAMPLES = 256, 2048  # 4 MiB of log densities in float64
CANCELLATION = 1e-6  # nats that a code may lose in the expanded square; else it is taken directly
FLOOR = -60.0  # exp of less adds nothing in float32, and denormal numbers are slow
LEAST_EIGENVALUE = 1e-10  # of a correlation matrix; below, rounding shows
SATURATED = 0.5  # nats below the ceiling


@dataclass(frozen=True, eq=False)
class AggregateTerms:
    """The three parts of the rate, in nats per example, with what they are made of."""

    index_code_mi: float
    """What the code tells of the example's index, from 0 to ``ceiling``."""
    total_correlation: float
    """Dependence among the codes, from 0 upwards."""
    dimensionwise_kl: float
    """Divergence of each code's aggregate from the prior, summed over codes; from 0 upwards."""
    error: float
    """Standard error over the draws, of the first two and of ``joint_entropy``: it is the same
    noise, and of opposite sign in the two, so their sum has none."""
    rate: float
    """Mean analytic rate: the sum of the three."""
    joint_entropy: float
    """Differential entropy of the aggregate posterior; of either sign."""
    conditional_entropy: float
    """Mean entropy of the posteriors, analytic."""
    code_entropy: Float64[np.ndarray, " code"]
    """Differential entropy of each code's aggregate, by quadrature."""
    dimensionwise_kl_per_code: Float64[np.ndarray, " code"]
    ceiling: float
    """Logarithm of the number of reference examples, which the index-code MI cannot exceed."""
    warning: str | None
    """Set where the index-code MI is so close to its ceiling that the set, not the encoder,
    decides it."""
    population: int
    """Number of reference examples."""
    draws: int
    seed: int


def aggregate_terms(
    mean: Array,
    log_sigma: Array,
    *,
    draws: int = 10_000,
    seed: int = 0,
    threads: int | None = None,
) -> AggregateTerms:
    r"""Index-code MI, total correlation and dimension-wise KL, in nats per example.

    .. math::
        I(z; n) &= H(z) - H(z|n), \qquad
        \mathrm{TC} = \sum_j H(z_j) - H(z), \\
        \mathrm{DW} &= \sum_j \bigl(-H(z_j) - \mathbb E \log p(z_j)\bigr), \qquad
        q(z) = \frac1N \sum_{n=1}^N q(z|x_n)

    and their sum is the rate. Lower is not better by itself: a collapsed encoder has 0 in all.
    Only H(z) is estimated, from draws; the H(z_j) come from the quadrature of
    :class:`mrtc.metrics.entropy.CodeEntropies`, the rest is analytic. A draw takes an example,
    with replacement, then a value from its posterior; q(z) is the mean over all examples, its own
    included. Two functions of the draws whose means are known exactly take most of the noise off
    by regression: log q(z|x), and the log density of the Gaussian with the moments of q(z). The
    bias of that is of order 1 / draws.

    It is what these reference examples say. With few of them for so sharp a posterior the
    index-code MI runs into log N and the total correlation comes out too high; ``warning`` tells.
    Neither that nor the spread over other examples is part of ``error``.

    Args:
        mean: Posterior means of all reference examples, (example, code).
        log_sigma: Natural logarithms of the posteriors' standard deviations.
        draws: Number of draws for H(z), at least 10. Takes draws x examples densities, in memory
            that does not grow with either.
        seed: Of the draws.
        threads: Tiles worked on at once; by default as many as torch uses. The result does not
            depend on it.

    Raises:
        ValueError: If shapes differ, a moment is not finite, there are too few draws, or a code's
            posteriors are too narrow for the quadrature.

    References:
        Chen et al., "Isolating Sources of Disentanglement", NeurIPS 2018, section 3 and appendix
        C. Their evaluation draws without replacement, and samples the H(z_j) too; Hoffman and
        Johnson, "ELBO surgery", 2016, for the index-code MI and its ceiling.
    """
    mu, log_s = as_codes(mean, "mean"), as_codes(log_sigma, "log_sigma")
    check_moments(mu, log_s)
    if draws < 10:
        raise ValueError(f"the joint entropy needs at least 10 draws, got {draws}")
    population, codes = mu.shape
    rng = np.random.default_rng(seed)
    drawn = rng.integers(population, size=draws)
    noise = rng.standard_normal((draws, codes))
    z = mu[drawn] + np.exp(log_s[drawn]) * noise

    conditional = codes * (HALF_LOG_TWO_PI + 0.5) + float(log_s.sum(1).mean())
    given_x = -codes * HALF_LOG_TWO_PI - 0.5 * (noise**2).sum(1) - log_s[drawn].sum(1)
    controls = np.stack([given_x + conditional, _excess_distance(z, mu, log_s)], axis=1)
    log_q, error = _mean_with_controls(
        log_aggregate_density(z, mu, log_s, threads=threads), controls
    )

    marginal = np.array([_code_entropy(mu, log_s, j) for j in range(codes)])
    cross = HALF_LOG_TWO_PI + 0.5 * (mu**2 + np.exp(2 * log_s)).mean(0)
    mi, ceiling = -log_q - conditional, math.log(population)
    warning = None
    if mi > ceiling - SATURATED:
        warning = (
            f"the index-code MI of {mi:.2f} nats is close to log {population} = {ceiling:.2f}, the "
            "most that so many examples can show: give more reference examples"
        )
    return AggregateTerms(
        index_code_mi=mi,
        total_correlation=float(marginal.sum()) + log_q,
        dimensionwise_kl=float((cross - marginal).sum()),
        error=error,
        rate=float(cross.sum()) - conditional,
        joint_entropy=-log_q,
        conditional_entropy=conditional,
        code_entropy=marginal,
        dimensionwise_kl_per_code=cross - marginal,
        ceiling=ceiling,
        warning=warning,
        population=population,
        draws=draws,
        seed=seed,
    )


def log_aggregate_density(
    z: Float64[np.ndarray, "draw code"],
    mean: Float64[np.ndarray, "example code"],
    log_sigma: Float64[np.ndarray, "example code"],
    *,
    threads: int | None = None,
) -> Float64[np.ndarray, " draw"]:
    r"""Log density of the aggregate posterior of all examples at some points, in nats.

    .. math:: \log \frac1N \sum_n \prod_j \mathcal N(z_j; \mu_{nj}, \sigma_{nj}^2)

    The exponent is quadratic in z, so that of all pairs is one matrix product, of (z², z, 1) with
    (-1/2σ², μ/σ², const). It is made in tiles, and a running log-sum-exp takes them in. The
    product is in float64, and a code whose square would still cancel too much (far from the
    centre, in its sigmas) is added by plain differences instead. Only the exponentials are in
    float32: relative to the greatest, each is good to 1e-7.

    Args:
        z: Where.
        mean: Posterior mean of each example.
        log_sigma: Natural logarithm of each posterior's standard deviation.
        threads: As in :func:`aggregate_terms`.
    """
    centre = (mean.min(0) + mean.max(0)) / 2
    z, mean = z - centre, mean - centre
    precision = np.exp(-log_sigma)
    reach = np.maximum(np.abs(z).max(0), np.abs(mean).max(0)) * precision.max(0)
    direct = reach**2 * np.finfo(np.float64).eps > CANCELLATION
    plain, scaled = ~direct, mean * precision
    constant = -log_sigma.sum(1) - 0.5 * (scaled[:, plain] ** 2).sum(1)
    left = np.concatenate([z[:, plain] ** 2, z[:, plain], np.ones((len(z), 1))], axis=1)
    right = np.concatenate(
        [-0.5 * precision[:, plain] ** 2, (scaled * precision)[:, plain], constant[:, None]], axis=1
    )
    tiles = _Tiles(
        *(torch.from_numpy(np.ascontiguousarray(part)) for part in (left, right.T)),
        *(
            torch.from_numpy(np.ascontiguousarray(part[:, direct].T))
            for part in (z, mean, precision)
        ),
    )
    # One thread a tile. Where torch's own threads share the small steps of a tile, they mostly wait
    # for each other: on a busy machine that took ten times as long as one thread alone.
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads or before, initializer=torch.set_num_threads, initargs=(1,))
    try:
        with pool:
            rows = list(pool.map(tiles.log_sum, range(0, len(z), TILE_DRAWS)))
    finally:
        torch.set_num_threads(before)
    log_sum: Float64[np.ndarray, " draw"] = torch.cat(rows).numpy()
    log_sum -= math.log(len(mean)) + mean.shape[1] * HALF_LOG_TWO_PI
    return log_sum


@dataclass(frozen=True, eq=False)
class _Tiles:
    left: Float[Tensor, "draw feature"]
    right: Float[Tensor, "feature example"]
    z: Float[Tensor, "direct draw"]
    mean: Float[Tensor, "direct example"]
    precision: Float[Tensor, "direct example"]

    @torch.inference_mode()
    def log_sum(self, first: int) -> Float[Tensor, " row"]:
        """Log of the sum over examples, for the draws from ``first`` on that share a tile."""
        left = self.left[first : first + TILE_DRAWS]
        examples = self.right.shape[1]
        tile = left.new_empty(len(left) * min(TILE_EXAMPLES, examples))
        narrow = torch.empty_like(tile, dtype=torch.float32)
        top = left.new_full((len(left), 1), -math.inf)
        total = left.new_zeros(len(left), 1)
        for start in range(0, examples, TILE_EXAMPLES):
            columns = slice(start, start + TILE_EXAMPLES)
            right = self.right[:, columns]
            shape = len(left), right.shape[1]
            log_q, ratio = (x[: math.prod(shape)].view(shape) for x in (tile, narrow))
            torch.mm(left, right, out=log_q)
            for z, mean, precision in zip(self.z, self.mean, self.precision, strict=True):
                distance = (z[first : first + TILE_DRAWS, None] - mean[columns]) * precision[
                    columns
                ]
                log_q.addcmul_(distance, distance, value=-0.5)
            higher = torch.maximum(top, log_q.amax(1, keepdim=True))
            total *= (top - higher).exp()
            ratio.copy_(log_q.sub_(higher)).clamp_(min=FLOOR).exp_()
            total += ratio.sum(1, keepdim=True)
            top = higher
        return (total.log() + top)[:, 0]


def _excess_distance(
    z: Float64[np.ndarray, "draw code"],
    mean: Float64[np.ndarray, "example code"],
    log_sigma: Float64[np.ndarray, "example code"],
) -> Float64[np.ndarray, " draw"]:
    """Squared Mahalanobis distance under the moments of the aggregate, less its exact mean."""
    variance = np.exp(2 * log_sigma).mean(0)
    centre = mean.mean(0)
    covariance = (mean - centre).T @ (mean - centre) / len(mean) + np.diag(variance)
    scale = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    kept = values > LEAST_EIGENVALUE
    whitened = ((z - centre) / scale) @ vectors[:, kept] / np.sqrt(values[kept])
    excess: Float64[np.ndarray, " draw"] = (whitened**2).sum(1) - kept.sum()
    return excess


def _mean_with_controls(
    values: Float64[np.ndarray, " draw"], controls: Float64[np.ndarray, "draw control"]
) -> tuple[float, float]:
    """Mean and standard error, once regressed on controls of expectation zero."""
    design = np.column_stack([np.ones(len(values)), controls])
    weights = np.linalg.lstsq(design, values)[0]
    left_over = values - design @ weights
    freedom = len(values) - design.shape[1]
    return float(weights[0]), math.sqrt(float(left_over @ left_over) / freedom / len(values))


def _code_entropy(
    mean: Float64[np.ndarray, "example code"],
    log_sigma: Float64[np.ndarray, "example code"],
    code: int,
) -> float:
    try:
        return CodeEntropies(mean[:, code], log_sigma[:, code]).aggregate()
    except ValueError as error:
        raise ValueError(
            f"code {code} is too narrow for its quadrature: its smallest sigma is "
            f"{math.exp(log_sigma[:, code].min()):.3g} with means from "
            f"{mean[:, code].min():.3g} to {mean[:, code].max():.3g}; leave out that code or raise "
            "its sigmas"
        ) from error
