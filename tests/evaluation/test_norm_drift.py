"""Drift of normalisation, on a layer whose moments follow from the definition."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mrtc.evaluation.norm_drift import DRIFT, NormDrift, NormProbe, drift_findings
from mrtc.layers import Gated, Unit
from mrtc.rates import BetaRange
from mrtc.vae import VAE
from tests.toys import Crosses, small_vae

BETAS = np.geomspace(0.1, 10, 5)


class NormedEncoder(nn.Module):
    """One gated layer with batch normalisation, then the moments of three codes."""

    def __init__(self) -> None:
        super().__init__()
        self.unit = Unit(Gated(nn.Linear(64, 6), "sigmoid"), norm=True, activation="none")

    def stem(self, x: Tensor) -> Tensor:
        return self.unit.gated.layer(x.flatten(1))

    def from_stem(self, stem: Tensor, rate_code: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_sigma = self.unit.from_pre_activation(stem, rate_code).chunk(2, dim=1)
        return mean, log_sigma


@pytest.fixture
def vae() -> VAE:
    """Its running statistics are those of all betas together."""
    torch.manual_seed(0)
    vae = VAE(NormedEncoder(), small_vae().decoder, 3, BetaRange(0.1, 10.0)).eval()
    everything = torch.cat([gated(vae, beta) for beta in BETAS])
    vae.encoder.unit.norm.running_mean.copy_(everything.mean(0))
    vae.encoder.unit.norm.running_var.copy_(everything.var(0, correction=0))
    return vae


def gated(vae: VAE, beta: float) -> Tensor:
    rate_code = vae.betas.standardise(torch.tensor([beta], dtype=torch.float32))
    pre_activation = vae.encoder.stem(Crosses().images(torch.arange(64)))
    return (pre_activation * vae.encoder.unit.gated.gate(rate_code)).detach()


def drift_of(vae: VAE) -> NormDrift:
    probe = NormProbe(vae)
    for beta in BETAS.tolist():
        with probe.at_next_beta(), torch.inference_mode():
            for chunk in torch.arange(64).split(20):
                vae.encode(Crosses().images(chunk), beta)
    vae.encode(Crosses().images(torch.arange(3)), 1.0)  # outside, so it does not count
    (drift,) = probe.drifts()
    return drift


def test_drift_is_that_of_the_definition(vae: VAE) -> None:
    drift, norm = drift_of(vae), vae.encoder.unit.norm
    assert drift.layer == "encoder.unit"
    running = (norm.running_var.double() + norm.eps).sqrt()
    for at, beta in enumerate(BETAS.tolist()):
        x = gated(vae, beta).double()
        mean = (x.mean(0) - norm.running_mean) / running
        sigma = (x.var(0, correction=0) + norm.eps).sqrt() / running - 1
        np.testing.assert_allclose(drift.mean[at], mean, atol=1e-5)
        np.testing.assert_allclose(drift.sigma[at], sigma, atol=1e-5)
        worse = max(mean.square().mean().sqrt(), sigma.square().mean().sqrt())
        assert drift.by_beta[at] == pytest.approx(float(worse), abs=1e-5)
    assert drift.of_all_betas == pytest.approx(0, abs=1e-4)


def test_convolutions_are_measured_over_pixels_too() -> None:
    torch.manual_seed(0)
    unit = Unit(Gated(nn.Conv2d(1, 4, 3), None), norm=True).eval()
    x = torch.randn(5, 1, 8, 8)
    probe = NormProbe(unit)
    with probe.at_next_beta(), torch.inference_mode():
        unit(x, torch.zeros(1))
        unit(x.permute(2, 3, 0, 1).contiguous().permute(2, 3, 0, 1), torch.zeros(1))
    (drift,) = probe.drifts()
    out = unit.gated.layer(x).double()
    np.testing.assert_allclose(
        drift.mean[0] * np.sqrt(1 + 1e-5), out.mean((0, 2, 3)).detach(), atol=1e-5
    )
    assert not drift.has_gate_before


def test_a_healthy_model_gives_no_finding(vae: VAE) -> None:
    with torch.no_grad():
        vae.encoder.unit.gated.gate.slope.mul_(0.1)
    assert drift_of(vae).by_beta.max() < DRIFT
    assert list(drift_findings([drift_of(vae)], BETAS)) == []


def test_shifted_statistics_are_found_and_said_to_be_of_other_data(vae: VAE) -> None:
    norm = vae.encoder.unit.norm
    norm.running_mean.add_(2 * norm.running_var.sqrt())
    (finding,) = drift_findings([drift_of(vae)], BETAS)
    assert finding.kind == "norm drift"
    assert finding.value == pytest.approx(2, abs=0.5)
    assert "not the statistics of these data" in finding.advice


def test_a_gate_that_changes_much_is_found_at_its_beta(vae: VAE) -> None:
    """Closed at the largest beta: the input shrinks there, and fits all betas together."""
    with torch.no_grad():
        vae.encoder.unit.gated.gate.slope.fill_(-3.0)
    everything = torch.cat([gated(vae, beta) for beta in BETAS])
    vae.encoder.unit.norm.running_mean.copy_(everything.mean(0))
    vae.encoder.unit.norm.running_var.copy_(everything.var(0, correction=0))
    drift = drift_of(vae)
    (finding,) = drift_findings([drift], BETAS)
    assert finding.where == "encoder.unit, beta 10"
    assert finding.value == pytest.approx(drift.by_beta[-1])
    assert "Do not use --recalibrate" in finding.advice
    plain = NormDrift(drift.layer, drift.mean, drift.sigma, has_gate_before=False)
    (finding,) = drift_findings([plain], BETAS)
    assert "--recalibrate 20" in finding.advice


def test_channels_without_spread_do_not_count(vae: VAE) -> None:
    """A closed gate leaves a channel at zero, in training as in evaluation."""
    with torch.no_grad():
        vae.encoder.unit.gated.layer.weight[0] = 0
        vae.encoder.unit.gated.layer.bias[0] = 0
    vae.encoder.unit.norm.running_mean[0] = 0
    vae.encoder.unit.norm.running_var[0] = 0
    drift = drift_of(vae)
    np.testing.assert_allclose(drift.mean[:, 0], 0, atol=1e-12)
    np.testing.assert_allclose(drift.sigma[:, 0], 0, atol=1e-12)
