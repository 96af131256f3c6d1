"""Spectral regularisation: a penalty on how much layers can amplify what they are given."""

from collections import defaultdict
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- the name everybody knows
from torch.nn.modules.batchnorm import _BatchNorm

from mrtc.errors import MrtcError
from mrtc.layers.gated import CONVOLUTIONS
from mrtc.layers.normalised import NormalisedConv2d
from mrtc.randomness import torch_stream

ITERATIONS = 4
"""Of the power method at a step: weights move little between two of them."""

FIRST_ITERATIONS = 40
"""At the first step, when the vectors are random."""

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)

Matrices = Float[Tensor, "layer feature rest"]
Vectors = Float[Tensor, "layer feature"]


class SpectralPenalty:
    r"""A weight times the sum of what the layers of a network amplify at most.

    .. math:: \lambda \Bigl( \sum_{W} s_{\max}(W) + \sum_{\gamma} \max_c |\gamma_c| \Bigr)

    with :math:`W` the weights that each convolution applies, as a matrix of output channels by all
    else, and :math:`\gamma` the scale of each batch normalisation. Gates are not part of the
    weights. The greatest singular values come from a few steps of the power method, whose left
    vectors are kept from one call to the next; given the vectors, the gradient is that of the
    singular value.

    Args:
        network: Whose weights are penalised.
        weight: :math:`\lambda`.
        vectors: What :meth:`vectors` gave, to go on; empty starts from random ones.
        seed: Of those.

    Raises:
        MrtcError: If the network has neither convolutions nor batch normalisation.

    References:
        Vahdat and Kautz, "NVAE", NeurIPS 2020, section 3.2; Yoshida and Miyato, "Spectral Norm
        Regularization for Improving the Generalizability of Deep Learning", 2017.
    """

    def __init__(
        self, network: nn.Module, weight: float, vectors: Mapping[str, Tensor], seed: int
    ) -> None:
        self._weight = weight
        # Layers of one shape make one batch of matrices, scales of one length one matrix.
        self._layers: dict[torch.Size, dict[str, nn.Module]] = defaultdict(dict)
        self._scales: dict[int, list[Tensor]] = defaultdict(list)
        for name, module in network.named_modules():
            if isinstance(module, CONVOLUTIONS):
                self._layers[_matrix(module).shape][name] = module
            elif isinstance(module, _BatchNorm) and module.affine:
                self._scales[module.num_features].append(module.weight)
        if not self._layers and not self._scales:
            raise MrtcError(
                "spectral regularisation is of convolutions and batch normalisation, and this "
                f"network of {len(list(network.parameters()))} weights has none; leave it out"
            )
        self._left = {
            shape: torch.stack([_start(name, shape[0], vectors, seed) for name in group])
            for shape, group in self._layers.items()
        }
        self._is_new = not vectors

    def vectors(self) -> dict[str, Tensor]:
        """The left singular vectors as they stand, by the name of the layer."""
        return {
            name: vector
            for shape, group in self._layers.items()
            for name, vector in zip(group, self._left[shape], strict=True)
        }

    def __call__(self) -> Float[Tensor, ""]:
        """The penalty of the weights as they stand; the vectors follow them."""
        parts = []
        for shape, group in self._layers.items():
            matrices = torch.stack([_matrix(layer) for layer in group.values()])
            left, right = self._singular_vectors(matrices.detach(), self._left[shape])
            self._left[shape] = left
            parts.append((left * (matrices @ right[..., None])[..., 0]).sum())
        self._is_new = False
        parts += [torch.stack(of_one).abs().amax(1).sum() for of_one in self._scales.values()]
        return self._weight * torch.stack(parts).sum()

    @torch.no_grad()
    def _singular_vectors(self, matrices: Matrices, left: Vectors) -> tuple[Tensor, Tensor]:
        """Of the greatest singular values, after some more steps of the power method."""
        before = left = left.to(matrices)
        for _ in range(FIRST_ITERATIONS if self._is_new else ITERATIONS):
            # Rows times matrices are twice as fast as transposed matrices times columns.
            right = F.normalize((left[:, None] @ matrices)[:, 0], dim=1)
            left = F.normalize((matrices @ right[..., None])[..., 0], dim=1)
        # Of weights that are all zero the vector stays, to find them when they have moved.
        return torch.where(left.any(1, keepdim=True), left, before), right


def _matrix(layer: nn.Module) -> Float[Tensor, "feature rest"]:
    """The weights that a convolution applies, output channels first."""
    if isinstance(layer, NormalisedConv2d):
        return layer.normalised_weight.flatten(1)
    weight = layer.get_parameter("weight")
    return (weight.transpose(0, 1) if isinstance(layer, TRANSPOSED) else weight).flatten(1)


def _start(name: str, features: int, vectors: Mapping[str, Tensor], seed: int) -> Tensor:
    if name in vectors:
        return vectors[name]
    return torch.randn(features, generator=torch_stream(seed, "spectral", name))
