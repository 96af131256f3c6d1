"""Multi-rate VAEs of networks of one's own, and of networks that nobody here wrote."""

import math
from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from pytorchcv.models.resnet_cifar import get_resnet_cifar
from pytorchcv.models.sepreresnet_cifar import get_sepreresnet_cifar
from torch import Tensor, nn

from mrtc.any_model import multirate
from mrtc.errors import BetaError, MrtcError
from mrtc.randomness import torch_stream

SHAPE = (1, 4, 4)


def encoder(codes: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 2 * codes))


def decoder(codes: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Linear(codes, 12), nn.Tanh(), nn.Linear(12, 16), nn.Unflatten(1, SHAPE))


def images(count: int, *shape: int) -> Tensor:
    return torch.rand(count, *(shape or SHAPE), generator=torch_stream(0, "images"))


def test_gates_are_the_papers_functions_of_beta() -> None:
    vae = multirate(encoder(), decoder(), latent=3, betas=(0.1, 10))
    found = vae.gates_at(2.0)
    assert [*found] == ["encoder.1", "encoder.3", "decoder.0"]
    code = math.log(2.0) / (math.log(100) / math.sqrt(12))
    first, _, third = (*vae.encoder.gates.children(), *vae.decoder.gates.children())
    sigmoid = 1 / (1 + torch.exp(-(first.slope * code + first.offset)))
    torch.testing.assert_close(found["encoder.1"], sigmoid)
    root = torch.relu(1 - torch.exp(third.slope * code + third.offset)).sqrt()
    torch.testing.assert_close(found["decoder.0"], root)
    with pytest.raises(BetaError, match="outside the trained range"):
        vae.gates_at(20.0)


def test_the_layers_are_reported() -> None:
    made = nn.Sequential(nn.Linear(3, 12), nn.BatchNorm1d(12), nn.Linear(12, 16))
    layers = multirate(encoder(), made, latent=3, examples=images(2)).gated_layers
    assert dict(layers.gated) == {
        "encoder.1": "sigmoid",
        "encoder.3": "sigmoid",
        "decoder.0": "square-root",
    }
    assert dict(layers.ungated) == {
        "decoder.1": "BatchNorm1d has no gate",
        "decoder.2": "the last layer of the decoder",
    }
    assert repr(layers).splitlines()[3:] == [
        "decoder.1  -- BatchNorm1d has no gate",
        "decoder.2  -- the last layer of the decoder",
    ]


def test_a_plain_model_is_the_two_networks() -> None:
    mine, made = encoder(), decoder()
    vae = multirate(mine, made, latent=3, betas=4.0, plain=True)
    assert [*map(id, vae.parameters())] == [*map(id, [*mine.parameters(), *made.parameters()])]
    assert vae.betas.is_single
    assert vae.gates_at(4.0) == {}
    x = images(5)
    assert torch.equal(
        torch.cat([vae.encode(x, 4.0).mean, vae.encode(x, 4.0).log_sigma], 1), mine(x)
    )
    assert torch.equal(vae.fold(4.0)[0](x), mine(x))


def test_sigma_of_a_gaussian_is_gated_unless_plain() -> None:
    gated = multirate(encoder(), decoder(), latent=3, likelihood="gaussian")
    assert gated.noise is not None
    assert gated.noise.slope is not None
    plain = multirate(encoder(), decoder(), latent=3, likelihood="gaussian", plain=True, sigma=0.5)
    assert [name for name, _ in plain.named_parameters() if name.startswith("noise")] == []


def test_the_same_seed_gives_the_same_gates() -> None:
    mine, made = encoder(), decoder()
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, two, other = (
        multirate(deepcopy(mine), deepcopy(made), latent=3, seed=seed).state_dict()
        for seed in (0, 0, 1)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["encoder.gates.1.slope"], other["encoder.gates.1.slope"])


def resnet() -> nn.Module:
    return get_resnet_cifar(num_classes=10, blocks=8, bottleneck=False)


def squeeze_resnet() -> nn.Module:
    """With layers that see means over an image, and scale channels."""
    return get_sepreresnet_cifar(num_classes=10, blocks=8, bottleneck=False)


def efficientnet() -> nn.Module:
    return EfficientNet.from_name("efficientnet-lite0", num_classes=10)


