"""What may be wrong with the model of a checkpoint, and what to do about it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64

from mrtc.datasets.examples import Examples
from mrtc.devices import Precision, resolve_device, resolve_precision
from mrtc.errors import MrtcError
from mrtc.evaluation.decode import PosteriorDecoder
from mrtc.evaluation.doctor import (
    Finding,
    GateCounts,
    RatesAndDistortions,
    gate_counts,
    gate_findings,
    rate_findings,
    regret_findings,
    slope_findings,
)
from mrtc.evaluation.encode import PosteriorEncoder
from mrtc.evaluation.hierarchy import WaysDown
from mrtc.evaluation.norm_drift import NormDrift, NormProbe, drift_findings
from mrtc.experiments.data import load_for
from mrtc.experiments.run import load_vae
from mrtc.metrics.rate_distortion import rate_per_example
from mrtc.progress import Progress
from mrtc.randomness import numpy_stream
from mrtc.rates import BetaRange
from mrtc.vae import VAE

MOST_EXAMPLES = 1000
"""Looked at where there are data, unless another number is asked for."""

Values = Float64[np.ndarray, " example"]

NEEDS_EXAMPLES = ("rate", "slope", "under-training", "batch normalisation")


@dataclass(frozen=True)
class Measured:
    """What examples say of a model over beta."""

    curve: RatesAndDistortions
    drifts: list[NormDrift]
    """Empty where there is no batch normalisation."""


@dataclass(frozen=True)
class Diagnosis:
    """All findings, what they rest on, and what was not looked at."""

    betas: BetaRange
    gates: list[GateCounts]
    findings: list[Finding]
    not_checked: dict[str, str] = field(default_factory=dict)
    """Checks by name, with the reason."""
    measured: Measured | None = None


def diagnose(
    checkpoint: Path | str,
    *,
    data: Path | str | None = None,
    examples: int | None = None,
    seed: int = 0,
    device: torch.device | str = "auto",
    precision: Precision = "fp32",
    quiet: bool = False,
) -> Diagnosis:
    """Looks at the gates and, where there are examples, at what the model does over its range.

    Args:
        checkpoint: Of a multi-rate model, as ``mrtc train`` wrote it.
        data: The dataset's official file, where it is at hand.
        examples: How many of the training part, drawn at random: a model is optimal, if at all,
            where it was trained. By default 1,000 where ``data`` are given, or all where there are
            fewer; without both, only the gates are looked at.
        seed: Of the choice of examples and of the draws of their codes.
        device: Where to compute.
        precision: Of the encoder's matrix products.
        quiet: Show no progress.

    Raises:
        CheckpointError: If the checkpoint cannot be used.
        MrtcError: If it is of a baseline, its weights or what it makes of the examples is not
            finite, or there are fewer examples.
        DataError: If the data cannot be used.
    """
    vae, config, loaded = load_vae(checkpoint)
    if config.is_baseline:
        raise MrtcError(
            f"{checkpoint} is of a baseline, trained at beta {config.betas} alone and without "
            "gates; give a checkpoint of a multi-rate model, or look at a baseline with `mrtc eval`"
        )
    _require_finite(vae, checkpoint)
    gates = gate_counts(vae, config.betas)
    findings = list(gate_findings(gates))
    if examples is None and data is None:
        reason = "needs examples: give --examples 1000, and --data for files at hand"
        return Diagnosis(config.betas, gates, findings, dict.fromkeys(NEEDS_EXAMPLES, reason))
    device = resolve_device(device)
    dataset = load_for(config, data, device, vocabulary=loaded.vocabulary, quiet=quiet)
    population = len(dataset)
    examples = min(MOST_EXAMPLES, population) if examples is None else examples
    if not 2 <= examples <= population:
        raise MrtcError(
            f"the data have {population} examples for training, {examples} were asked for; "
            f"choose --examples from 2 to {population}"
        )
    index = np.sort(numpy_stream(seed, "examples").choice(population, examples, replace=False))
    measured = measure(
        vae.to(device),
        dataset,
        index,
        default_grid(config.betas),
        seed=seed,
        device=device,
        precision=resolve_precision(precision, device),
        quiet=quiet,
    )
    not_checked = {}
    if config.objective.name == "beta":
        for check in (rate_findings, slope_findings, regret_findings):
            findings += check(measured.curve)
    else:
        reason = (
            "under beta-TCVAE beta weighs the total correlation, not the rate, and few examples do "
            "not tell that; see `mrtc eval --metrics total_correlation` and `mrtc compare`"
        )
        not_checked = dict.fromkeys(("rate", "slope", "under-training"), reason)
    if measured.drifts:
        findings += drift_findings(measured.drifts, measured.curve.beta)
    else:
        not_checked["batch normalisation"] = "the architecture has none"
    return Diagnosis(config.betas, gates, findings, not_checked, measured)


def _require_finite(vae: VAE, checkpoint: Path | str) -> None:
    """What is not finite is neither dead nor constant, and would go unseen."""
    weights = vae.state_dict()
    broken = [name for name, weight in weights.items() if not weight.isfinite().all()]
    if broken:
        raise MrtcError(
            f"{checkpoint} cannot be examined: {len(broken)} of its {len(weights)} arrays of "
            f"weights are not finite, {broken[0]} first; train again with a smaller learning rate"
        )


def default_grid(betas: BetaRange) -> Float64[np.ndarray, " beta"]:
    """Betas over the range, neighbours at most a factor of 2 apart, and at least five.

    So close, the slope between exact optima is never marked, see :mod:`mrtc.statistics.slope`.
    """
    return np.geomspace(
        betas.low, betas.high, max(5, 1 + math.ceil(math.log2(betas.high / betas.low)))
    )


def measure(
    vae: VAE,
    examples: Examples,
    index: Int64[np.ndarray, " example"],
    beta: Float64[np.ndarray, " beta"],
    *,
    seed: int,
    device: torch.device,
    precision: Precision = "fp32",
    quiet: bool = False,
) -> Measured:
    """Rate and distortion of the same examples, with the same noise, at every beta.

    Args:
        vae: The model, on ``device``.
        examples: The dataset, on ``device``.
        index: Which of its examples.
        beta: Increasing.
        seed: Of the draws of codes.
        device: Where to compute.
        precision: Of the encoder's matrix products.
        quiet: Show no progress.

    Raises:
        MrtcError: If a moment of a posterior, or a distortion, is not finite.
    """
    at_beta: Callable[[float], tuple[Values, Values]]
    if vae.groups:
        at_beta = _of_hierarchy(vae, examples, index, seed, device)
    else:
        at_beta = _of_flat(vae, examples, index, seed, device, precision)
    probe = NormProbe(vae.eval())
    rates, distortions = [], []
    with Progress("examining", len(beta), unit="beta", quiet=quiet) as progress:
        for value in beta.tolist():
            with probe.at_next_beta():
                rate, distortion = at_beta(value)
            rates.append(rate)
            distortions.append(distortion)
            progress.advance(numbers={"beta": value, "rate": float(rates[-1].mean())})
    return Measured(
        RatesAndDistortions(beta, np.stack(rates), np.stack(distortions)), probe.drifts()
    )


def _of_hierarchy(
    vae: VAE,
    examples: Examples,
    index: Int64[np.ndarray, " example"],
    seed: int,
    device: torch.device,
) -> Callable[[float], tuple[Values, Values]]:
    ways = WaysDown(vae, examples, index, seed, device=device)

    def at_beta(beta: float) -> tuple[Values, Values]:
        found = ways.measure(beta, 0)
        return found.rate, found.distortion

    return at_beta


def _of_flat(
    vae: VAE,
    examples: Examples,
    index: Int64[np.ndarray, " example"],
    seed: int,
    device: torch.device,
    precision: Precision,
) -> Callable[[float], tuple[Values, Values]]:
    encoder = PosteriorEncoder(vae, examples, index, device=device, precision=precision, quiet=True)

    def at_beta(beta: float) -> tuple[Values, Values]:
        mean, log_sigma = encoder.moments(beta)
        decoder = PosteriorDecoder(
            *(vae, examples, index, mean, log_sigma), beta=beta, device=device
        )
        distortion = decoder.distortion(seed)
        _require_values(beta, mean, log_sigma, distortion)
        return rate_per_example(mean, log_sigma), distortion

    return at_beta


def _require_values(beta: float, *arrays: Float[np.ndarray, "..."]) -> None:
    """Means and log sigmas of codes, and distortions."""
    for what, values in zip(("means", "log sigmas", "distortions"), arrays, strict=True):
        broken = int((~np.isfinite(values)).sum())
        if broken:
            raise MrtcError(
                f"the model cannot be examined at beta {beta:.3g}: {broken} of {values.size} "
                f"{what} are not finite there; train again with a smaller learning rate, or look "
                "at the gates alone, without --data and --examples"
            )
