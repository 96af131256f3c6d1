"""Traversals of one example at chosen betas."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from mrtc.datasets.examples import FactorExamples, Images
from mrtc.experiments.pictures import decoded, load_examples, require_examples
from mrtc.experiments.run import load_vae
from mrtc.plots.traversal import Traversal
from mrtc.vae import VAE


def traverse(
    checkpoint: Path | str,
    *,
    betas: Float[np.ndarray, " beta"],
    example: int | None = None,
    span: float = 2.0,
    columns: int = 9,
    data: Path | str | None = None,
    extrapolate: bool = False,
    quiet: bool = False,
) -> Figure:
    """The picture of :func:`traversal`, which takes the same arguments: a panel for each beta.

    Raises:
        BetaError: If a beta lies outside the trained range and ``extrapolate`` is not set.
        MrtcError: If there is no such example.
    """
    return traversal(
        checkpoint,
        betas=betas,
        example=example,
        span=span,
        columns=columns,
        data=data,
        extrapolate=extrapolate,
        quiet=quiet,
    ).figure()


def traversal(
    checkpoint: Path | str,
    *,
    betas: Float[np.ndarray, " beta"],
    example: int | None = None,
    span: float = 2.0,
    columns: int = 9,
    data: Path | str | None = None,
    extrapolate: bool = False,
    quiet: bool = False,
) -> Traversal:
    """Decodings of one example while one code moves and the others stay, at each beta.

    Every row is a code, sorted by its rate at the first beta, and keeps its place at every beta.

    Args:
        checkpoint: As ``mrtc train`` wrote it.
        betas: A grid of images each.
        example: Index of the example; by default that in the middle of the grid, or the first.
        span: Codes move from ``-span`` to ``span``, in standard deviations of the prior.
        columns: Values of each code.
        data: The dataset's official file, where it is at hand.
        extrapolate: Allow betas outside the trained range.
        quiet: Show no progress.

    Raises:
        BetaError: If a beta lies outside the trained range and ``extrapolate`` is not set.
        MrtcError: If there is no such example.
    """
    vae, config, _ = load_vae(checkpoint)
    config.betas.require(betas.tolist(), extrapolate=extrapolate)
    dataset = load_examples(config, data, quiet=quiet)
    if example is None:
        example = _middle(dataset)
    require_examples([example], dataset, config)
    image = dataset.images(torch.tensor([example]))
    values = torch.linspace(-span, span, columns)
    with torch.inference_mode():
        rate = vae.encode(image, torch.tensor([float(betas[0])])).rate()[0]
    order = rate.argsort(descending=True).tolist()

    def moved(vae: VAE, beta: Tensor) -> Tensor:
        z = vae.encode(image, beta).mean.repeat(len(order), columns, 1)
        for row, code in enumerate(order):
            z[row, :, code] = values
        return z.flatten(0, 1)

    images = decoded(vae, betas, moved)
    return Traversal(
        betas,
        images.reshape(len(betas), len(order), columns, *images.shape[2:]),
        tuple(f"code {code}" for code in order),
        tuple(f"{value:.1f}" for value in values),
        f"{dataset.source}, example {example}",
    )


def _middle(dataset: Images) -> int:
    if not isinstance(dataset, FactorExamples):
        return 0
    return int(dataset.grid.index(np.array([size // 2 for size in dataset.grid.sizes])))
