"""The residual block of the image networks, gated or plain."""

from jaxtyping import Float
from torch import Tensor, nn

from mrtc.layers.gate import GateInit, GateKind
from mrtc.layers.gated import Gated


class ResidualBlock(nn.Module):
    r"""Two 3 x 3 convolutions beside a skip connection, each with its gates.

    .. math:: y = \mathrm{relu}(x + g_2 \odot W_2 * \mathrm{relu}(g_1 \odot W_1 * x))

    Gates scale what the block adds; the skip has none, so a block whose gates close passes on what
    it got.

    Args:
        channels: Of input, output and the layer between.
        kind: Of the gates; ``None`` for the plain block.
        init: Of the gates, see :class:`RateGate`.

    References:
        Bae et al., ICLR 2023, the ResNets of their image experiments. (Those of Chadebec et al.,
        which they name as their source, have a bottleneck of 32 channels instead.)
    """

    def __init__(self, channels: int, kind: GateKind | None, init: GateInit = "open") -> None:
        super().__init__()
        self.first = Gated(nn.Conv2d(channels, channels, 3, padding=1), kind, init)
        self.second = Gated(nn.Conv2d(channels, channels, 3, padding=1), kind, init)

    def forward(
        self, x: Float[Tensor, "batch channel height width"], rate_code: Float[Tensor, " group"]
    ) -> Float[Tensor, "batch channel height width"]:
        """The block's output; ``rate_code`` as in :meth:`Gated.forward`."""
        hidden = self.first(x, rate_code).relu()
        added: Tensor = self.second(hidden, rate_code)
        return (x + added).relu()
