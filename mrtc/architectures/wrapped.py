"""Networks that somebody else wrote, with gates at the outputs of their layers.

A forward hook on each gated layer multiplies what the layer puts out. Unlike gated weights, this
lets every example of a batch have its own beta. The rate code comes to the hooks by a context
variable that is set while the network runs, so it is never stored on a module, threads do not see
each other's, and the same layers called outside of here are as their author wrote them.
"""

from collections.abc import Iterable
from contextvars import ContextVar
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mrtc.errors import MrtcError
from mrtc.layers import GateInit, GateKind, RateGate

Layer = (
    nn.Linear
    | nn.Conv1d
    | nn.Conv2d
    | nn.Conv3d
    | nn.ConvTranspose1d
    | nn.ConvTranspose2d
    | nn.ConvTranspose3d
)
"""What can have a gate."""


class _Active(NamedTuple):
    """The gates of the network that runs, and the rate code that they read."""

    gates: nn.Module
    rate_code: Tensor


_ACTIVE: ContextVar[_Active | None] = ContextVar("active gates", default=None)


class GatedNetwork(nn.Module):
    """A network and gates for some of its layers; without any, it is that network.

    Args:
        network: Whose layers are gated. It is not copied: these are its weights.
        layers: Names of the layers, as ``network.named_modules()`` has them.
        kind: Of the gates.
        init: Of the gates, see :class:`mrtc.layers.RateGate`.
        where: What messages call the network.

    Raises:
        TypeError: If one of these is no linear layer and no convolution.
    """

    def __init__(
        self,
        network: nn.Module,
        layers: Iterable[str],
        kind: GateKind,
        init: GateInit = "open",
        *,
        where: str = "network",
    ) -> None:
        super().__init__()
        self.network = network
        self.where = where
        self.names = tuple(layers)
        self.gates = nn.Module()
        for name in self.names:
            layer = network.get_submodule(name)
            if not isinstance(layer, Layer):
                raise TypeError(f"a gate needs a linear or convolutional layer, got {layer!r}")
            gate = RateGate(_features(layer), kind, init).to(layer.weight.device)
            self.gates.add_module(_key(name), gate)
            layer.register_forward_hook(_Hook(self.gates, name, where))

    def run(self, x: Tensor, rate_code: Float[Tensor, " group"]) -> Any:  # noqa: ANN401 -- the author's
        """What the network puts out, gated.

        Args:
            x: A batch, first axis.
            rate_code: One for all examples, or one for each of equal groups of consecutive ones.
        """
        token = _ACTIVE.set(_Active(self.gates, rate_code))
        try:
            return self.network(x)
        finally:
            _ACTIVE.reset(token)

    def factors(self, rate_code: Float[Tensor, " one"]) -> dict[str, Float[Tensor, " feature"]]:
        """The gates at one rate code, by the full names of their layers."""
        return {
            full_name(self.where, name): self.gates.get_submodule(_key(name))(rate_code)[0]
            for name in self.names
        }

    @torch.no_grad()
    def folded(self, rate_code: Float[Tensor, " one"]) -> nn.Module:
        r"""A copy of the network with the gates of one rate code in its weights, ready for use.

        .. math:: g \odot (W x + b) = (\mathrm{diag}(g) W) x + g \odot b

        It is in evaluation mode, has the modules and the names of the original, and no gates.
        """
        factors = self.factors(rate_code)
        copy = deepcopy(self.network)
        for module in copy.modules():
            for key, hook in [*module._forward_hooks.items()]:
                if isinstance(hook, _Hook):
                    del module._forward_hooks[key]
        for name in self.names:
            _scale_weights(copy.get_submodule(name), factors[full_name(self.where, name)])
        return copy.eval()


class WrappedEncoder(GatedNetwork):
    """Somebody's encoder with sigmoid gates.

    It puts out a tensor (batch, 2 codes), of means and then log sigmas, or the two as a pair. All
    of it may depend on beta, so its stem is the example itself.
    """

    def __init__(
        self, network: nn.Module, layers: Iterable[str], codes: int, init: GateInit = "open"
    ) -> None:
        super().__init__(network, layers, "sigmoid", init, where="encoder")
        self.codes = codes

    def stem(self, x: Tensor) -> Tensor:
        """The examples as they are."""
        return x

    def from_stem(
        self, stem: Tensor, rate_code: Float[Tensor, " group"]
    ) -> tuple[Float[Tensor, "batch code"], Float[Tensor, "batch code"]]:
        """Mean and log sigma of each code, in float32 under autocast too.

        Raises:
            MrtcError: If the network puts out anything else.
        """
        out = self.run(stem, rate_code)
        batch, codes = len(stem), self.codes
        if isinstance(out, Tensor) and out.shape == (batch, 2 * codes):
            out = out.chunk(2, dim=1)
        if not (
            isinstance(out, tuple | list)
            and len(out) == 2
            and all(isinstance(part, Tensor) and part.shape == (batch, codes) for part in out)
        ):
            raise MrtcError(
                f"the encoder puts out {_described(out)} for a batch of {batch}; it must be one "
                f"tensor ({batch}, {2 * codes}), means and then log sigmas, or a pair of tensors "
                f"({batch}, {codes}): change its last layer, or latent={codes}"
            )
        mean, log_sigma = (part.float() if part.itemsize < 4 else part for part in out)
        return mean, log_sigma

    def forward(
        self, x: Tensor, rate_code: Float[Tensor, " group"]
    ) -> tuple[Float[Tensor, "batch code"], Float[Tensor, "batch code"]]:
        """Mean and log sigma of the posterior of each example."""
        return self.from_stem(x, rate_code)