@pytest.mark.parametrize("make", [resnet, squeeze_resnet, efficientnet])
def test_networks_that_nobody_here_wrote(make: Callable[[], nn.Module]) -> None:
    """Batches of many betas, batches of one, and folded copies say the same of an image."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        mine = make().eval()
        made = nn.Sequential(
            nn.Linear(5, 64), nn.ReLU(), nn.Linear(64, 3 * 32 * 32), nn.Unflatten(1, (3, 32, 32))
        ).eval()
        calibrate(mine)
    vae = multirate(mine, made, latent=5, betas=(0.01, 10)).eval()
    convolutions = [
        name for name, m in mine.named_modules() if type(m).__name__.startswith("Conv2d")
    ]
    assert {f"encoder.{name}" for name in convolutions} <= {*vae.gated_layers.gated}
    x, betas = images(3, 3, 32, 32), torch.tensor([0.01, 0.5, 10.0])

    with torch.no_grad():
        mixed = vae.encode(x, betas)
        means = vae.mean(mixed.mean, betas)
        for row, beta in enumerate(betas.tolist()):
            encode, decode = vae.fold(beta)
            alone, folded = vae.encode(x[row : row + 1], beta), encode(x)[row]
            near = {"rtol": 1e-4, "atol": 1e-5 * float(folded.abs().max())}
            torch.testing.assert_close(mixed.mean[row], alone.mean[0], **near)
            torch.testing.assert_close(mixed.log_sigma[row], alone.log_sigma[0], **near)
            torch.testing.assert_close(folded[:5], mixed.mean[row], **near)
            torch.testing.assert_close(folded[5:], mixed.log_sigma[row], **near)
            torch.testing.assert_close(decode(mixed.mean)[row].sigmoid(), means[row])
        apart = (vae.encode(x, 0.01).mean - vae.encode(x, 10.0).mean).abs().max()
    assert float(apart) > 1e-2 * float(mixed.mean.abs().max())  # the gates do something


@torch.no_grad()
def calibrate(network: nn.Module) -> None:
    """Gives batch normalisation statistics under which untrained networks say something."""
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.train().momentum = None
    network(images(8, 3, 32, 32))
    network.eval()


class SequenceFirst(nn.Module):
    """Has positions in the first axis inside, as recurrent layers do by default."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(4, 4), nn.Linear(12, 6)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.flatten(1)[:, :12].reshape(-1, 3, 4).transpose(0, 1)  # (position, batch, 4)
        return self.out(self.into(rows).transpose(0, 1).flatten(1))


def test_betas_that_reach_other_examples_are_refused() -> None:
    """Three positions and three examples: nothing but the law can tell."""
    with pytest.raises(MrtcError, match=r"encoder, the beta of one example reaches .*batch_first"):
        multirate(SequenceFirst(), decoder(), latent=3)
    vae = multirate(
        SequenceFirst(), decoder(), latent=3, gate=lambda name, _: name != "encoder.into"
    )
    assert "encoder.into" in vae.gated_layers.ungated


def test_networks_of_whole_batches_are_let_pass() -> None:
    """Without running statistics there is no law that an example is by itself."""
    mine = encoder()
    mine[2] = nn.BatchNorm1d(12, track_running_stats=False)
    vae = multirate(mine, decoder(), latent=3)
    assert "encoder.1" in vae.gated_layers.gated


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"betas": 4.0}, r"betas=4 is one beta.*plain=True"),
        ({"betas": (10, 0.1)}, "reversed"),
        ({"betas": (0, 1)}, "not positive"),
        ({"latent": 4}, r"decoder does not run on a batch of shape \(3, 4\)"),
        ({"examples": torch.rand(2, 5)}, r"encoder does not run on a batch of shape \(3, 5\)"),
        ({"gate": "encoder.2"}, r"encoder\.2, which cannot have a gate"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(MrtcError, match=message):
        multirate(encoder(), decoder(), **{"latent": 3} | arguments)


def test_outputs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(MrtcError, match=r"encoder puts out a tensor of shape \(3, 8\)"):
        multirate(encoder(4), decoder(), latent=3)
    with pytest.raises(MrtcError, match="decoder puts out a tuple of"):
        multirate(encoder(), nn.LSTM(3, 16), latent=3, gate=["encoder.1"], examples=images(1))
    smaller = nn.Sequential(nn.Linear(3, 9), nn.ReLU(), nn.Linear(9, 9))
    with pytest.raises(MrtcError, match=r"puts out \(9,\), 9 values, for examples of shape \(1, 4"):
        multirate(encoder(), smaller, latent=3, examples=images(1))


def test_probabilities_are_no_logits() -> None:
    made = decoder().append(nn.Sigmoid())
    with pytest.raises(MrtcError, match=r"ends in a Sigmoid.*squared_error"):
        multirate(encoder(), made, latent=3)
    assert multirate(encoder(), made, latent=3, likelihood="squared_error").codes == 3


def test_a_model_of_its_author_is_folded_and_not_frozen():
    vae = multirate(encoder(), decoder(), latent=3)
    with pytest.raises(TypeError, match=r"use fold\(2.0\)"):
        vae.freeze(2.0)
