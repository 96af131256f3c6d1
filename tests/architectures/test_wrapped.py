"""Gates on layers of other people's networks, against our own layers and plain formulas."""

import subprocess
import sys
import threading
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mrtc.architectures import MLPConfig, MLPDecoder, MLPEncoder
from mrtc.architectures.wrapped import GatedNetwork, WrappedDecoder, WrappedEncoder
from mrtc.errors import MrtcError
from mrtc.layers import Gated
from mrtc.randomness import torch_stream

CODES = torch.linspace(-1.7, 1.7, 6)


def batch(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch_stream(0, "batch"))


def copied(gated: list[Gated], network: GatedNetwork, layers: list[nn.Linear]) -> None:
    """Gives a wrapped network weights and gates of ours."""
    gates = [*network.gates.children()]
    for ours, layer in zip(gated, layers, strict=True):
        layer.load_state_dict(ours.layer.state_dict())
    for ours, gate in zip(gated, gates, strict=True):
        gate.load_state_dict(ours.gate.state_dict())


def test_a_wrapped_mlp_is_our_gated_mlp() -> None:
    """The same weights and gates give the same posterior and logits, bit for bit."""
    config = MLPConfig(hidden=16, codes=3, gated="all")
    ours, ours_decoding = MLPEncoder((1, 4, 4), config), MLPDecoder((1, 4, 4), config)
    a, b, c = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 6)
    wrapped = WrappedEncoder(
        nn.Sequential(nn.Flatten(), a, nn.ReLU(), b, nn.ReLU(), c), ["1", "3", "5"], codes=3
    )
    copied([ours.first, ours.second, ours.head], wrapped, [a, b, c])
    d, e, f, g = nn.Linear(3, 16), nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 16)
    decoding = WrappedDecoder(
        nn.Sequential(d, nn.Tanh(), e, nn.Tanh(), f, nn.Tanh(), g, nn.Unflatten(1, (1, 4, 4))),
        ["0", "2", "4"],
    )
    copied([ours_decoding.first, ours_decoding.second, ours_decoding.third], decoding, [d, e, f])
    g.load_state_dict(ours_decoding.output.state_dict())

    x = batch(6, 1, 4, 4)
    for codes in (CODES[:1], CODES[1:4], CODES):  # one for all, of groups, of each
        mean, log_sigma = ours(x, codes)
        found = wrapped(x, codes)
        assert torch.equal(found[0], mean)
        assert torch.equal(found[1], log_sigma)
        assert torch.equal(decoding(mean, codes), ours_decoding(mean, codes))


LAYERS = {
    "linear": (nn.Linear(4, 6), (6, 4)),
    "linear of sequences": (nn.Linear(4, 6), (6, 5, 4)),
    "linear without bias": (nn.Linear(4, 6, bias=False), (6, 4)),
    "conv1d": (nn.Conv1d(4, 6, 3), (6, 4, 7)),
    "conv2d": (nn.Conv2d(4, 6, 3, groups=2), (6, 4, 7, 5)),
    "conv3d": (nn.Conv3d(4, 6, 2), (6, 4, 3, 3, 3)),
    "transposed conv1d": (nn.ConvTranspose1d(4, 6, 3), (6, 4, 7)),
    "transposed conv2d": (nn.ConvTranspose2d(4, 6, 3, groups=2), (6, 4, 3, 5)),
    "transposed conv3d": (nn.ConvTranspose3d(4, 6, 2, bias=False), (6, 4, 3, 3, 3)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_gates_scale_channels_and_fold_into_weights(name: str) -> None:
    """g * (W x + b) = (diag(g) W) x + g * b for every kind of layer, with the gate's formula."""
    layer, shape = LAYERS[name]
    layer, x = deepcopy(layer), batch(*shape)
    plain = layer(x)
    wrapped = GatedNetwork(layer, [""], "sigmoid")
    gate = wrapped.gates.get_submodule("/")
    channels = [1, 6, *[1] * (plain.ndim - 2)] if "conv" in name else [1] * (plain.ndim - 1) + [6]

    rows = []
    for row, code in enumerate(CODES):
        factors = 1 / (1 + torch.exp(-(gate.slope * code + gate.offset)))
        expected = plain * factors.reshape(channels)
        torch.testing.assert_close(wrapped.run(x, code[None]), expected)
        torch.testing.assert_close(wrapped.factors(code[None])["network"], factors)
        torch.testing.assert_close(wrapped.folded(code[None])(x), expected, rtol=1e-5, atol=1e-6)
        rows.append(expected[row])
    torch.testing.assert_close(wrapped.run(x, CODES), torch.stack(rows))
    assert torch.equal(layer(x), plain)  # called by itself it is as it was


def test_what_is_folded_is_the_authors_own() -> None:
    network = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 2))
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    wrapped = GatedNetwork(network, ["0", "2"], "sqrt")
    GatedNetwork(network, ["0"], "sqrt")  # wrapped again, as in a notebook

    folded = wrapped.folded(CODES[:1])

    assert [type(module) for module in folded.modules()] == [*map(type, network.modules())]
    assert not any(module._forward_hooks for module in folded.modules())
    assert not folded.training
    assert network.training
    assert all(torch.equal(before[name], now) for name, now in network.state_dict().items())


