"""Grey images made binary: each pixel is 1 with the probability of its grey value.

Binary likelihoods are of binary images. Training sees other draws each time, so that a model does
not learn the draws by heart; likelihoods are reported for one fixed draw of each image, so that
they can be compared. Loaders return grey images as published; whoever gives a data set its name
wraps them, the training part with ``is_fresh`` and the others without.
"""

import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from mrtc.datasets.bits import unpack
from mrtc.datasets.images import ByteImages
from mrtc.randomness import numpy_stream

SEED = 777
"""The seed of published evaluations. Their draws come from another generator, which has drawn for
validation images before, so only the distribution is theirs."""

ROWS = 1000
"""Images that are drawn at a time; the draws do not depend on it."""


@dataclass(frozen=True, eq=False)
class Binarised:
    """Binary versions of grey images, fixed, and in training fresh.

    References:
        Salakhutdinov and Murray, "On the Quantitative Analysis of Deep Belief Networks",
        ICML 2008 (pixels as probabilities). Burda, Grosse, Salakhutdinov, "Importance Weighted
        Autoencoders", ICLR 2016 (anew at every access). Tomczak and Welling, "VAE with a
        VampPrior", AISTATS 2018 (fixed by the seed 777 for evaluation).
    """

    examples: ByteImages
    """The grey images."""

    is_fresh: bool
    """Whether ``draw`` binarises anew; if not, it gives the fixed images."""

    seed: int = SEED
    """Of the fixed images."""

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Of one image: channels, rows, columns."""
        return self.examples.image_shape

    @property
    def source(self) -> str:
        """Where the images come from and how they were made binary."""
        fixed = f"{self.examples.source}, binarised by chance (seed {self.seed})"
        return f"{fixed}, in training anew" if self.is_fresh else fixed

    @cached_property
    def checksum(self) -> str:
        """CRC-32 of the fixed images, packed, as ``crc32:`` and eight hexadecimal digits."""
        return f"crc32:{zlib.crc32(self._fixed.numpy(force=True).data):08x}"

    @cached_property
    def _fixed(self) -> UInt8[Tensor, "example byte"]:
        # All at once and on the CPU: so an image depends neither on the order of access nor on
        # the device. 60,000 images of 784 pixels take half a second, and are 6 MB.
        generator = numpy_stream(self.seed, "binarised")
        pixels = self.examples.pixels.flatten(1).numpy(force=True)
        packed = []
        for start in range(0, len(pixels), ROWS):
            grey = pixels[start : start + ROWS]
            uniform = generator.random(grey.shape, np.float32)
            packed.append(np.packbits(255 * uniform < grey, axis=1))
        return torch.from_numpy(np.concatenate(packed)).to(self.examples.pixels.device)

    def to(self, device: torch.device | str) -> "Binarised":
        """The same images on another device."""
        return Binarised(self.examples.to(device), self.is_fresh, self.seed)

    def images(self, index: Int[Tensor, " batch"]) -> Float[Tensor, "batch channel row column"]:
        """The fixed images at some positions, in {0, 1}, on the device of the data set."""
        channels, rows, columns = self.image_shape
        bits = unpack(self._fixed[index.to(self._fixed.device)])
        return bits[:, : channels * rows * columns].reshape(-1, channels, rows, columns)

    def draw(
        self, index: Int[Tensor, " batch"], generator: torch.Generator
    ) -> Float[Tensor, "batch channel row column"]:
        """What training sees of these images; ``generator`` is of their device."""
        if not self.is_fresh:
            return self.images(index)
        return torch.bernoulli(self.examples.images(index), generator=generator)
