"""Random numbers from one seed: each use has a stream of its own, named by a path.

A stream depends on the seed and on its path only, never on what was drawn before. So a run that
is resumed at step 700 draws what the uninterrupted run drew at step 700, with nothing to restore.
"""

from hashlib import blake2b

import numpy as np
import torch


def torch_stream(
    seed: int, *path: str | int, device: torch.device | str = "cpu"
) -> torch.Generator:
    """A generator for ``torch``, for example ``torch_stream(seed, "noise", step)``."""
    return torch.Generator(device).manual_seed(_digest(seed, path))


def numpy_stream(seed: int, *path: str | int) -> np.random.Generator:
    """A generator for ``numpy``, of the same kind."""
    return np.random.default_rng(_digest(seed, path))


def _digest(seed: int, path: tuple[str | int, ...]) -> int:
    digest = blake2b(repr((seed, *path)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1  # below 2 ** 63, as torch wants it
