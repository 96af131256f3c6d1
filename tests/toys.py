"""A dataset and a model small enough to train in a test."""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mrtc.architectures import MLPConfig, MLPDecoder, MLPEncoder
from mrtc.factors import FactorGrid
from mrtc.randomness import torch_stream
from mrtc.rates import BetaRange
from mrtc.vae import VAE

SHAPE = (1, 8, 8)


@dataclass(frozen=True)
class Crosses:
    """A lit row and a lit column on an 8 x 8 canvas, and a factor that never varies."""

    grid: FactorGrid = field(default=FactorGrid(("colour", "x", "y"), (1, 8, 8)))
    source: str = "crosses"

    def __len__(self) -> int:
        return len(self.grid)

    def images(self, index: Int[Tensor, " batch"]) -> Float[Tensor, "batch 1 8 8"]:
        classes = self.grid.classes(index.numpy(force=True))
        images = np.zeros((len(index), *SHAPE), np.float32)
        examples = np.arange(len(index))
        images[examples, 0, classes[:, 1]] = 1
        images[examples, 0, :, classes[:, 2]] = 1
        return torch.from_numpy(images)


def small_vae(betas: BetaRange | None = None, *, plain: bool = False, seed: int = 0) -> VAE:
    """16 hidden features, 3 codes."""
    config = MLPConfig(hidden=16, codes=3, gated="none" if plain else "inner")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.set_state(torch_stream(seed, "toy").get_state())
        encoder, decoder = MLPEncoder(SHAPE, config), MLPDecoder(SHAPE, config)
    return VAE(encoder, decoder, 3, betas or BetaRange(0.1, 10.0))
