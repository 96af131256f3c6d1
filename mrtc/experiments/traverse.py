"""Traversals of one example at chosen betas."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure

from mrtc.datasets.examples import FactorExamples
from mrtc.devices import resolve_device
from mrtc.errors import MrtcError
from mrtc.experiments.data import DATASETS, Dataset, load_data
from mrtc.experiments.run import load_vae
from mrtc.plots import traversal_grids


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
    """Decodings of one example while one code moves and the others stay, at each beta.

    Every row is a code, sorted by its rate at the first beta, and keeps its place at every beta;
    the first row shows the example and what is made of it.

    Args:
        checkpoint: As ``mrtc train`` wrote it.
        betas: One panel each.
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
    part = DATASETS[config.dataset].default_part
    dataset = load_data(config.dataset, data, resolve_device("cpu"), part=part, quiet=quiet)
    if example is None:
        example = _middle(dataset)
    if not 0 <= example < len(dataset):
        raise MrtcError(
            f"there is no example {example}; {config.dataset} has 0 to {len(dataset) - 1}"
        )
    image = dataset.images(torch.tensor([example]))
    values = torch.linspace(-span, span, columns)
    order: list[int] = []
    panels = []
    with torch.inference_mode():
        for beta in betas:
            rate = torch.tensor([beta], dtype=torch.float32)
            posterior = vae.encode(image, rate)
            order = order or posterior.rate()[0].argsort(descending=True).tolist()
            z = posterior.mean.repeat(len(order), columns, 1)
            for row, code in enumerate(order):
                z[row, :, code] = values
            decoded = vae.decode(z.flatten(0, 1), rate).mean
            panels.append(decoded.reshape(len(order), columns, *decoded.shape[-2:]).numpy())
    return traversal_grids(
        np.stack(panels),
        [f"beta {beta:g}" for beta in betas],
        [f"code {code}" for code in order],
        [f"{value:.1f}" for value in values],
        f"{dataset.source}, example {example}",
    )


def _middle(dataset: Dataset) -> int:
    if not isinstance(dataset, FactorExamples):
        return 0
    return int(dataset.grid.index(np.array([size // 2 for size in dataset.grid.sizes])))
