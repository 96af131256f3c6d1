"""What may be wrong with a multi-rate model, as findings with a number and advice each.

Pure functions of gates and of arrays; :mod:`mrtc.experiments.doctor` gathers what they need.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import nn

from mrtc.layers import RateGate
from mrtc.metrics.rate_distortion import standard_error
from mrtc.rates import BetaRange
from mrtc.statistics import off_slope, slopes

DEAD_BELOW = 1e-3
"""Factors: a feature that is scaled by less is lost among the others; the square-root gate closes
there too, and then has no gradient."""
CONSTANT_WITHIN = 0.01
"""Share by which a gate changes over the range: below, it is a weight like others."""
CONSTANT_SHARE = 0.25
"""Of a layer's gates that may be constant: of open gates, as they start, 2 to 4 % are, and of few
gates three in twenty by chance."""
ERRORS = 2.0
"""Standard errors, over the same examples at both betas, from where on a difference counts."""
SLOPE_FACTOR = 1.5
"""As :func:`mrtc.statistics.off_slope` has it: exact optima are within, at betas up to a factor of
2.1 apart."""
NOTABLE = 1e-3
"""Share of the objective: less comes and goes with the last steps of training."""
NOTABLE_RATE = 0.01
"""Nats by which a rate rises: less is what the dead codes of a model fluctuate by."""

MORE_TRAINING = (
    "train longer, or over a narrower range, so that each beta is drawn more often; where low "
    "betas are behind, --balance moves weight to them from high ones"
)


@dataclass(frozen=True)
class Finding:
    """One thing that may be wrong, and what to do about it."""

    kind: str
    where: str
    """A layer, or betas."""
    value: float
    """How bad."""
    unit: str
    """Of the value; ``share`` is from 0 to 1."""
    what: str
    advice: str


@dataclass(frozen=True)
class GateCounts:
    """The gates of one layer over the trained range."""

    layer: str
    gates: int
    dead: int
    """Below ``DEAD_BELOW`` at every beta."""
    constant: int
    """Alive, and the same within ``CONSTANT_WITHIN`` at every beta."""


@dataclass(frozen=True, eq=False)
class RatesAndDistortions:
    """Both of the same examples at every beta, in nats (or the unit of the likelihood)."""

    beta: Float64[np.ndarray, " beta"]
    """Increasing."""
    rate: Float64[np.ndarray, "beta example"]
    distortion: Float64[np.ndarray, "beta example"]


@torch.no_grad()
def gate_counts(vae: nn.Module, betas: BetaRange) -> list[GateCounts]:
    """Dead and constant gates of every gated layer.

    A gate is monotone in beta, so its least and its greatest factor are at the ends of the range.
    """
    counts = []
    for name, gate in vae.named_modules():
        if isinstance(gate, RateGate):
            ends = torch.tensor([betas.low, betas.high], device=gate.slope.device)
            least, greatest = gate(betas.standardise(ends)).sort(0).values
            dead = greatest < DEAD_BELOW
            constant = ~dead & (greatest - least <= CONSTANT_WITHIN * greatest)
            layer = name.removesuffix(".gate")
            counts.append(GateCounts(layer, len(dead), int(dead.sum()), int(constant.sum())))
    return counts


def gate_findings(counts: list[GateCounts]) -> Iterator[Finding]:
    """Layers with dead gates, and those of which many are constant."""
    for layer in counts:
        if layer.dead:
            yield Finding(
                "dead gates",
                layer.layer,
                layer.dead / layer.gates,
                "share",
                f"{layer.dead} of {layer.gates} gates are below {DEAD_BELOW:g} at every beta of "
                "the range: their features are not used",
                "train with --gate-init open, if it was another, or with a smaller learning rate; "
                "a closed square-root gate gets no gradient and stays closed. If these are codes "
                "that are useless at every beta, it is as it should be",
            )
        if layer.constant > CONSTANT_SHARE * layer.gates:
            yield Finding(
                "constant gates",
                layer.layer,
                layer.constant / layer.gates,
                "share",
                f"{layer.constant} of {layer.gates} gates change by at most "
                f"{100 * CONSTANT_WITHIN:g} % over the range: these features do not use beta",
                "train longer, or gates faster than the rest (gate_speed); if it stays so, the "
                "layer needs no gates (--gated), or the range is narrow",
            )


def rate_findings(curve: RatesAndDistortions) -> Iterator[Finding]:
    """Stretches of beta over which the rate rises, as it does at no optimum.

    At optima of distortion + beta * rate the rate falls, or stays, as beta rises. A stretch counts
    if the rise from its first beta to its last is above ``ERRORS`` standard errors, each example
    paired with itself, and above ``NOTABLE_RATE``.
    """
    mean = curve.rate.mean(1)
    for start, end in _stretches(np.diff(mean) > 0):
        rise = curve.rate[end] - curve.rate[start]
        error = standard_error(rise)
        if rise.mean() > max(ERRORS * error, NOTABLE_RATE):
            yield Finding(
                "rising rate",
                _between(curve.beta[start], curve.beta[end]),
                float(rise.mean()),
                "nats",
                f"the rate rises by {rise.mean():.3g} nats (standard error {error:.2g}) as beta "
                "rises, and ought to fall",
                "train longer, or with a smaller learning rate at the end (--schedule cosine); "
                "until then use betas outside of this stretch",
            )


def slope_findings(curve: RatesAndDistortions) -> Iterator[Finding]:
    r"""Neighbouring betas between which the curve is not as steep as beta says.

    At optima :math:`-dD/dR = \beta`, see :mod:`mrtc.statistics.slope`. A ratio beyond
    ``SLOPE_FACTOR`` :math:`f` counts if that is no chance of the examples: if the mean over
    examples of :math:`\Delta D + f \beta\, \Delta R` is above zero by ``ERRORS`` standard errors,
    or, for a curve too flat, that of :math:`\Delta D + \beta\, \Delta R / f` below. Where the rate
    does not fall there is no slope; see :func:`rate_findings`. Of neighbouring pairs that are off
    to the same side the worst stands for all.
    """
    got = slopes(curve.beta, curve.rate.mean(1), curve.distortion.mean(1))
    off = off_slope(got.ratio, SLOPE_FACTOR) & np.isfinite(got.ratio)
    is_steep = got.ratio > 1
    factor = np.where(is_steep, SLOPE_FACTOR, 1 / SLOPE_FACTOR)
    price = got.beta * factor
    excess = np.diff(curve.distortion, axis=0) + price[:, None] * np.diff(curve.rate, axis=0)
    size = np.abs(excess.mean(1))
    off &= size > ERRORS * np.array([standard_error(each) for each in excess])
    for worse, marked in (("lower", off & ~is_steep), ("higher", off & is_steep)):
        for start, end in _stretches(marked):
            at = start + int(size[start:end].argmax())
            between = f"between beta {curve.beta[at]:.3g} and {curve.beta[at + 1]:.3g}"
            ought = f"ought to cost {got.beta[at]:.3g}"
            if got.realised[at] < 0:
                seen = (
                    f"distortion falls together with the rate {between}, where a nat less {ought}"
                )
            else:
                seen = (
                    f"a nat of rate less costs {got.realised[at]:.3g} of distortion {between}, and "
                    f"{ought}"
                )
            yield Finding(
                "slope",
                _between(curve.beta[start], curve.beta[end]),
                float(got.ratio[at]),
                "of beta",
                f"{seen}: the {worse} beta is the worse trained one",
                MORE_TRAINING,
            )


def regret_findings(curve: RatesAndDistortions) -> Iterator[Finding]:
    r"""Betas at which the model, told another beta, would do better.

    .. math:: \max_j\, (D_i + \beta_i R_i) - (D_j + \beta_i R_j)

    That is zero at optima: what the model does at :math:`\beta_j` it could do at :math:`\beta_i`.
    So a positive value is a lower bound of what is missing there. It counts above ``ERRORS``
    standard errors and above ``NOTABLE`` of the objective. Of neighbouring betas the worst stands
    for all.
    """
    count = len(curve.beta)
    regret, others, objective = np.zeros(count), np.zeros(count, np.int64), np.zeros(count)
    for at, beta in enumerate(curve.beta.tolist()):
        each = curve.distortion + beta * curve.rate
        objective[at] = each[at].mean()
        other = int(each.mean(1).argmin())
        gain = each[at] - each[other]
        if other != at and gain.mean() > max(
            ERRORS * standard_error(gain), NOTABLE * abs(objective[at])
        ):
            regret[at], others[at] = gain.mean(), other
    for start, end in _stretches(regret > 0):
        at = start + int((regret / np.abs(objective))[start:end].argmax())
        first, last = curve.beta[start], curve.beta[end - 1]
        yield Finding(
            "under-trained",
            f"beta {first:.3g}" if start == end - 1 else _between(first, last),
            float(regret[at]),
            "units of the objective",
            f"at beta {curve.beta[at]:.3g} the model would do better by {regret[at]:.3g} (of "
            f"{objective[at]:.4g}) if it were told beta {curve.beta[others[at]]:.3g}",
            MORE_TRAINING,
        )


def _stretches(marked: Bool[np.ndarray, " any"]) -> list[tuple[int, int]]:
    """First position of each run of marks, and the one behind its last."""
    edges = np.flatnonzero(np.diff(np.r_[False, marked, False].astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _between(low: float, high: float) -> str:
    return f"beta {low:.3g} to {high:.3g}"
