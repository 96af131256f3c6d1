"""Frozen models against the gated ones, for every architecture, and what cannot be frozen."""

import pytest
import torch
from torch import Tensor, nn

from mrtc.errors import BetaError, MrtcError
from mrtc.frozen import FrozenTextVAE
from mrtc.frozen.frozen_vae import LAYERS
from mrtc.token_sequences import TokenSequences
from mrtc.vae import VAE
from tests.frozen.models import BETAS, CASES, DOCUMENTS, IMAGES, difference, documents, make
from tests.toys import small_vae


def betas(vae: VAE) -> list[float]:
    return [vae.betas.low] if vae.betas.is_single else [BETAS.low, 0.3, BETAS.high]


def inputs(name: str, vae: VAE) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(6, vae.codes, generator=generator)
    if name in DOCUMENTS:
        return documents(6, generator), z
    return torch.rand(6, *CASES[name][0], generator=generator), z


@torch.no_grad()
def largest_difference(vae: VAE, beta: float, x: Tensor, z: Tensor) -> float:
    """Of moments, of what the decoder gives, and of log p(x|z)."""
    frozen = vae.freeze(beta)
    posterior, likelihood = vae.encode(x, beta), vae.decode(z, beta)
    mean, log_sigma = frozen.encode(x)
    found = [difference(mean, posterior.mean), difference(log_sigma, posterior.log_sigma)]
    found.append(difference(frozen.log_prob(x, z), likelihood.log_prob(x)))
    if not isinstance(likelihood, TokenSequences):
        decoded = likelihood.logits if vae.likelihood == "bernoulli" else likelihood.mean
        found += [
            difference(frozen.decode(z), decoded),
            difference(frozen.mean(z), vae.mean(z, beta)),
        ]
    return max(found)


@pytest.mark.parametrize("name", CASES)
def test_it_computes_what_the_gated_model_computes(name: str) -> None:
    """Up to rounding, relative to the largest value of each array."""
    vae = make(name)
    x, z = inputs(name, vae)
    assert max(largest_difference(vae, beta, x, z) for beta in betas(vae)) < 1e-5


@pytest.mark.parametrize(
    "name",
    ["mlp-all", "linear-paper", "conv-chen-after_norm", "resnet-28", "lstm-texar-head-gated"],
)
def test_in_double_precision_nothing_but_rounding_is_left(name: str) -> None:
    vae = make(name).double()
    x, z = inputs(name, vae)
    x = x if name in DOCUMENTS else x.double()
    # the rate code of a number is in single precision, in both of them
    assert max(largest_difference(vae, beta, x, z.double()) for beta in betas(vae)) < 1e-12


@pytest.mark.parametrize("likelihood", ["bernoulli", "squared_error", "gaussian"])
@pytest.mark.parametrize("name", ["mlp-none", "mlp-all"])
def test_every_likelihood(name: str, likelihood: str) -> None:
    vae = make(name, likelihood)
    x, z = inputs(name, vae)
    assert max(largest_difference(vae, beta, x, z) for beta in betas(vae)) < 1e-5


def test_gates_at_the_edge_of_closing() -> None:
    """There a square root is so steep that its own rounding would show."""
    vae = make("mlp-all")
    gate = vae.decoder.second.gate
    with torch.no_grad():
        gate.slope.uniform_(-1, 1, generator=torch.Generator().manual_seed(2))
        rate_code = vae.betas.standardise(torch.tensor([0.3]))
        gate.offset.copy_(-gate.slope * rate_code - torch.logspace(-7, -5, 16))
    assert 0 < int((gate(rate_code) == 0).sum()) < 16
    x, z = inputs("mlp-all", vae)
    assert largest_difference(vae, 0.3, x, z) < 1e-6


