"""Hierarchies at one beta after another: every number from one way down for each example."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int
from torch import Tensor

from mrtc.datasets.examples import Examples, FactorExamples
from mrtc.distributions import DiagonalGaussian, log_standard_normal
from mrtc.errors import ResultsError
from mrtc.evaluation.config import ACTIVE_VARIANCE, EvaluationConfig, Values
from mrtc.evaluation.flat import bound_values
from mrtc.evaluation.information import information_values
from mrtc.evaluation.running_moments import RunningMoments
from mrtc.hierarchy import slices
from mrtc.layers.autoregressive import AutoregressiveCell
from mrtc.metrics.importance_weighted import ImportanceWeightedBound, ImportanceWeights
from mrtc.metrics.rate_distortion import standard_error
from mrtc.randomness import torch_stream
from mrtc.vae import VAE

CHUNK = 128
"""Examples at a time."""


@dataclass(frozen=True, eq=False)
class OnTheWay:
    """What one draw for each example gives at one beta."""

    rate_group: Float64[np.ndarray, "example group"]
    """Of each example, in nats, in closed form from the moments along the draw."""
    distortion: Float64[np.ndarray, " example"]
    """At the same draw."""
    rate_code: Float64[np.ndarray, " code"]
    """Of the codes of the chosen group, means over examples."""
    variance: Float64[np.ndarray, " all_codes"]
    """Of posterior means over examples, of all codes."""
    fourth: Float64[np.ndarray, " all_codes"]
    """Their fourth central moment."""
    mean: Float32[np.ndarray, "kept code"]
    """Of the chosen group, along the way of posterior means."""
    log_sigma: Float32[np.ndarray, "kept code"]
    """Of the same."""

    @property
    def rate(self) -> Float64[np.ndarray, " example"]:
        """Of each example, in nats."""
        rate: Float64[np.ndarray, " example"] = self.rate_group.sum(1)
        return rate


class WaysDown:
    """Draws the codes of the same examples, group after group, at one beta after another.

    Noise comes from a stream for each chunk of examples, so it is the same at every beta and
    depends on nothing that was drawn before.

    Args:
        vae: A hierarchy, on ``device``.
        examples: The dataset, on ``device``.
        index: Which of its examples.
        seed: Of the draws.
        device: Where to compute, in float32: rates are sums over very many codes.
    """

    def __init__(
        self,
        vae: VAE,
        examples: Examples,
        index: Int[np.ndarray, " example"],
        seed: int,
        *,
        device: torch.device,
    ) -> None:
        self._vae, self._examples = vae.eval(), examples
        self._seed, self._device = seed, device
        self._has_flows = any(isinstance(module, AutoregressiveCell) for module in vae.modules())
        self._chunks = torch.split(torch.from_numpy(index).to(device), CHUNK)

    @torch.inference_mode()
    def measure(
        self, beta: float, group: int, is_kept: Bool[np.ndarray, " example"] | None = None
    ) -> OnTheWay:
        """Everything that one draw gives; of the moments, those of one group.

        Those of the top group are the same along every way, but for flows. The moments of another
        one, or of one with flows, are taken along the way of posterior means, as
        :meth:`mrtc.vae.VAE.encode` has it, which costs a second way down.

        Args:
            beta: Inside the trained range or not.
            group: Whose moments, and rates of single codes, are wanted.
            is_kept: Examples whose moments are wanted; all, if left out.

        Raises:
            ResultsError: If a rate or a distortion is not finite.
        """
        of_groups = slices(self._vae.groups)
        codes, rate_of_beta = of_groups[group], self._rate(beta)
        spread, rates, distortions, moments = RunningMoments(), [], [], []
        rate_code = torch.zeros(codes.stop - codes.start, device=self._device).double()
        kept = np.ones(sum(map(len, self._chunks)), bool) if is_kept is None else is_kept
        masks = torch.split(torch.from_numpy(kept), CHUNK)
        for chunk, (index, is_wanted) in enumerate(zip(self._chunks, masks, strict=True)):
            x = self._examples.images(index)
            stem = self._vae.encoder.stem(x)
            noise = self._noise(len(index), "draw", chunk)
            posterior, _, likelihood = self._vae.infer(stem, rate_of_beta, noise)
            mean = posterior.mean.double()
            rate = DiagonalGaussian(mean, posterior.log_sigma.double()).rate()
            rates.append(torch.stack([rate[:, where].sum(1) for where in of_groups], 1))
            rate_code += rate[:, codes].sum(0)
            distortions.append(-likelihood.log_prob(x).double())
            spread.add(mean)
            wanted = is_wanted.nonzero()[:, 0].to(self._device)
            if (group or self._has_flows) and len(wanted):
                posterior = self._vae.posterior(stem[wanted], rate_of_beta)
                wanted = torch.arange(len(wanted), device=self._device)
            parts = posterior.mean, posterior.log_sigma
            moments.append([part[:, codes][wanted] for part in parts])
        means, log_sigmas = (_joined(part) for part in zip(*moments, strict=True))
        found = OnTheWay(
            _joined(rates),
            _joined(distortions),
            rate_code.numpy(force=True) / len(kept),
            spread.variance.numpy(force=True),
            spread.fourth.numpy(force=True),
            means.astype(np.float32),
            log_sigmas.astype(np.float32),
        )
        _require_finite(found, beta)
        return found

    @torch.inference_mode()
    def importance_weighted_bound(
        self, beta: float, samples: int, *, advance: Callable[[int], None] = lambda _: None
    ) -> ImportanceWeightedBound:
        r"""The bound on log p(x) from so many ways down for each example.

        .. math:: \log w = \log p(x|u) + \log N(u; 0, I) - \sum_l \log q(u_l | u_{<l}, x)

        Args:
            beta: Inside the trained range or not.
            samples: Draws of each example, the same at every beta.
            advance: Is told how many draws have been made since it was told last.
        """
        weights, rate_of_beta = ImportanceWeights(), self._rate(beta)
        examples = sum(map(len, self._chunks))
        at_once = max(1, CHUNK // examples)  # draws of few examples go down together
        for first in range(0, samples, at_once):
            draws = range(first, min(first + at_once, samples))
            blocks = []
            for chunk, index in enumerate(self._chunks):
                x = self._examples.images(index).repeat(len(draws), *[1] * 3)
                noise = [self._noise(len(index), "importance", draw, chunk) for draw in draws]
                posterior, z, likelihood = self._vae.infer(
                    self._vae.encoder.stem(x), rate_of_beta, torch.cat(noise)
                )
                log_ratio = log_standard_normal(z).double() - posterior.log_density(z).double()
                log_weight = likelihood.log_prob(x).double() + log_ratio.sum(1)
                blocks.append(log_weight.numpy(force=True).reshape(len(draws), -1).T)
            weights.add(np.concatenate(blocks))
            advance(len(draws))
        return weights.bound()

    def _rate(self, beta: float) -> Tensor:
        return torch.tensor([beta], device=self._device, dtype=torch.float32)

    def _noise(self, examples: int, *path: str | int) -> Tensor:
        generator = torch_stream(self._seed, "hierarchy", *path, device=self._device)
        return torch.randn(examples, self._vae.codes, generator=generator, device=self._device)


class HierarchyMeasurer:
    """Everything that a sweep stores of a hierarchy, of whose codes it keeps those of one group.

    Rate, distortion, bound and active units are of all groups. The moments that are kept, and with
    them the MIG and other scores of codes, are of one group along the way of posterior means; the
    rates and variances of its codes are along the draws, as those of all are.

    Args:
        vae: A hierarchy, on ``device``.
        examples: The dataset, on ``device``; without factors there is no MIG.
        config: What is measured, and on how many examples. All that are encoded are decoded, too.
        group: Whose codes are kept.
        device: Where to compute.
    """

    def __init__(
        self,
        vae: VAE,
        examples: Examples,
        config: EvaluationConfig,
        group: int,
        *,
        device: torch.device,
    ) -> None:
        self._config, self._group, self._groups = config, group, slices(vae.groups)
        self._grid = examples.grid if isinstance(examples, FactorExamples) else None
        self._index, self._kept = config.choose(len(examples), self._grid)
        self._ways = WaysDown(vae, examples, self._index, config.seed, device=device)
        self._kept_ways = WaysDown(
            vae, examples, self._index[self._kept], config.seed, device=device
        )
        self.parameters = _parameters(config, len(self._index), len(self._kept), group)

    def measure(self, beta: float, advance: Callable[[int], None]) -> Values:
        """Everything at one beta.

        Raises:
            ResultsError: If the moments are not finite, or too extreme for the quadrature.
        """
        # Entropies are of all examples; without factors there are none.
        is_kept = np.full(len(self._index), self._grid is not None)
        is_kept[self._kept] = True
        found = self._ways.measure(beta, self._group, is_kept)
        values = _values(found, self._groups, self._group)
        mean, log_sigma = found.mean, found.log_sigma
        if self._grid is not None:
            values |= information_values(
                mean, log_sigma, self._index, self._grid, self._config, beta
            )
            mean, log_sigma = mean[self._kept], log_sigma[self._kept]
        values |= {"mean": mean, "log_sigma": log_sigma}
        if draws := self._config.importance_samples:
            bound = self._kept_ways.importance_weighted_bound(beta, draws, advance=advance)
            values |= bound_values(bound)
        return values


def _values(found: OnTheWay, groups: Sequence[slice], group: int) -> Values:
    is_active = found.variance >= ACTIVE_VARIANCE
    return {
        "rate": float(found.rate.mean()),
        "rate_error": standard_error(found.rate),
        "rate_group": found.rate_group.mean(0),
        "rate_code": found.rate_code,
        "distortion": float(found.distortion.mean()),
        "distortion_error": standard_error(found.distortion),
        "elbo": -float((found.distortion + found.rate).mean()),
        "active_units": float(is_active.sum()),
        "active_units_group": np.array([is_active[where].sum() for where in groups], np.float64),
        "code_variance": found.variance[groups[group]],
    }


def _parameters(
    config: EvaluationConfig, encoded: int, kept: int, group: int
) -> dict[str, dict[str, object]]:
    """As of other models; what is measured along a draw says so, and codes say of which group."""
    parameters = config.parameters(encoded, kept)
    drawn: dict[str, object] = {"examples": encoded, "draws": 1, "seed": config.seed}
    along = ("rate", "rate_error", "rate_code", "distortion", "distortion_error", "elbo")
    parameters |= dict.fromkeys((*along, "rate_group", "code_variance"), drawn)
    active = drawn | {"threshold": ACTIVE_VARIANCE}
    parameters |= dict.fromkeys(("active_units", "active_units_group"), active)
    of_codes = ("rate_code", "code_variance", "mean", "log_sigma", "information", "code_entropy")
    gaps = ("information_error", "mig_chen", "mig_chen_factor")
    return parameters | {name: parameters[name] | {"group": group} for name in (*of_codes, *gaps)}


def _joined(parts: Sequence[Tensor]) -> np.ndarray:
    joined: np.ndarray = torch.cat(list(parts)).numpy(force=True)
    return joined


def _require_finite(found: OnTheWay, beta: float) -> None:
    for name, values in (("rate", found.rate), ("distortion", found.distortion)):
        if bad := int((~np.isfinite(values)).sum()):
            raise ResultsError(
                f"there is no {name} at beta {beta:g}: those of {bad} of {len(values)} examples "
                "are not finite, so the model has probably diverged; leave out that beta, or train "
                "again with a lower --learning-rate"
            )