class InPieces(nn.Module):
    """Cuts an example into three, which a layer sees as a larger batch."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.reshape(-1, 4)).reshape(len(x), -1)


def test_pieces_of_an_example_are_at_its_beta() -> None:
    wrapped = GatedNetwork(InPieces(), ["layer"], "sigmoid")
    x = batch(6, 12)
    found = wrapped.run(x, CODES)
    for row, code in enumerate(CODES):
        torch.testing.assert_close(found[row], wrapped.run(x[row : row + 1], code[None])[0])


def test_rows_that_are_no_examples_are_refused() -> None:
    wrapped = GatedNetwork(nn.Sequential(nn.Linear(4, 2)), ["0"], "sigmoid", where="encoder")
    with pytest.raises(MrtcError, match=r"encoder\.0 puts out shape \(5, 2\) for 6 .* gate="):
        wrapped.run(batch(5, 4), CODES)
    with pytest.raises(MrtcError, match=r"shape \(2,\) for 1 rate"):
        wrapped.run(batch(4), CODES[:1])
    image = GatedNetwork(nn.Conv2d(1, 2, 1), [""], "sigmoid")
    with pytest.raises(MrtcError, match=r"shape \(2, 4, 4\) for 1 rate"):  # without a batch
        image.run(batch(1, 4, 4), CODES[:1])


class Meeting(nn.Module):
    """Waits within the forward pass until the other thread is there too."""

    def __init__(self) -> None:
        super().__init__()
        self.barrier = threading.Barrier(2, timeout=20)

    def forward(self, x: Tensor) -> Tensor:
        self.barrier.wait()
        return x


def test_threads_have_betas_of_their_own() -> None:
    """Both are in the midst of the network at once, each between two gated layers."""
    first, second = nn.Linear(4, 5), nn.Linear(5, 2)
    meeting = Meeting()
    wrapped = GatedNetwork(nn.Sequential(first, meeting, second, meeting), ["0", "2"], "sigmoid")
    x, found = batch(3, 4), {}

    def work(code: float) -> None:
        found[code] = wrapped.run(x, torch.tensor([code]))

    threads = [threading.Thread(target=work, args=(code,)) for code in (-1.5, 1.5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    gates = [*wrapped.gates.children()]
    for code in (-1.5, 1.5):
        one, two = (gate(torch.tensor([code])) for gate in gates)
        torch.testing.assert_close(found[code], second(first(x) * one) * two)


def test_a_copy_has_gates_of_its_own() -> None:
    wrapped = GatedNetwork(nn.Sequential(nn.Linear(4, 2)), ["0"], "sigmoid")
    x = batch(6, 4)
    before = wrapped.run(x, CODES)
    copy = deepcopy(wrapped)
    assert torch.equal(copy.run(x, CODES), before)
    with torch.no_grad():
        copy.gates.get_submodule("0").offset.fill_(-100)
    assert float(copy.run(x, CODES).detach().abs().max()) < 1e-30
    assert torch.equal(wrapped.run(x, CODES), before)


class Run(nn.Module):
    """A network to call, as torch.func and torch.compile want one."""

    def __init__(self, wrapped: GatedNetwork) -> None:
        super().__init__()
        self.wrapped = wrapped

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        return self.wrapped.run(x, codes)


def test_stacked_models_are_as_each_alone() -> None:
    """Under functional_call and vmap, weights and gates are those that are passed."""
    models = [Run(GatedNetwork(nn.Sequential(nn.Linear(4, 2)), ["0"], "sigmoid")) for _ in "ab"]
    weights, _ = torch.func.stack_module_state(models)
    x = batch(6, 4)

    def call(weights: dict[str, Tensor]) -> Tensor:
        return torch.func.functional_call(models[0], weights, (x, CODES))

    both = torch.vmap(call)(weights)
    torch.testing.assert_close(both, torch.stack([model(x, CODES) for model in models]))


COMPILED = """
import torch
from torch import nn
from mrtc.architectures.wrapped import WrappedDecoder

