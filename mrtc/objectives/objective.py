"""The two objectives, from one configuration: beta-VAE and beta-TCVAE."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor

from mrtc.distributions import DiagonalGaussian
from mrtc.hierarchy import LatentGroup
from mrtc.objectives.balancing import balanced_rate
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
    """Of the rate's weight. What anneals it is for baselines only, for a multi-rate model is
    trained at all its betas; ``held`` is for both."""
    free_bits: Annotated[
        float | None, Field(gt=0, allow_inf_nan=False), BeforeValidator(lambda bits: bits or None)
    ] = None
    """Rate of each code, in nats, that costs no more than none, see :func:`floored_rate`; for
    ``beta`` and baselines only. None, which 0 becomes: every code pays for all of its rate."""
    group_balance: Annotated[
        bool | None, BeforeValidator(lambda is_on: None if is_on is False else is_on)
    ] = None
    """Whether latent groups share the rate's price unequally while the schedule keeps its weight
    below 1, see :func:`~mrtc.objectives.balancing.balanced_rate`; for ``beta`` and baselines of
    hierarchies only. None, which False becomes: all groups pay alike."""

    def __post_init__(self) -> None:
        if self.free_bits is not None and self.name != "beta":
            raise ValueError(
                "free bits are a floor under the rate of each code, and the parts of the rate that "
                f"{self.name} weighs are no sums over codes: leave out free bits of "
                f"{self.free_bits:g} nats, or take the objective `beta`"
            )
        has_balance = (
            self.name == "beta" and not self.free_bits and self.rate_schedule != "constant"
        )
        if self.group_balance and not has_balance:
            raise ValueError(
                "groups are balanced while a schedule keeps the weight of the plain rate below 1, "
                f"got the objective {self.name} with free bits {self.free_bits} and a "
                f"{self.rate_schedule} schedule; leave the balance out, or take `beta` without "
                "free bits and a schedule that is monotonic, cyclic or held"
            )

    @property
    def is_sum_over_examples(self) -> bool:
        """Whether an example's objective depends on no other of its batch."""
        return self.name == "beta" and self.free_bits is None and not self.group_balance

    def betas_in(self, batch: int) -> int:
        """Betas drawn for a batch of so many examples."""
        return batch if self.groups == "example" else self.groups

    @property
    def estimates(self) -> int:
        """Estimates of q(z) made from a batch."""
        return 1 if self.groups == "example" else self.groups


def floored_rate(rate: Float[Tensor, "batch code"], free_bits: float) -> Float[Tensor, " batch"]:
    r"""What the rate costs with free bits: its mean over the batch is that of the paper.

    .. math:: \sum_k \max\bigl(\lambda, \operatorname{E}_x KL(q(z_k|x) \| p(z_k))\bigr)

    A code whose mean rate is below the floor costs the floor, whatever it does, so nothing pulls it
    to the prior; one above it costs its rate.

    Args:
        rate: Of each code, in nats.
        free_bits: The floor :math:`\lambda`, in nats a code.

    References:
        Kingma et al., "Improved Variational Inference with Inverse Autoregressive Flow", NeurIPS
        2016, on free bits; groups of one code each.
    """
    return torch.where(rate.mean(0) > free_bits, rate, free_bits).sum(1)


def objective_terms(
    config: ObjectiveConfig,
    *,
    distortion: Float[Tensor, " batch"],
    posterior: DiagonalGaussian,
    z: Float[Tensor, "batch code"],
    beta: Float[Tensor, " group"],
    population: int,
    rate_weight: float = 1.0,
    groups: Sequence[LatentGroup] = (),
) -> dict[str, Float[Tensor, " batch"]]:
    """The objective and its terms, per example, in nats (times a weight, with ``balance``).

    With ``free_bits`` the objective alone has the floored rate, and with ``group_balance`` it alone
    has the balanced one; the rate among the terms is true.

    Args:
        config: Which objective.
        distortion: Of each example, at its draw ``z``.
        posterior: Of each example.
        z: One draw from each.
        beta: One for each of equal groups of consecutive examples.
        population: Examples in the dataset.
        rate_weight: Multiplies all but the distortion, see :mod:`mrtc.objectives.schedules`.
        groups: Of a hierarchy, the order of whose codes ``posterior`` has.

    Returns:
        ``objective`` (its mean is minimised), ``distortion``, ``rate``; for ``tcvae`` also
        ``index_code_mi``, ``total_correlation`` and ``dimensionwise_kl``, which sum to the rate at
        the draw. These three are estimates from a minibatch: of the right gradient, not values to
        report. The constant that ``weighted`` adds to them is left out here.

    Raises:
        ValueError: If groups are to be balanced and there are none.

    References:
        Higgins et al., ICLR 2017; Chen et al., NeurIPS 2018.
    """
    beta = beta.repeat_interleave(len(distortion) // len(beta))
    rates = posterior.rate()
    rate = rates.sum(1)
    weight = (1 + beta) ** -(config.balance or 0.0)
    if config.name == "beta":
        if config.group_balance and rate_weight < 1:
            priced = balanced_rate(rates, groups)
        else:
            priced = rate if config.free_bits is None else floored_rate(rates, config.free_bits)
        objective = weight * (distortion + rate_weight * beta * priced)
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
