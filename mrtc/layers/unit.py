"""What image networks are made of: a layer, its gate, batch normalisation and an activation."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from mrtc.layers.batch_norm import WholeBatchNorm1d, WholeBatchNorm2d
from mrtc.layers.convolution import apply_layer
from mrtc.layers.gated import Gated

GatePlace = Literal["before_norm", "after_norm"]
Activation = Literal["relu", "sigmoid", "none"]

ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "none": nn.Identity,
}


class Unit(nn.Module):
    """A layer with its gate, batch normalisation if any, and activation.

    No gate is negative, so before and after a ReLU are one place for it; before and after batch
    normalisation are two. Before, what a gate does to all examples of a batch alike is divided out
    again in training; in evaluation it is not, as the running means are of all betas together.

    Args:
        gated: Layer and gate.
        norm: Whether there is batch normalisation.
        activation: The last step.
        place: Of the gate.
    """

    def __init__(
        self,
        gated: Gated,
        *,
        norm: bool = False,
        activation: Activation = "relu",
        place: GatePlace = "before_norm",
    ) -> None:
        super().__init__()
        self.gated = gated
        self.norm = _batch_norm(gated.layer) if norm else nn.Identity()
        self.activation = ACTIVATIONS[activation]()
        self.place = place

    def forward(
        self, x: Float[Tensor, "batch *features"], rate_code: Float[Tensor, " group"]
    ) -> Float[Tensor, "batch *hidden"]:
        """Applies all of them; ``rate_code`` as in :meth:`Gated.forward`."""
        return self.from_pre_activation(apply_layer(self.gated.layer, x), rate_code)

    def from_pre_activation(
        self, pre_activation: Float[Tensor, "batch *hidden"], rate_code: Float[Tensor, " group"]
    ) -> Float[Tensor, "batch *hidden"]:
        """Applies what follows the layer."""
        if self.place == "before_norm":
            hidden = self._normalise(self.gated.scale(pre_activation, rate_code))
        else:
            hidden = self.gated.scale(self._normalise(pre_activation), rate_code)
        activated: Tensor = self.activation(hidden)
        return activated

    def _normalise(self, hidden: Tensor) -> Tensor:
        """Statistics do not see where a pixel is, so torch may have an order it is fast in."""
        if hidden.ndim != 4 or not hidden.permute(2, 3, 0, 1).is_contiguous():
            plain: Tensor = self.norm(hidden)
            return plain
        batch, channels, height, width = hidden.shape
        pixels = hidden.permute(2, 3, 0, 1).reshape(1, height * width, batch, channels)
        normal: Tensor = self.norm(pixels.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return normal.reshape(height, width, batch, channels).permute(2, 3, 0, 1)


def _batch_norm(layer: nn.Module) -> nn.Module:
    if isinstance(layer, nn.Linear):
        return WholeBatchNorm1d(layer.out_features)
    return WholeBatchNorm2d(layer.get_parameter("bias").numel())
