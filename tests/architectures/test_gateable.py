"""Which layers get gates, and the messages about those that cannot have any."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from mrtc.architectures.gateable import GateChoice, choose_layers, try_out, ungated
from mrtc.errors import MrtcError


def chosen(
    encoder: nn.Module, decoder: nn.Module | None = None, gate: GateChoice = None
) -> dict[str, list[str]]:
    networks = {"encoder": encoder, "decoder": decoder or mlp()}
    trials = {where: try_out(net, torch.randn(3, 4), where) for where, net in networks.items()}
    return choose_layers(networks, trials, gate)


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 4))


class Backwards(nn.Module):
    """Its layers run in another order than they are made in."""

    def __init__(self) -> None:
        super().__init__()
        self.output, self.hidden, self.spare = nn.Linear(5, 4), nn.Linear(4, 5), nn.Linear(4, 5)

    def forward(self, z: Tensor) -> Tensor:
        return self.output(self.hidden(z))


def test_all_layers_that_run_but_the_decoders_last() -> None:
    assert chosen(Backwards(), Backwards()) == {
        "encoder": ["output", "hidden"],
        "decoder": ["hidden"],
    }
    decoder = Backwards()
    why = ungated("decoder", decoder, ["hidden"], try_out(decoder, torch.randn(3, 4), "decoder"))
    assert why == {
        "decoder.output": "the last layer of the decoder",
        "decoder.spare": "does not run by itself",
    }


def test_a_choice_is_by_name_or_by_function() -> None:
    by_name = chosen(mlp(), gate=["encoder.0", "decoder.4"])
    assert by_name == {"encoder": ["0"], "decoder": ["4"]}
    by_function = chosen(mlp(), gate=lambda name, layer: layer.in_features == 5 or name[0] == "d")
    assert by_function == {"encoder": ["2", "4"], "decoder": ["0", "2"]}


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        (["encoder.1", "encoder.0"], r"has encoder\.1, which cannot have a gate; .*encoder\.0"),
        (["0"], r"has 0, which cannot"),
        ([], "has no name; choose among"),
        (lambda _name, _layer: False, "the encoder has no layer to gate"),
    ],
)
def test_a_choice_of_nothing_is_refused(gate: GateChoice, message: str) -> None:
    with pytest.raises(MrtcError, match=message):
        chosen(mlp(), gate=gate)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 6, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x[:, None])[0][:, 0]


def test_networks_without_a_layer_to_gate_are_refused() -> None:
    with pytest.raises(MrtcError, match=r"encoder has no layer to gate: of LSTM, 0 ran .* network"):
        chosen(Recurrent())
    with pytest.raises(MrtcError, match="encoder has no layer to gate: of modules without weights"):
        chosen(nn.Flatten())
    with pytest.raises(MrtcError, match=r"decoder has no layer to gate: of Linear, 1 ran .* last"):
        chosen(mlp(), nn.Linear(4, 4))
    assert chosen(mlp(), nn.Linear(4, 4), ["encoder.0"]) == {"encoder": ["0"], "decoder": []}


def with_shared_weight() -> nn.Module:
    network = mlp()
    network[4] = nn.Linear(5, 5)
    network[4].weight = network[2].weight
    return network


def test_layers_that_share_a_weight_are_refused_by_both_names() -> None:
    with pytest.raises(MrtcError, match=r"encoder\.2 and encoder\.4 share a weight.* gate="):
        chosen(with_shared_weight())
    encoder, decoder = mlp(), mlp()
    decoder[2] = encoder[2]
    with pytest.raises(MrtcError, match=r"encoder\.2 and decoder\.2 share a weight"):
        chosen(encoder, decoder)
    assert chosen(with_shared_weight(), gate=["encoder.0"])["encoder"] == ["0"]


def test_one_layer_in_two_places_is_one_layer() -> None:
    square = nn.Linear(4, 4)
    assert chosen(nn.Sequential(square, nn.ReLU(), square))["encoder"] == ["0"]


@pytest.mark.parametrize(
    ("computed", "by"),
    [
        (parametrizations.weight_norm, "_WeightNorm"),
        (parametrizations.spectral_norm, "_SpectralNorm"),
        (parametrizations.orthogonal, "_Orthogonal"),
        (nn.utils.spectral_norm, r"a hook such as"),
    ],
)
def test_computed_weights_are_refused(computed: Callable[[nn.Module], nn.Module], by: str) -> None:
    network = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), computed(nn.Linear(5, 4)))
    with pytest.raises(MrtcError, match=rf"encoder\.2 is not its own but computed, by {by}"):
        chosen(network)
    assert chosen(network, gate=lambda name, _: name != "encoder.2")["encoder"] == ["0"]


class Standardised(nn.Linear):
    """Forgets the scale of its weights."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight / self.weight.std(), self.bias)


def test_layers_that_do_not_scale_with_their_weights_are_refused() -> None:
    with pytest.raises(MrtcError, match=r"encoder\.0, a Standardised, does not scale"):
        chosen(nn.Sequential(Standardised(4, 5)))


def test_projections_inside_attention_are_reported() -> None:
    """Torch reads the output projection's weight without running the layer."""

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into = nn.Linear(4, 8)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            hidden = self.into(x)[:, None]
            return self.attention(hidden, hidden, hidden)[0][:, 0]

    network = Attention()
    assert chosen(network)["encoder"] == ["into"]
    trial = try_out(network, torch.randn(3, 4), "encoder")
    assert ungated("encoder", network, ["into"], trial) == {
        "encoder.attention": "MultiheadAttention has no gate",
        "encoder.attention.out_proj": "does not run by itself",
    }


def test_a_trial_leaves_no_trace() -> None:
    network = nn.Sequential(
        nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Sigmoid(), nn.Unflatten(1, (5, 1))
    )
    network[1].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert try_out(network, torch.randn(3, 4), "decoder").ends_in_sigmoid
    assert not try_out(network[:2], torch.randn(3, 4), "decoder").ends_in_sigmoid
    assert [module.training for module in network] == [True, False, True, True]
    assert all(torch.equal(before[name], now) for name, now in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_a_network_that_does_not_run_is_refused() -> None:
    with pytest.raises(MrtcError, match=r"encoder does not run on a batch of shape \(3, 4\): .*la"):
        chosen(nn.Linear(5, 2))
