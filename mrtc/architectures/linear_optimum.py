r"""The linear VAE solved: best parameters, rate and distortion at every beta, in closed form.

The decoder is :math:`p(x|z) = N(Dz + \bar x, s^2 I)`, the prior standard normal, the posterior
:math:`q(z|x) = N(E(x - \bar x), \mathrm{diag}\,C)`. All in float64, by numpy.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

LinearLikelihood = Literal["gaussian", "squared_error"]
"""``gaussian``: the density with all its constants. ``squared_error``: the sum of squares, without
1/2 and without constant, which is the distortion of variance 1/2 but for a constant."""

SQUARED_ERROR_VARIANCE = 0.5


class LinearParameters(NamedTuple):
    """A linear VAE at one beta; the means are zero where the biases are right."""

    encoder: Float[np.ndarray, "code feature"]
    posterior_variance: Float[np.ndarray, " code"]
    decoder: Float[np.ndarray, "feature code"]
    code_mean: Float[np.ndarray, " code"] | float = 0.0
    """Of the posterior means over the data."""
    residual_mean: Float[np.ndarray, " feature"] | float = 0.0
    """Of the data minus their noiseless reconstructions."""


class RateDistortion(NamedTuple):
    """Nats per example; the distortion in the units of its likelihood."""

    rate: float
    distortion: float


def linear_rate_distortion(
    covariance: Float[np.ndarray, "feature feature"],
    parameters: LinearParameters,
    *,
    likelihood: LinearLikelihood = "squared_error",
    variance: float | None = None,
) -> RateDistortion:
    r"""Rate and distortion of any linear VAE on data of this covariance, optimal or not.

    .. math::
        D &= \tfrac{1}{2 s^2} \left[ \mathrm{tr}\,(I - DE) S (I - DE)^T
            + \mathrm{tr}\,D C D^T + |\bar r|^2 \right] + \tfrac d2 \log 2\pi s^2 \\
        R &= \tfrac12 \left[ \mathrm{tr}\,E S E^T + |\bar z|^2
            + \mathrm{tr}\,C - \log\det C - k \right]

    Args:
        covariance: Of the data, normalised by their number.
        parameters: Of the model; :math:`\bar z` and :math:`\bar r` are its two means.
        likelihood: See :data:`LinearLikelihood`.
        variance: :math:`s^2`, of a gaussian likelihood.

    Raises:
        ValueError: If ``variance`` does not go with ``likelihood``, or is not positive.

    References:
        Lucas et al., "Don't Blame the ELBO!", NeurIPS 2019; Bae et al., ICLR 2023, appendix A.
    """
    variance = _variance(likelihood, variance)
    encoder, sigma2, decoder, code_mean, residual_mean = parameters
    left = np.eye(len(covariance)) - decoder @ encoder
    error = (
        np.sum((left @ covariance) * left)
        + np.sum(decoder**2 * sigma2)
        + np.sum(np.square(residual_mean))
    )
    rate = 0.5 * (
        np.sum((encoder @ covariance) * encoder)
        + np.sum(np.square(code_mean))
        + np.sum(sigma2 - np.log(sigma2) - 1)
    )
    constant = _constant(likelihood, variance, len(covariance))
    return RateDistortion(float(rate), float(error) / (2 * variance) + constant)


@dataclass(frozen=True)
class LinearOptimum:
    r"""The least distortion + beta rate over encoder, posterior variance and decoder at once.

    With the eigenvalues :math:`\lambda_i` of the covariance and the threshold
    :math:`t = \beta s^2`, code i is active where :math:`\lambda_i > t`, and then

    .. math::
        E_i = \frac{\sqrt{\lambda_i - t}}{\lambda_i} u_i^T \qquad C_i = \frac{t}{\lambda_i} \qquad
        D_i = \sqrt{\lambda_i - t}\, u_i \qquad R_i = \tfrac12 \log \frac{\lambda_i}{t}

    A code that is not active has zeros, variance 1 and no rate. The optimum is unique up to order
    and signs of the codes (and rotations among equal eigenvalues).

    Args:
        eigenvalues: Of the covariance of the data, decreasing, none negative.
        codes: Latent dimensions; those beyond the eigenvalues stay collapsed.
        directions: Eigenvectors in the columns; only :meth:`parameters` needs them.
        likelihood: See :data:`LinearLikelihood`.
        variance: :math:`s^2`, of a gaussian likelihood.

    Raises:
        ValueError: If the eigenvalues are not such, there are no codes, or ``variance`` does not
            go with ``likelihood``.

    References:
        Tipping and Bishop, 1999, for beta 1; Lucas et al., NeurIPS 2019; Bae et al., ICLR 2023,
        appendix A. At unit variance and all beta this is reverse water-filling, Cover and Thomas,
        section 10.3.3, with no more than ``codes`` components.
    """

    eigenvalues: Float[np.ndarray, " feature"]
    codes: int
    directions: Float[np.ndarray, "feature feature"] | None = None
    likelihood: LinearLikelihood = "squared_error"
    variance: float | None = None

    def __post_init__(self) -> None:
        if self.codes < 1:
            raise ValueError(f"a linear VAE needs at least one code, got {self.codes}")
        if not (np.all(self.eigenvalues >= 0) and np.all(np.diff(self.eigenvalues) <= 0)):
            raise ValueError(
                "eigenvalues must decrease and not be negative, got "
                f"{np.array2string(self.eigenvalues, precision=3, threshold=6)}; sort them, or use "
                "LinearOptimum.of(covariance, codes)"
            )
        _variance(self.likelihood, self.variance)

    @classmethod
    def of(
        cls,
        covariance: Float[np.ndarray, "feature feature"],
        codes: int,
        *,
        likelihood: LinearLikelihood = "squared_error",
        variance: float | None = None,
    ) -> "LinearOptimum":
        """The optimum for data of this covariance (normalised by their number)."""
        ascending, directions = np.linalg.eigh(covariance)
        # Rounding leaves tiny values, of either sign, where there is no variance.
        tolerance = ascending[-1] * len(ascending) * np.finfo(float).eps
        eigenvalues = np.where(ascending > tolerance, ascending, 0)[::-1].copy()
        return cls(eigenvalues, codes, directions[:, ::-1].copy(), likelihood, variance)

    @property
    def noise(self) -> float:
        """The variance of the likelihood, 1/2 for squared errors."""
        return _variance(self.likelihood, self.variance)

    @property
    def code_eigenvalues(self) -> Float[np.ndarray, " code"]:
        """The eigenvalue that belongs to each code, 0 for codes beyond them."""
        used = self.eigenvalues[: self.codes]
        return np.pad(used, (0, self.codes - len(used)))

    @property
    def collapse(self) -> Float[np.ndarray, " code"]:
        """The beta from which on each code is collapsed."""
        return self.code_eigenvalues / self.noise

    def parameters(self, beta: float) -> LinearParameters:
        """The best parameters at ``beta``.

        Raises:
            ValueError: If there are no ``directions``.
        """
        if self.directions is None:
            raise ValueError("parameters need the directions; use LinearOptimum.of(covariance, …)")
        scale = self.code_eigenvalues
        threshold = beta * self.noise
        active = scale > threshold
        safe = np.where(active, scale, 1.0)
        gain = np.sqrt(np.where(active, scale - threshold, 0.0))
        basis = np.zeros((len(self.eigenvalues), self.codes))
        used = self.directions[:, : self.codes]
        basis[:, : used.shape[1]] = used
        return LinearParameters(
            encoder=(basis * (gain / safe)).T,
            posterior_variance=np.where(active, threshold / safe, 1.0),
            decoder=basis * gain,
        )

    def active_codes(self, beta: Float[np.ndarray, " beta"]) -> Int[np.ndarray, " beta"]:
        """How many codes are not collapsed at each beta."""
        active: Int[np.ndarray, " beta"] = (self.collapse > beta[:, None]).sum(1)
        return active

    def rate(self, beta: Float[np.ndarray, " beta"]) -> Float[np.ndarray, " beta"]:
        """At each beta, in nats per example."""
        ratio = self.collapse / beta[:, None]
        rate: Float[np.ndarray, " beta"] = 0.5 * np.log(np.maximum(ratio, 1)).sum(1)
        return rate

    def distortion(self, beta: Float[np.ndarray, " beta"]) -> Float[np.ndarray, " beta"]:
        """At each beta, in nats per example; its slope over the rate is minus beta."""
        kept = np.minimum(self.code_eigenvalues, beta[:, None] * self.noise).sum(1)
        error = kept + self.eigenvalues[self.codes :].sum()
        constant = _constant(self.likelihood, self.noise, len(self.eigenvalues))
        distortion: Float[np.ndarray, " beta"] = error / (2 * self.noise) + constant
        return distortion

    def objective(self, beta: Float[np.ndarray, " beta"]) -> Float[np.ndarray, " beta"]:
        """Distortion + beta rate at each beta: what no linear VAE goes below."""
        objective: Float[np.ndarray, " beta"] = self.distortion(beta) + beta * self.rate(beta)
        return objective

    def beta_at_rate(self, rate: Float[np.ndarray, " rate"]) -> Float[np.ndarray, " rate"]:
        r"""The beta at which the optimum has this rate; the inverse of :meth:`rate`.

        With m active codes, :math:`\log t = (\sum_{i \le m} \log \lambda_i - 2R) / m`. At rate 0
        this is the smallest of the betas at which all is collapsed.

        Raises:
            ValueError: If a rate is negative, or the data do not vary.
        """
        if np.any(rate < 0):
            raise ValueError(f"rates are not negative, got {rate.min():g}")
        positive = self.code_eigenvalues[self.code_eigenvalues > 0]
        if len(positive) == 0:
            raise ValueError("data without variance have no rate but 0; give eigenvalues above 0")
        logs = np.log(positive)
        count = np.arange(1, len(logs) + 1)
        rate_where_each_opens = 0.5 * (np.cumsum(logs) - count * logs)
        active = np.maximum((rate_where_each_opens < rate[:, None]).sum(1), 1)
        log_threshold = (np.cumsum(logs)[active - 1] - 2 * rate) / active
        beta: Float[np.ndarray, " rate"] = np.exp(log_threshold) / self.noise
        return beta

    def distortion_at_rate(self, rate: Float[np.ndarray, " rate"]) -> Float[np.ndarray, " rate"]:
        """The least distortion that a linear VAE with this rate can have: the exact curve.

        A trained model is judged by its distortion above this, at its own rate.
        """
        return self.distortion(self.beta_at_rate(rate))

    def best_variance(self, beta: float) -> float:
        r"""The variance of a gaussian likelihood that is best at ``beta``, all else optimal too.

        .. math:: s^2 = \frac{\sum_{i > m} \lambda_i}{d - \beta m}

        with m active codes at this very variance. The derivative of the objective has the sign of
        :math:`(d - \beta m) s^2 - \sum_{i>m} \lambda_i`, which is convex in :math:`s^2` and not
        positive at 0: so there is one solution, and at it ``d > beta m``. Does not depend on
        ``variance``.

        Raises:
            ValueError: If there is none above 0: with no eigenvalue left over, and beta below
                d / (active codes), the density at the data grows without bound.
        """
        scale = self.code_eigenvalues
        positive = scale[scale > 0]
        for active, edge in enumerate([*(positive / beta), 0.0]):
            left_over = self.eigenvalues[active:].sum()
            room = len(self.eigenvalues) - beta * active
            if room * edge <= left_over:  # the solution is above this edge, and below the last
                if left_over == 0:
                    break
                return float(left_over / room)
        raise ValueError(
            f"no variance is best at beta {beta:g}: {self.codes} codes reproduce data of rank "
            f"{len(positive)} without error, so the smaller the better; use fewer codes"
        )


def _variance(likelihood: LinearLikelihood, variance: float | None) -> float:
    if likelihood == "squared_error":
        if variance is not None:
            raise ValueError(
                f"squared errors have no variance, got {variance:g}; leave it out, or use the "
                "gaussian likelihood"
            )
        return SQUARED_ERROR_VARIANCE
    if variance is None or not variance > 0:
        raise ValueError(f"a gaussian likelihood needs a variance above 0, got {variance}")
    return variance


def _constant(likelihood: LinearLikelihood, variance: float, features: int) -> float:
    if likelihood == "squared_error":
        return 0.0
    return features / 2 * math.log(2 * math.pi * variance)
