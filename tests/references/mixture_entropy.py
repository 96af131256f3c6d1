"""The entropy of a Gaussian mixture, written down as it is defined."""

import numpy as np
from jaxtyping import Float
from scipy.special import entr
from scipy.stats import norm


def mixture_entropy(
    mean: Float[np.ndarray, " component"], sigma: Float[np.ndarray, " component"]
) -> float:
    """-∫ p log p, in nats, by an eight-point Gauss rule between neighbouring breakpoints.

    The breakpoints are every component's mean ± 0, 1, ..., 10 sigmas, so each component is
    resolved wherever it matters. The density is the plain mean over all components.
    """
    breaks = np.unique(mean[:, None] + sigma[:, None] * np.arange(-10, 11))
    nodes, weights = np.polynomial.legendre.leggauss(8)
    half = np.diff(breaks)[:, None] / 2
    z = (breaks[:-1, None] + half + half * nodes).ravel()
    parts = np.array_split(z, 1 + z.size // 10_000)
    density = np.concatenate([norm.pdf(part[:, None], mean, sigma).mean(1) for part in parts])
    return float(((half * weights).ravel() * entr(density)).sum())