@pytest.mark.parametrize("name", [IMAGES[1], "conv-burgess-before_norm", DOCUMENTS[-1]])
def test_it_has_plain_layers_and_weights_of_its_own(name: str) -> None:
    vae = make(name)
    before = torch.get_rng_state()
    frozen = vae.freeze(0.3)
    assert torch.equal(torch.get_rng_state(), before)
    leaves = {type(module) for module in frozen.modules() if not list(module.children())}
    assert leaves <= {*LAYERS.values(), nn.Embedding, nn.LSTM}
    theirs = {weight.untyped_storage().data_ptr() for weight in vae.parameters()}
    assert not theirs & {weight.untyped_storage().data_ptr() for weight in frozen.parameters()}
    assert not any(weight.requires_grad for weight in frozen.parameters())


@pytest.mark.parametrize("name", ["resnet-28", "conv-chen-after_norm", "lstm-texar-head-gated"])
def test_it_is_no_larger_than_a_baseline(name: str) -> None:
    vae, (_, config) = make(name), CASES[name]
    gates = sum(
        parameter.numel()
        for key, parameter in vae.named_parameters()
        if key.endswith((".slope", ".offset")) or ".norm." in key
    )
    frozen = sum(parameter.numel() for parameter in vae.freeze(1.0).parameters())
    assert not config.is_plain
    assert frozen == sum(parameter.numel() for parameter in vae.parameters()) - gates


@pytest.mark.parametrize(
    ("name", "beta", "message"),
    [
        ("mlp-inner", 11.0, r"beta 11 lies outside the trained range, 0.01:10, .*choose"),
        ("mlp-inner", float("nan"), "beta nan lies outside"),
        ("mlp-inner", None, "trained for 0.01:10; give one"),
        ("mlp-none", 3.0, "beta 3 lies outside the trained range, 4"),
    ],
)
def test_betas_that_cannot_be_frozen(name: str, beta: float | None, message: str) -> None:
    with pytest.raises(BetaError, match=message):
        make(name).freeze(beta)


def test_a_baseline_needs_no_beta() -> None:
    vae = make("mlp-none")
    assert vae.freeze().about == vae.freeze(4.0).about
    assert vae.freeze().about["beta"] == 4.0


def test_what_cannot_be_folded_is_refused() -> None:
    vae = make("conv-chen-before_norm")
    with pytest.raises(ValueError, match="training mode"):
        vae.train().freeze(1.0)
    vae.eval()
    norm = vae.encoder.first.norm
    norm.running_mean = None
    with pytest.raises(ValueError, match="no running statistics"):
        vae.freeze(1.0)
    broken = make("mlp-all")
    with torch.no_grad():
        broken.encoder.second.layer.weight[2, 3] = torch.inf
    with pytest.raises(MrtcError, match=r"1 of 14 arrays are not finite, encoder\.3\.weight"):
        broken.freeze(1.0)


def test_networks_of_ones_own_are_refused() -> None:
    vae = small_vae()
    vae.decoder = nn.Linear(3, 64)
    with pytest.raises(TypeError, match="got MLPEncoder and Linear"):
        vae.eval().freeze(1.0)


def test_samples_are_those_of_the_gated_model() -> None:
    vae = make("mlp-all")
    ours = vae.freeze(0.3).sample(5, torch.Generator().manual_seed(3))
    theirs = vae.sample(5, 0.3, torch.Generator().manual_seed(3))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_written_alike(name: str) -> None:
    vae = make(name)
    beta = betas(vae)[-1]
    frozen = vae.freeze(beta)
    assert isinstance(frozen, FrozenTextVAE)
    generator = torch.Generator().manual_seed(4)
    z = torch.randn(8, vae.codes, generator=generator)
    assert torch.equal(frozen.greedy(z, 12), vae.decode(z, beta).greedy(12))
    one, two = (torch.Generator().manual_seed(5) for _ in range(2))
    z = torch.randn(8, vae.codes, generator=two)
    assert torch.equal(frozen.sample(8, one, 12), vae.decode(z, beta).sample(two, 12))
