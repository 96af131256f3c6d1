"""Hierarchies for tests: a small NVAE, and two linear groups of which everything is known."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mrtc.architectures import build_networks
from mrtc.architectures.nvae import NVAEDecoder, NVAEEncoder
from mrtc.distributions import DiagonalGaussian, Gaussian
from mrtc.experiments import RunConfig, preset
from mrtc.experiments.run import build_vae
from mrtc.hierarchical_vae import HierarchicalVAE
from mrtc.hierarchy import LatentGroup
from mrtc.rates import BetaRange
from mrtc.training import Checkpoint, TrainingState
from mrtc.vae import VAE, Inference
from tests.hierarchies import SMALL
from tests.references.image_networks import shake
from tests.toys import Crosses


def small_hierarchy(*, flows: int = 0) -> HierarchicalVAE:
    """Untrained, in evaluation mode, with statistics as after some training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder, decoder = build_networks((1, 8, 8), replace(SMALL, flows=flows))
    assert isinstance(encoder, NVAEEncoder)
    assert isinstance(decoder, NVAEDecoder)
    shake(encoder, torch.Generator().manual_seed(1))
    shake(decoder, torch.Generator().manual_seed(2))
    with torch.no_grad():  # so that codes differ in how active they are
        for stage in decoder.stages:
            stage.to_posterior.layer.bias.normal_(0, 0.3, generator=torch.manual_seed(3))
    return HierarchicalVAE(encoder, decoder, BetaRange(0.1, 10.0)).eval()


def own_images(folder: Path) -> Path:
    """Crosses, four of each, as somebody's own images."""
    pixels = Crosses().images(torch.arange(64)).numpy()[:, 0]
    path = folder / "images.npz"
    np.savez(path, images=(255 * np.tile(pixels, (4, 1, 1))).astype(np.uint8))
    return path


def hierarchy_config() -> RunConfig:
    """A small hierarchy of those."""
    return replace(
        preset("binarized-mnist", "quick", "beta"),
        dataset="images",
        image_size=8,
        image_shape=(1, 8, 8),
        model=SMALL,
        betas=BetaRange(0.1, 10.0),
    )


def save_hierarchy(path: Path) -> Path:
    """Its checkpoint, untrained, but with gates that depend on beta."""
    config = hierarchy_config()
    vae, noise = build_vae(config), torch.manual_seed(5)
    with torch.no_grad():
        for weight in vae.parameters():
            weight += 0.2 * torch.randn(weight.shape, generator=noise)
    Checkpoint(config.to_json(), vae.state_dict(), TrainingState()).save(path)
    return path


class Stem(nn.Module):
    """Nothing is known before beta."""

    def stem(self, x: Tensor) -> Tensor:
        return x

    def from_stem(self, stem: Tensor, _rate_code: Tensor) -> tuple[Tensor, ...]:
        return (stem,)


class TwoGroups(VAE):
    r"""x = a u_1 + s u_2 + noise, with two groups of one code and the exact posterior.

    ``width`` scales its sigma, which is then no longer exact; beta does nothing.
    """

    top, below, sigma = 1.5, 0.7, 0.4

    def __init__(self, width: float = 1.0) -> None:
        super().__init__(Stem(), nn.Identity(), 2, BetaRange(0.1, 10.0))
        self.groups = (LatentGroup(1, 1), LatentGroup(1, 1))
        self.width = width

    @property
    def variance(self) -> float:
        """Of x."""
        return self.top**2 + self.below**2 + self.sigma**2

    def posterior(self, stem: Tensor, beta: Tensor | float) -> DiagonalGaussian:
        return self.infer(stem, beta, torch.zeros(len(stem), 2)).posterior

    def infer(self, stem: Tensor, _beta: Tensor | float, noise: Tensor) -> Inference:
        x, eps = stem.flatten(1).double(), noise.double()
        rest = self.below**2 + self.sigma**2
        mean_1 = self.top * x[:, :1] / self.variance
        sigma_1 = self.width * math.sqrt(rest / self.variance)
        u_1 = mean_1 + sigma_1 * eps[:, :1]
        mean_2 = self.below * (x - self.top * u_1) / rest
        sigma_2 = self.width * self.sigma / math.sqrt(rest)
        u_2 = mean_2 + sigma_2 * eps[:, 1:]
        log_sigma = torch.tensor([[sigma_1, sigma_2]]).double().log().expand(len(x), -1)
        means = self.top * u_1 + self.below * u_2
        likelihood = Gaussian(
            means[..., None, None], torch.full((len(x),), math.log(self.sigma)).double()
        )
        posterior = DiagonalGaussian(torch.cat([mean_1, mean_2], 1), log_sigma)
        return Inference(posterior, torch.cat([u_1, u_2], 1), likelihood)
