"""What a model's samples are in the features of a network, from the same noise at every beta."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from mrtc.evaluation.feature_networks import FeatureNetwork
from mrtc.evaluation.realism_config import BATCH, RealismConfig
from mrtc.progress import Progress
from mrtc.randomness import torch_stream
from mrtc.vae import VAE

FILLED = 16
"""Normal numbers that torch makes at a time on a CPU."""


class Sampler:
    """Decodes the same draws from the prior at one beta after another.

    Of the draws, only those of one batch are there at a time, made anew at each beta: all codes of
    a large hierarchy at all samples would take gigabytes.

    Args:
        vae: The model; it is moved to ``device``.
        config: The number of draws, and the seed.
        device: Where to compute.
    """

    def __init__(self, vae: VAE, config: RealismConfig, device: torch.device) -> None:
        self._vae = vae.to(device).eval()
        self._config, self._device = config, device

    @torch.inference_mode()
    def features(
        self, network: FeatureNetwork, beta: float, progress: Progress | None = None
    ) -> Float32[np.ndarray, "sample feature"]:
        """Of all samples.

        Raises:
            ValueError: If some are not finite.
        """
        rate = torch.tensor([beta], device=self._device, dtype=torch.float32)
        stream = torch_stream(self._config.seed, "realism", "noise")  # the same on every device
        features = []
        for noise in normal_parts(self._config.samples, self._vae.codes, BATCH, stream):
            features.append(network(self._vae.mean(noise.to(self._device), rate)))
            if progress is not None:
                progress.advance(len(noise), {"beta": beta})
        return np.concatenate(features)


def normal_parts(
    count: int, codes: int, rows: int, generator: torch.Generator
) -> Iterator[Float32[Tensor, "part codes"]]:
    """The numbers of ``torch.randn(count, codes, generator=generator)``, some rows at a time.

    They are the same bit for bit, whatever ``rows`` is.

    Args:
        count: Rows in all.
        codes: Numbers in each.
        rows: Of each part but the last; a multiple of 16, as numbers are made 16 at a time.
        generator: On the CPU.

    Raises:
        ValueError: If ``rows`` is no positive multiple of 16.
    """
    if rows < 1 or rows % FILLED:
        raise ValueError(
            f"normal numbers are made {FILLED} at a time, and parts of {rows} rows would have "
            f"others than the whole; choose a multiple of {FILLED}"
        )
    left = count
    while left:
        # torch makes the last 16 numbers of a tensor anew if their count is no multiple of 16, so
        # these must not lie in two parts: a last part that is too short is drawn with that before.
        drawn = rows if (left - rows) * codes >= FILLED else left
        yield from torch.split(torch.randn(drawn, codes, generator=generator), rows)
        left -= drawn
