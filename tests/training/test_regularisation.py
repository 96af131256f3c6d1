"""Spectral regularisation: against singular value decompositions, and through stops."""

import io
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from mrtc.architectures import build_networks
from mrtc.errors import MrtcError
from mrtc.hierarchical_vae import HierarchicalVAE
from mrtc.layers.normalised import NormalisedConv2d
from mrtc.objectives import ObjectiveConfig
from mrtc.rates import BetaRange
from mrtc.training import TrainingConfig, TrainingState, train
from mrtc.training.regularisation import SpectralPenalty
from mrtc.vae import VAE
from tests.architectures.test_nvae import SHAPE, SMALL
from tests.toys import Crosses, small_vae

WEIGHT = 0.3
CONFIG = TrainingConfig(steps=4, batch=8, learning_rate=0.01, optimizer="adamax", spectral=0.1)


def network() -> nn.Sequential:
    """Every kind of layer: two convolutions of one shape, others, and scales of two lengths."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = nn.Sequential(
            NormalisedConv2d(4, 6, 3),
            NormalisedConv2d(4, 6, 3),
            nn.Conv2d(6, 6, 5, groups=6),
            nn.ConvTranspose2d(6, 4, 2),
            nn.Linear(4, 4),
            nn.BatchNorm2d(6),
            nn.BatchNorm2d(6),
            nn.BatchNorm2d(4),
            nn.BatchNorm2d(4, affine=False),
        ).double()
        with torch.no_grad():
            for layer in layers[5:8]:
                layer.weight.normal_()
            layers[0].log_scale.normal_()
    return layers


def by_decomposition(layers: nn.Sequential) -> Tensor:
    """The formula, written out for :func:`network`."""
    matrices = [layer.normalised_weight.reshape(6, 36) for layer in layers[:2]]
    matrices += [layers[2].weight.reshape(6, 25), layers[3].weight.transpose(0, 1).reshape(4, 24)]
    greatest = sum(torch.linalg.svdvals(matrix)[0] for matrix in matrices)
    return WEIGHT * (greatest + sum(layer.weight.abs().max() for layer in layers[5:8]))


def converged(layers: nn.Module, calls: int = 60) -> SpectralPenalty:
    penalty = SpectralPenalty(layers, WEIGHT, {}, seed=0)
    for _ in range(calls):
        penalty()
    return penalty


def test_value_and_gradient_are_those_of_the_decomposition() -> None:
    ours, theirs = network(), network()
    value, expected = converged(ours)(), by_decomposition(theirs)
    torch.testing.assert_close(value, expected)
    value.backward()
    expected.backward()
    for (name, one), two in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert (one.grad is None) == (two.grad is None), name
        if one.grad is not None:
            torch.testing.assert_close(one.grad, two.grad, rtol=1e-6, atol=1e-8)


def test_the_first_call_is_within_a_percent_and_never_above() -> None:
    value, expected = SpectralPenalty(network(), WEIGHT, {}, seed=0)(), by_decomposition(network())
    assert 0.99 * expected < value <= expected * (1 + 1e-12)


def test_vectors_follow_weights_that_move() -> None:
    """A few steps of the power method at a call are enough, from the vectors of the last one."""
    layers = network()
    penalty = converged(layers)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        with torch.no_grad():
            for weight in layers.parameters():
                weight += 0.02 * torch.randn(weight.shape, generator=generator).double()
        torch.testing.assert_close(penalty(), by_decomposition(layers), rtol=1e-2, atol=0)


def test_weights_that_were_zero_are_found_when_they_are_not() -> None:
    layers = network()
    layers[2].weight.data.zero_()
    penalty = converged(layers, calls=3)
    torch.testing.assert_close(penalty(), by_decomposition(layers), rtol=1e-2, atol=0)
    layers[2].weight.data.fill_(1.0)
    for _ in range(60):
        penalty()
    torch.testing.assert_close(penalty(), by_decomposition(layers))


def test_it_goes_on_from_vectors_without_starting_anew() -> None:
    layers = network()
    one = converged(layers, calls=2)
    other = SpectralPenalty(layers, WEIGHT, one.vectors(), seed=99)
    assert set(one.vectors()) == {"0", "1", "2", "3"}
    for _ in range(2):
        assert torch.equal(one(), other())
    for name, vector in one.vectors().items():
        assert torch.equal(vector, other.vectors()[name])


def test_a_network_without_such_layers_is_refused() -> None:
    with pytest.raises(MrtcError, match="this network of 2 weights has none; leave it out"):
        SpectralPenalty(nn.Linear(2, 2), WEIGHT, {}, seed=0)
    with pytest.raises(MrtcError, match="spectral regularisation is of convolutions and"):
        fit(small_vae())


def hierarchy(seed: int = 0) -> HierarchicalVAE:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        networks = build_networks(SHAPE, replace(SMALL, block_cells=1))
    return HierarchicalVAE(*networks, BetaRange(0.1, 10.0))


def fit(vae: VAE, state: TrainingState | None = None, **options: object) -> TrainingState:
    arguments = {"config": CONFIG, "seed": 0, "quiet": True} | options
    return train(
        *(vae, Crosses(), ObjectiveConfig("beta", groups=2)),
        device=torch.device("cpu"),
        precision="fp32",
        state=state,
        **arguments,
    )


def test_a_run_that_was_stopped_ends_in_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights, running statistics and vectors, bit for bit, from every step."""
    monkeypatch.setattr("mrtc.training.loop.SECONDS_BETWEEN_SAVES", -1.0)
    saved = []

    def save(state: TrainingState) -> None:
        buffer = io.BytesIO()
        torch.save((whole.state_dict(), state.step, state.optimizer, state.spectral), buffer)
        buffer.seek(0)
        saved.append(torch.load(buffer, weights_only=True))

    whole = hierarchy()
    final = fit(whole, save=save)
    assert [step for _, step, _, _ in saved] == list(range(1, 5))
    for weights, step, optimizer, vectors in (saved[0], saved[2]):
        resumed = hierarchy(seed=9)
        resumed.load_state_dict(weights)
        state = fit(resumed, TrainingState(step, optimizer, spectral=vectors))
        for name, weight in whole.state_dict().items():
            assert torch.equal(weight, resumed.state_dict()[name]), name
        for name, vector in final.spectral.items():
            assert torch.equal(vector, state.spectral[name]), name


def test_the_penalty_makes_layers_amplify_less() -> None:
    found = []
    for spectral in (None, 10.0):
        vae = hierarchy()
        fit(vae, config=replace(CONFIG, spectral=spectral, learning_rate=0.03))
        found.append(converged(vae, calls=5)().item())
    assert found[1] < 0.9 * found[0]
