"""Traversals of one example at chosen betas."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from mrtc.datasets.examples import FactorExamples, Images
from mrtc.experiments.latent_groups import ChosenCodes, chosen_codes
from mrtc.experiments.pictures import decoded, load_examples, require_examples
from mrtc.experiments.run import load_vae
from mrtc.plots.traversal import Traversal
from mrtc.vae import VAE

MOST_OF_GROUP = 10
"""Rows of a hierarchy's traversal, unless another number is asked for."""


def traverse(
    checkpoint: Path | str,
    *,
    betas: Float[np.ndarray, " beta"],
    example: int | None = None,
    group: int | None = None,
    codes: int | None = None,
    span: float = 2.0,
    columns: int = 9,
    data: Path | str | None = None,
    extrapolate: bool = False,
    quiet: bool = False,
) -> Figure:
    """The picture of :func:`traversal`, which takes the same arguments: a panel for each beta.

    Raises:
        BetaError: If a beta lies outside the trained range and ``extrapolate`` is not set.
        MrtcError: If there is no such example or group.
    """
    return traversal(
        checkpoint,
        betas=betas,
        example=example,
        group=group,
        codes=codes,
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
    group: int | None = None,
    codes: int | None = None,
    span: float = 2.0,
    columns: int = 9,
    data: Path | str | None = None,
    extrapolate: bool = False,
    quiet: bool = False,
) -> Traversal:
    """Decodings of one example while one code moves and the others stay, at each beta.

    Every row is a code, sorted by its rate at the first beta, and keeps its place at every beta.
    Of a hierarchy these are codes of one group. All start from those along the way of posterior
    means, and what is left in place are whitened codes, so the groups below follow the prior that
    the moved code gives them. Rates, too, are those along that way: they put the rows in order.

    Args:
        checkpoint: As ``mrtc train`` wrote it.
        betas: A grid of images each.
        example: Index of the example; by default that in the middle of the grid, or the first.
        group: Of a hierarchy, whose codes move, counted from the top; the top one by default.
        codes: Rows, of the codes with the greatest rates; by default all, or 10 of a hierarchy,
            whose groups have hundreds.
        span: Codes move from ``-span`` to ``span``, in standard deviations of the prior.
        columns: Values of each code.
        data: The dataset's official file, where it is at hand.
        extrapolate: Allow betas outside the trained range.
        quiet: Show no progress.

    Raises:
        BetaError: If a beta lies outside the trained range and ``extrapolate`` is not set.
        MrtcError: If there is no such example or group.
    """
    vae, config, _ = load_vae(checkpoint)
    config.betas.require(betas.tolist(), extrapolate=extrapolate)
    moving = chosen_codes(vae.groups, vae.codes, group)
    dataset = load_examples(config, data, quiet=quiet)
    if example is None:
        example = _middle(dataset)
    require_examples([example], dataset, config)
    image = dataset.images(torch.tensor([example]))
    values = torch.linspace(-span, span, columns)
    with torch.inference_mode():
        rate = vae.encode(image, torch.tensor([float(betas[0])])).rate()[0, moving.where]
    most = codes or (MOST_OF_GROUP if vae.groups else None)
    order = rate.argsort(descending=True)[:most].tolist()

    def moved(vae: VAE, beta: Tensor) -> Tensor:
        z = vae.encode(image, beta).mean.repeat(len(order), columns, 1)
        for row, code in enumerate(order):
            z[row, :, moving.where.start + code] = values
        return z.flatten(0, 1)

    images = decoded(vae, betas, moved)
    return Traversal(
        betas,
        images.reshape(len(betas), len(order), columns, *images.shape[2:]),
        tuple(map(moving.name, order)),
        tuple(f"{value:.1f}" for value in values),
        f"{dataset.source}, example {example}{_note(moving)}",
    )


def _note(moving: ChosenCodes) -> str:
    """What a title says of a hierarchy."""
    if moving.group is None:
        return ""
    return f"; codes of {moving.title}; groups below keep their whitened codes"


def _middle(dataset: Images) -> int:
    if not isinstance(dataset, FactorExamples):
        return 0
    return int(dataset.grid.index(np.array([size // 2 for size in dataset.grid.sizes])))
