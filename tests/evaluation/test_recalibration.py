"""Batch normalisation at one beta, on a network whose statistics can be computed by hand."""

import pytest
import torch
from torch import Tensor, nn

from mrtc.evaluation.recalibration import Recalibration, has_batch_norm, undoes_gates
from mrtc.layers import Gated, Unit
from mrtc.rates import BetaRange
from mrtc.vae import VAE
from tests.toys import Crosses, small_vae

CPU = torch.device("cpu")


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
    torch.manual_seed(0)
    return VAE(NormedEncoder(), small_vae().decoder, 3, BetaRange(0.1, 10.0)).eval()


def state(vae: VAE) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in vae.state_dict().items()}


def test_the_statistics_are_those_of_the_gated_pre_activations_at_beta(vae: VAE) -> None:
    """All 64 examples are one batch, so mean and variance follow from the definition."""
    norm = vae.encoder.unit.norm
    pre_activation = vae.encoder.stem(Crosses().images(torch.arange(64)))
    found = {}
    for beta in (0.1, 10.0):
        rate_code = vae.betas.standardise(torch.tensor([beta]))
        expected = pre_activation * vae.encoder.unit.gated.gate(rate_code)
        with Recalibration(Crosses(), 3).at(vae, beta, CPU):
            assert not vae.training
            torch.testing.assert_close(norm.running_mean, expected.mean(0))
            torch.testing.assert_close(norm.running_var, expected.var(0))
            found[beta] = norm.running_mean.clone()
    assert not torch.allclose(found[0.1], found[10.0], atol=1e-3)


def test_gates_before_normalisation_are_undone_by_it(vae: VAE) -> None:
    """One factor for all examples is divided out, up to the constant that keeps from zero."""
    vae.encoder.unit.norm.eps = 1e-12
    x, means = Crosses().images(torch.arange(64)), []
    for beta in (0.1, 10.0):
        with Recalibration(Crosses(), 3).at(vae, beta, CPU), torch.inference_mode():
            means.append(vae.encode(x, beta).mean)
    torch.testing.assert_close(means[0], means[1], atol=1e-4, rtol=1e-4)
    assert (vae.encode(x, 0.1).mean - vae.encode(x, 10.0).mean).abs().max() > 0.01
    assert undoes_gates(vae)
    vae.encoder.unit.place = "after_norm"
    assert not undoes_gates(vae)
    vae.encoder.unit.place, vae.encoder.unit.gated.gate = "before_norm", None
    assert not undoes_gates(vae)


def test_codes_are_then_standardised_at_every_beta(vae: VAE) -> None:
    """Which they are not with the running means of training: here, those of no batch at all."""
    x = Crosses().images(torch.arange(64))
    for beta in (0.1, 10.0):
        with torch.inference_mode(), Recalibration(Crosses(), 3).at(vae, beta, CPU):
            mean = vae.encode(x, beta).mean
        torch.testing.assert_close(mean.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
        torch.testing.assert_close(mean.var(0), torch.ones(3), atol=1e-3, rtol=0)
    with torch.inference_mode():
        assert (vae.encode(x, 0.1).mean.var(0) < 0.9).any()


def test_the_model_is_as_it_was_afterwards_whatever_happened(vae: VAE) -> None:
    before, momentum = state(vae), vae.encoder.unit.norm.momentum
    with pytest.raises(ZeroDivisionError), Recalibration(Crosses(), 1).at(vae, 1.0, CPU):
        raise ZeroDivisionError
    torch.testing.assert_close(state(vae), before, rtol=0, atol=0)
    assert vae.encoder.unit.norm.momentum == momentum
    assert not vae.training


def test_what_has_batch_normalisation(vae: VAE) -> None:
    assert has_batch_norm(vae)
    assert not has_batch_norm(small_vae())
