"""The likelihood of 8-bit images as a mixture of logistic distributions, cut into levels."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 -- the name everybody knows

from mrtc.logistic_masses import Parts, at_least_float32, log_prob, parameters_of

__all__ = ["DiscretisedLogisticMixture", "parameters_of"]

LEVELS = 256


@dataclass(frozen=True)
class DiscretisedLogisticMixture:
    r"""A likelihood p(x|z) of colours in whole levels, from a decoder's output.

    A pixel has the mass, for each channel with values :math:`v = 2x - 1`,

    .. math:: \sum_k \pi_k \prod_c \left[\sigma\!\left(\tfrac{v_c + h - \mu_{kc}}{s_{kc}}\right)
        - \sigma\!\left(\tfrac{v_c - h - \mu_{kc}}{s_{kc}}\right)\right], \quad
        h = \tfrac{1}{\text{levels} - 1},

    where the first and the last level have all of their tails. Within a component, the mean of a
    channel depends on the channels before it: green's has a tanh(coefficient) times red added,
    blue's one times red and one times green.

    Args:
        parameters: Of each pixel, in this order, each of them for all components: a logit of the
            weight; a mean for each channel; a log scale for each; a coefficient of green on red, of
            blue on red, of blue on green.
        channels: Of the images.
        levels: That a channel can take, equally spaced from 0 to 1.

    Raises:
        ValueError: If the number of parameters is that of no mixture for so many channels.

    References:
        Salimans et al., "PixelCNN++", ICLR 2017, section 2.
        Vahdat and Kautz, "NVAE", NeurIPS 2020, appendix.
    """

    parameters: Float[Tensor, "batch parameter height width"]
    channels: int = 3
    levels: int = LEVELS

    def __post_init__(self) -> None:
        each, found = parameters_of(self.channels, 1), self.parameters.shape[1]
        if not found or found % each:
            raise ValueError(
                f"a mixture for {self.channels} channels has {each} parameters a component, got "
                f"{found} in all; let the decoder put out parameters_of(channels, components)"
            )

    @property
    def mean(self) -> Float[Tensor, "batch channel height width"]:
        r"""Of each channel, in [0, 1]; in float32 or better.

        A component's mean is that of its logistic clipped to the range,
        :math:`-1 + s [\zeta((\mu + 1) / s) - \zeta((\mu - 1) / s)]` with the softplus
        :math:`\zeta`; that of green and blue is taken at the means of the channels before. The mean
        of the levels differs from it by less than half a level, and by far less where a scale is
        above a level; that of green and blue also where the ends cut off much of those before.
        """
        parts = Parts.of(at_least_float32(self.parameters), self.channels)
        scale = parts.log_scale.exp()
        means: list[Tensor] = []
        for channel in range(self.channels):
            centre, s = parts.centre(channel, means), scale[:, channel]
            ends = F.softplus((centre + 1) / s) - F.softplus((centre - 1) / s)
            means.append(s * ends - 1)
        mixed = (torch.stack(means, 1) * parts.logits.softmax(1)[:, None]).sum(2)
        return self._images((mixed + 1) / 2).clamp(0, 1)

    @torch.no_grad()
    def sample(
        self, generator: torch.Generator | None = None
    ) -> Float[Tensor, "batch channel height width"]:
        """One draw of each image, in whole levels; the generator lives on the same device."""
        parts = Parts.of(at_least_float32(self.parameters), self.channels)
        # The least of exponential times is that of component k with probability pi_k.
        times = torch.empty_like(parts.logits).exponential_(generator=generator)
        chosen = parts.only((parts.logits - times.log()).argmax(1))
        drawn: list[Tensor] = []
        for channel in range(self.channels):
            uniform = torch.empty_like(chosen.logits).uniform_(generator=generator)
            noise = uniform.logit() * chosen.log_scale[:, channel].exp()
            value = chosen.centre(channel, drawn) + noise
            drawn.append(2 * self._level((value + 1) / 2) - 1)
        return self._images(self._level((torch.cat(drawn, 1) + 1) / 2))

    def log_prob(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, " batch"]:
        """log p(x|z), summed over the pixels, in nats; always in float32 or better.

        Args:
            x: Images of whole levels, such as bytes / 255. It gets no gradient.

        Raises:
            DataError: If a value is not a level.
            ValueError: If ``x`` has other channels, or another size.
        """
        expected = (len(self.parameters), self.channels, *self.parameters.shape[2:])
        if x.shape != expected:
            raise ValueError(
                f"this likelihood is of images of shape {expected}, got {tuple(x.shape)}; give "
                "images of as many channels and pixels as the decoder's output is for"
            )
        return log_prob(self.parameters, x, self.levels)

    def _level(self, x: Tensor) -> Tensor:
        """The nearest level, as a part of the range."""
        highest = self.levels - 1
        return (x * highest).round().clamp(0, highest) / highest

    def _images(self, pixels: Float[Tensor, "batch channel pixel"]) -> Tensor:
        return pixels.reshape(*pixels.shape[:2], *self.parameters.shape[2:])