class WrappedDecoder(GatedNetwork):
    """Somebody's decoder with square-root gates."""

    def __init__(self, network: nn.Module, layers: Iterable[str], init: GateInit = "open") -> None:
        super().__init__(network, layers, "sqrt", init, where="decoder")

    def forward(
        self, z: Float[Tensor, "batch code"], rate_code: Float[Tensor, " group"]
    ) -> Float[Tensor, "batch *event"]:
        """Logits or means of each example.

        Raises:
            MrtcError: If the network puts out anything but a tensor with a row for each.
        """
        out = self.run(z, rate_code)
        if not (isinstance(out, Tensor) and out.ndim > 1 and len(out) == len(z)):
            raise MrtcError(
                f"the decoder puts out {_described(out)} for codes of shape {tuple(z.shape)}; it "
                f"must be one tensor ({len(z)}, ...) of the logits or means of {len(z)} examples: "
                "return that alone"
            )
        return out


class _Hook:
    """Multiplies the output of one layer by its gate, while its network runs."""

    def __init__(self, gates: nn.Module, name: str, where: str) -> None:
        self._gates, self._name, self._where = gates, name, where

    def __call__(self, layer: Layer, _: tuple[Any, ...], out: Tensor) -> Tensor | None:
        active = _ACTIVE.get()
        if active is None and torch._C._current_graph_task_id() != -1:
            raise MrtcError(
                f"the layer {full_name(self._where, self._name)} is run again during the backward "
                "pass, where its beta is not known any more; switch activation checkpointing off, "
                "or leave such layers without gates by gate="
            )
        if active is None or active.gates is not self._gates:
            return None
        factors: Tensor = self._gates.get_submodule(_key(self._name))(active.rate_code)
        axes = out.ndim if isinstance(layer, nn.Linear) else len(layer.kernel_size) + 2
        if out.ndim != max(axes, 2) or len(out) % len(factors):
            raise MrtcError(
                f"the layer {full_name(self._where, self._name)} puts out shape "
                f"{tuple(out.shape)} for {len(factors)} rate codes, so its first axis is not that "
                "of the examples; give it whole batches with the examples in the first axis, or "
                "leave it without a gate by gate="
            )
        if len(factors) > 1:  # examples that were cut into pieces are consecutive rows still
            factors = factors.repeat_interleave(len(out) // len(factors), 0)
        ones = [1] * (out.ndim - 2)
        rows, features = factors.shape
        shape = (rows, *ones, features) if isinstance(layer, nn.Linear) else (rows, features, *ones)
        gated: Tensor = out * factors.to(out.dtype).reshape(shape)
        return gated


def full_name(where: str, name: str) -> str:
    """A layer's name with that of its network before it; the network's own is empty."""
    return f"{where}.{name}" if name else where


def _key(name: str) -> str:
    """Modules have no dots in their names, and no empty names."""
    return name.replace(".", "/") or "/"


def _features(layer: Layer) -> int:
    return layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels


def _scale_weights(layer: nn.Module, factors: Float[Tensor, " feature"]) -> None:
    weight = layer.get_parameter("weight")
    if isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d):
        # (in, out / groups, ...): a group of inputs has the outputs of that group alone.
        blocks = weight.view(layer.groups, -1, *weight.shape[1:])
        blocks.mul_(factors.to(weight).view(layer.groups, 1, -1, *[1] * (weight.ndim - 2)))
    else:
        weight.mul_(factors.to(weight).view(-1, *[1] * (weight.ndim - 1)))
    if isinstance(layer.bias, Tensor):
        layer.bias.mul_(factors.to(layer.bias))


def _described(out: object) -> str:
    if isinstance(out, Tensor):
        return f"a tensor of shape {tuple(out.shape)}"
    if isinstance(out, tuple | list):
        return f"a {type(out).__name__} of " + ", ".join(_described(part) for part in out)
    return f"a {type(out).__name__}"