model = WrappedDecoder(nn.Sequential(nn.Linear(4, 2), nn.ReLU()), ["0"])
compiled = torch.compile(model, backend="eager")
x, codes = torch.randn(6, 4), torch.linspace(-1.7, 1.7, 6)
for some in (codes, -codes, codes[:1]):
    torch.testing.assert_close(compiled(x, some), model(x, some))
"""


@pytest.mark.slow
def test_compiled_gates_follow_the_rate_code() -> None:
    """In a process of its own: shape checks are more than torch.compile can trace."""
    done = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_layers_that_run_again_in_the_backward_pass_are_refused(use_reentrant: bool) -> None:
    """There is no rate code then, and gradients would be those of another network."""

    class Frugal(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return checkpoint(self.layer, x, use_reentrant=use_reentrant)

    wrapped = GatedNetwork(Frugal(), ["layer"], "sigmoid", where="encoder")
    out = wrapped.run(batch(6, 4).requires_grad_(), CODES)
    with pytest.raises(MrtcError, match=r"encoder\.layer is run again .* checkpointing"):
        out.sum().backward()


class Puts(nn.Module):
    """Puts out what it is made with."""

    def __init__(self, out: object) -> None:
        super().__init__()
        self.out = out

    def forward(self, x: Tensor) -> object:  # noqa: ARG002
        return self.out


@pytest.mark.parametrize(
    ("out", "seen"),
    [
        (torch.zeros(6, 7), r"a tensor of shape \(6, 7\)"),
        (torch.zeros(6, 4, 1, 1), r"a tensor of shape \(6, 4, 1, 1\)"),
        ((torch.zeros(6, 2),) * 3, r"a tuple of .*, .*, a tensor.*"),
        ((torch.zeros(6, 2), torch.zeros(6, 1)), r"a tuple of .*"),
        ({"mean": 0}, "a dict"),
    ],
)
def test_encoders_put_out_moments_or_are_refused(out: object, seen: str) -> None:
    wrapped = WrappedEncoder(Puts(out), [], codes=2)
    with pytest.raises(MrtcError, match=rf"{seen} for a batch of 6; .*\(6, 4\).*latent=2"):
        wrapped(batch(6, 3), CODES)


def test_a_pair_of_moments_is_as_good_as_one_tensor() -> None:
    moments = batch(6, 4)
    for out in (moments, (moments[:, :2], moments[:, 2:]), [moments[:, :2], moments[:, 2:]]):
        mean, log_sigma = WrappedEncoder(Puts(out), [], codes=2)(batch(6, 3), CODES)
        assert torch.equal(mean, moments[:, :2])
        assert torch.equal(log_sigma, moments[:, 2:])


@pytest.mark.parametrize("out", [torch.zeros(5, 2), torch.zeros(6), (torch.zeros(6, 2),)])
def test_decoders_put_out_one_tensor_or_are_refused(out: object) -> None:
    with pytest.raises(MrtcError, match=r"the decoder puts out .* of shape \(6, 2\); it must"):
        WrappedDecoder(Puts(out), [])(batch(6, 2), CODES)


def test_only_layers_with_channels_have_gates() -> None:
    with pytest.raises(TypeError, match="linear or convolutional layer, got ReLU"):
        GatedNetwork(nn.ReLU(), [""], "sigmoid")
