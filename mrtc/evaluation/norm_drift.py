"""How far what batch normalisation gets at each beta lies from its running statistics."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mrtc.evaluation.doctor import Finding
from mrtc.evaluation.recalibration import norms_behind_gates

DRIFT = 0.5
"""Running standard deviations: a shift by half of one takes 19 % of a normal feature's values to
the other side of the ReLU's zero."""


@dataclass(frozen=True, eq=False)
class NormDrift:
    """The input of one batch normalisation at each beta, in running standard deviations."""

    layer: str
    mean: Float64[np.ndarray, "beta channel"]
    """Of the input less the running mean."""
    sigma: Float64[np.ndarray, "beta channel"]
    """Standard deviation of the input less the running one."""
    has_gate_before: bool
    """Whether a gate scales the input, which then is to change with beta."""

    @property
    def by_beta(self) -> Float64[np.ndarray, " beta"]:
        """The larger of both drifts at each beta, root mean square over channels."""
        of_both = np.stack([self.mean, self.sigma])
        worse: Float64[np.ndarray, " beta"] = np.sqrt((of_both**2).mean(2)).max(0)
        return worse

    @property
    def of_all_betas(self) -> float:
        """The same of all betas together, as in training: not near zero if they are not theirs."""
        mean = self.mean.mean(0)
        second = ((1 + self.sigma) ** 2 + self.mean**2).mean(0)
        sigma = np.sqrt(second - mean**2) - 1
        return float(np.sqrt((np.stack([mean, sigma]) ** 2).mean(1)).max())


class NormProbe:
    """Adds up means and squares of what each batch normalisation gets, one beta after another.

    Args:
        vae: In evaluation mode.
    """

    def __init__(self, vae: nn.Module) -> None:
        modules = dict(vae.named_modules())
        self._norms = {n: m for n, m in modules.items() if isinstance(m, _BatchNorm)}
        self._gated_before = norms_behind_gates(vae)
        self._moments: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {n: [] for n in self._norms}

    @contextmanager
    def at_next_beta(self) -> Iterator[None]:
        """Within, everything that goes through the model counts for one more beta."""
        sums = {name: _Sums(norm.num_features) for name, norm in self._norms.items()}
        handles = [
            norm.register_forward_pre_hook(sums[name].add) for name, norm in self._norms.items()
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
        for name, of_norm in sums.items():
            self._moments[name].append(of_norm.moments())

    def drifts(self) -> list[NormDrift]:
        """Of every batch normalisation in the model."""
        found = []
        for name, norm in self._norms.items():
            running_mean, running_var = (
                tensor.double().numpy(force=True)
                for tensor in (norm.get_buffer("running_mean"), norm.get_buffer("running_var"))
            )
            running_sigma = np.sqrt(running_var + norm.eps)
            means, variances = (np.stack(part) for part in zip(*self._moments[name], strict=True))
            found.append(
                NormDrift(
                    name.removesuffix(".norm"),
                    (means - running_mean) / running_sigma,
                    np.sqrt(variances + norm.eps) / running_sigma - 1,
                    name in self._gated_before,
                )
            )
        return found


class _Sums:
    """Count, sum and sum of squares of each channel."""

    def __init__(self, channels: int) -> None:
        self.count = 0
        self.first, self.second = np.zeros(channels), np.zeros(channels)

    def add(self, _: nn.Module, inputs: tuple[Any, ...]) -> None:
        """As a hook: channels are the second axis of a normalisation's input."""
        x: Tensor = inputs[0].detach().double().transpose(0, 1).flatten(1)
        self.count += x.shape[1]
        self.first += x.sum(1).numpy(force=True)
        self.second += x.square().sum(1).numpy(force=True)

    def moments(self) -> tuple[Float64[np.ndarray, " channel"], Float64[np.ndarray, " channel"]]:
        """Mean and variance of each channel."""
        mean = self.first / self.count
        return mean, np.maximum(self.second / self.count - mean**2, 0)


def drift_findings(
    drifts: list[NormDrift], beta: Float64[np.ndarray, " beta"]
) -> Iterator[Finding]:
    """Normalisations whose input at some beta is ``DRIFT`` from the running statistics."""
    for drift in drifts:
        worst = int(drift.by_beta.argmax())
        if drift.by_beta[worst] <= DRIFT:
            continue
        channel = int(np.maximum(np.abs(drift.mean), np.abs(drift.sigma))[worst].argmax())
        if drift.of_all_betas > DRIFT:
            advice = (
                f"it is as far off ({drift.of_all_betas:.2g}) for all betas together, so these are "
                "not the statistics of these data: check --data, or train on, so that the running "
                "means catch up"
            )
        elif drift.has_gate_before:
            advice = (
                "a gate before it is meant to change its input, and it fits all betas together; if "
                "this beta is bad, try gates behind it (conv has gate_place after_norm). Do not "
                "use --recalibrate: it divides the gates out again"
            )
        else:
            advice = (
                "it fits all betas together, not this one; measure the statistics anew at each "
                "beta with `mrtc eval --recalibrate 20`, and see whether rate and distortion gain"
            )
        yield Finding(
            "norm drift",
            f"{drift.layer}, beta {beta[worst]:.3g}",
            float(drift.by_beta[worst]),
            "running standard deviations",
            f"mean {_rms(drift.mean[worst]):.2g} and standard deviation "
            f"{_rms(drift.sigma[worst]):.2g} off (root mean square over channels), most in channel "
            f"{channel} ({drift.mean[worst, channel]:+.2g}, {drift.sigma[worst, channel]:+.2g})",
            advice,
        )


def _rms(values: Float64[np.ndarray, " channel"]) -> float:
    return float(np.sqrt((values**2).mean()))
