"""Traversals of one example at chosen betas."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from mrtc.datasets.examples import FactorExamples, Images
from mrtc.errors import MrtcError
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
    rows: int | None = None,
    maps: bool = False,
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
        rows=rows,
        maps=maps,
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
    rows: int | None = None,
    maps: bool = False,
    span: float = 2.0,
    columns: int = 9,
    data: Path | str | None = None,
    extrapolate: bool = False,
    quiet: bool = False,
) -> Traversal:
    """Decodings of one example while one code moves and the others stay, at each beta.

    Every row is a code, sorted by its rate at the first beta, and keeps its place at every beta.
    Of a hierarchy these are codes of one group, named by their map and their row and column on it.
    They start from the codes along the way of posterior means, and what stays are whitened codes:
    the groups below follow the prior that a moved code gives them. The rates that put the rows in
    order are those along that way.

    Args:
        checkpoint: As ``mrtc train`` wrote it.
        betas: A grid of images each.
        example: Index of the example; by default that in the middle of the grid, or the first.
        group: Of a hierarchy, whose codes move, counted from the top; the top one by default.
        rows: So many, of the greatest rates; by default all codes, or 10 of a hierarchy, whose
            groups have hundreds.
        maps: Of a hierarchy, move all codes of a map together, each by as much.
        span: Codes move from ``-span`` to ``span``, in standard deviations of the prior; those of
            maps by so much from where they are.
        columns: Values of each code.
        data: The dataset's official file, where it is at hand.
        extrapolate: Allow betas outside the trained range.
        quiet: Show no progress.

    Raises:
        BetaError: If a beta lies outside the trained range and ``extrapolate`` is not set.
        MrtcError: If there is no such example or group, or maps of a model without groups.
    """
    vae, config, _ = load_vae(checkpoint)
    config.betas.require(betas.tolist(), extrapolate=extrapolate)
    moving = chosen_codes(vae.groups, vae.codes, group)
    if maps and moving.group is None:
        raise MrtcError(
            f"{checkpoint} has no latent groups, and so no maps of codes; leave out --maps"
        )
    dataset = load_examples(config, data, quiet=quiet)
    if example is None:
        example = _middle(dataset)
    require_examples([example], dataset, config)
    image = dataset.images(torch.tensor([example]))
    values = torch.linspace(-span, span, columns)
    with torch.inference_mode():
        rate = vae.encode(image, torch.tensor([float(betas[0])])).rate()[0, moving.where]
    size = moving.map_size if maps else 1
    most = rows or (MOST_OF_GROUP if vae.groups else None)
    order = rate.reshape(-1, size).sum(1).argsort(descending=True)[:most].tolist()

    def moved(vae: VAE, beta: Tensor) -> Tensor:
        z = vae.encode(image, beta).mean.repeat(len(order), columns, 1)
        for row, at in enumerate(order):
            codes = z[row, :, moving.where.start + at * size :][:, :size]
            codes[:] = values[:, None] + (codes if maps else 0)
        return z.flatten(0, 1)

    images = decoded(vae, betas, moved)
    return Traversal(
        betas,
        images.reshape(len(betas), len(order), columns, *images.shape[2:]),
        tuple(f"map {at}" if maps else moving.name(at) for at in order),
        tuple(f"{value:.1f}" for value in values),
        f"{dataset.source}, example {example}{_note(moving, maps=maps)}",
    )


def _note(moving: ChosenCodes, *, maps: bool) -> str:
    """What a title says of a hierarchy."""
    if moving.group is None:
        return ""
    what = "whole maps" if maps else "codes"
    is_last = moving.group == len(moving.groups) - 1
    below = "" if is_last else "; groups below keep their whitened codes"
    return f"; {what} of {moving.title}{below}"


def _middle(dataset: Images) -> int:
    if not isinstance(dataset, FactorExamples):
        return 0
    return int(dataset.grid.index(np.array([size // 2 for size in dataset.grid.sizes])))
