"""A VAE whose codes come in groups, each given those above it."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from mrtc.architectures.nvae import NVAEDecoder, NVAEEncoder
from mrtc.distributions import DiagonalGaussian, LikelihoodName
from mrtc.rates import BetaRange
from mrtc.vae import VAE, Inference


class HierarchicalVAE(VAE):
    r"""Latent groups from the top down, with whitened codes; all else as in :class:`mrtc.vae.VAE`.

    .. math:: q(u|x) = \prod_l q(u_l | u_{<l}, x), \qquad p(u) = \prod_l N(u_l; 0, I)

    The codes of all groups follow one another in ``z``, see :mod:`mrtc.hierarchy`. As the posterior
    of a group depends on the draws of those above it, a rate needs draws: :meth:`infer` gives a
    draw with the moments along its way, and the mean of their ``rate()`` over draws is the rate.
    :meth:`encode` follows the posterior means, as one does for traversals.

    Args:
        encoder: Bottom up.
        decoder: Top down; it has the posterior's layers too, which read the decoder's state.
        betas: The range it is trained for.
        likelihood: Of an example given its codes.
    """

    decoder: NVAEDecoder

    def __init__(
        self,
        encoder: NVAEEncoder,
        decoder: NVAEDecoder,
        betas: BetaRange,
        likelihood: LikelihoodName = "bernoulli",
    ) -> None:
        codes = sum(group.codes for group in decoder.groups)
        super().__init__(encoder, decoder, codes, betas, likelihood)
        self.groups = decoder.groups
        # Cells are of many small convolutions, which are faster with channels last everywhere.
        # torch's types leave this form of to() out.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def posterior(
        self, stem: Shaped[Tensor, "batch *stem"], beta: Float[Tensor, " group"] | float
    ) -> DiagonalGaussian:
        """Moments along the way of the posterior means; not those of a draw."""
        noise = torch.zeros(len(stem), self.codes, device=stem.device)
        return self.infer(stem, beta, noise).posterior

    def infer(
        self,
        stem: Shaped[Tensor, "batch *stem"],
        beta: Float[Tensor, " group"] | float,
        noise: Float[Tensor, "batch code"],
    ) -> Inference:
        """Draws group after group; the posterior's moments are those along the way."""
        rate_code = self._rate_code(beta, stem.device)
        features = self.encoder.from_stem(stem, rate_code)
        found = self.decoder.infer(features, noise, rate_code)
        posterior = DiagonalGaussian(found.mean, found.log_sigma)
        return Inference(posterior, found.z, self._likelihood(found.output, rate_code))
