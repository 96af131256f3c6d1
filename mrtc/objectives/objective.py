"""The two objectives, from one configuration: beta-VAE and beta-TCVAE."""

import math
from typing import Annotated, Literal

from jaxtyping import Float
from pydantic import BeforeValidator, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor

from mrtc.distributions import DiagonalGaussian
from mrtc.objectives.schedules import RateSchedule
from mrtc.objectives.total_correlation import Estimator, rate_terms

ObjectiveName = Literal["beta", "tcvae"]


@dataclass(frozen=True)
class ObjectiveConfig:
    """What is minimised, and how beta is drawn for it."""

    name: ObjectiveName
    """``beta``: distortion + beta rate. ``tcvae``: beta weighs the total correlation alone."""
    estimator: Estimator = "weighted"
    """Of q(z) in a minibatch; ``tcvae`` alone reads it."""
    groups: PositiveInt | Literal["example"] = "example"
    """How many betas a batch holds: one for each of so many equal groups, or one per example. For
    ``tcvae`` each group has its own estimate of q(z); one beta per example, as in the published
    code, mixes the posteriors of all betas in one estimate."""
    balance: Annotated[PositiveFloat | None, BeforeValidator(lambda power: power or None)] = None
    """The objective at beta is divided by this power of 1 + beta, so that the steep ones of high
    betas leave something to be learned for low ones. None, which 0 becomes, weighs all betas alike,
    as do runs of versions that have not this entry."""
    rate_schedule: RateSchedule = "constant"
    """Of the rate's weight; baselines only, for a multi-rate model is trained at all its betas."""

    def betas_in(self, batch: int) -> int:
        """Betas drawn for a batch of so many examples."""
        return batch if self.groups == "example" else self.groups

    @property
    def estimates(self) -> int:
        """Estimates of q(z) made from a batch."""
        return 1 if self.groups == "example" else self.groups


def objective_terms(
    config: ObjectiveConfig,
    *,
    distortion: Float[Tensor, " batch"],
    posterior: DiagonalGaussian,
    z: Float[Tensor, "batch code"],
    beta: Float[Tensor, " group"],
    population: int,
    rate_weight: float = 1.0,
) -> dict[str, Float[Tensor, " batch"]]:
    """The objective and its terms, per example, in nats (times a weight, with ``balance``).

    Args:
        config: Which objective.
        distortion: Of each example, at its draw ``z``.
        posterior: Of each example.
        z: One draw from each.
        beta: One for each of equal groups of consecutive examples.
        population: Examples in the dataset.
        rate_weight: Multiplies all but the distortion, see :mod:`mrtc.objectives.schedules`.

    Returns:
        ``objective`` (its mean is minimised), ``distortion``, ``rate``; for ``tcvae`` also
        ``index_code_mi``, ``total_correlation`` and ``dimensionwise_kl``, which sum to the rate at
        the draw. These three are estimates from a minibatch: of the right gradient, not values to
        report. The constant that ``weighted`` adds to them is left out here.

    References:
        Higgins et al., ICLR 2017; Chen et al., NeurIPS 2018.
    """
    beta = beta.repeat_interleave(len(distortion) // len(beta))
    rate = posterior.rate().sum(1)
    weight = (1 + beta) ** -(config.balance or 0.0)
    if config.name == "beta":
        objective = weight * (distortion + rate_weight * beta * rate)
        return {"objective": objective, "distortion": distortion, "rate": rate}
    terms = rate_terms(
        posterior, z, estimator=config.estimator, population=population, groups=config.estimates
    )
    excess = math.log(population) if config.estimator == "weighted" else 0.0
    codes = z.shape[1]
    index_code_mi = terms.index_code_mi - excess
    total_correlation = terms.total_correlation - (codes - 1) * excess
    dimensionwise_kl = terms.dimensionwise_kl + codes * excess
    weighed = index_code_mi + beta * total_correlation + dimensionwise_kl
    return {
        "objective": weight * (distortion + rate_weight * weighed),
        "distortion": distortion,
        "rate": rate,
        "index_code_mi": index_code_mi,
        "total_correlation": total_correlation,
        "dimensionwise_kl": dimensionwise_kl,
    }
