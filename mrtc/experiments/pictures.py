"""Samples, reconstructions and interpolations of checkpoints at chosen betas."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mrtc.datasets.examples import Images
from mrtc.devices import resolve_device
from mrtc.errors import DataError, MrtcError
from mrtc.experiments.code_paths import along_circle, along_line
from mrtc.experiments.config import RunConfig
from mrtc.experiments.data import DATASETS, load_images
from mrtc.experiments.shown_models import load_shown
from mrtc.plots.pictures import ModelImages, Picture
from mrtc.randomness import numpy_stream, torch_stream
from mrtc.vae import VAE

Paths = Sequence[Path | str]
Codes = Callable[[VAE, Float[Tensor, "1"]], Float[Tensor, "column code"]]
"""What a model is to decode at a beta."""


@dataclass(frozen=True)
class _Model:
    """A checkpoint, and the betas it is drawn at."""

    name: str
    vae: VAE
    config: RunConfig
    beta: Float[np.ndarray, " beta"]

    def at_each_beta(self, codes: Codes) -> ModelImages:
        """The codes, decoded to images."""
        return ModelImages(self.name, self.beta, decoded(self.vae, self.beta, codes))


def sample(
    checkpoints: Paths,
    *,
    betas: Float[np.ndarray, " beta"],
    count: int = 8,
    seed: int = 0,
    temperature: float = 1.0,
    extrapolate: bool = False,
) -> Picture:
    """Means of the likelihood at draws from the prior, the same draws at every beta.

    Models of as many codes have the same draws too; the title says where they have not.

    Args:
        checkpoints: As ``mrtc train`` wrote them; one or more, of one dataset.
        betas: Of the multi-rate models; a baseline is drawn at its own beta.
        count: Draws.
        seed: Of the draws.
        temperature: Standard deviation of the draws, see :meth:`mrtc.vae.VAE.draw_prior`.
        extrapolate: Allow betas outside the trained range.

    Raises:
        BetaError: If a beta lies outside a model's range and ``extrapolate`` is not set.
        CheckpointError: If a checkpoint cannot be used.
        MrtcError: If the checkpoints are of different datasets, or the temperature is not positive.

    References:
        Bae et al., "Multi-Rate VAE", ICLR 2023, figure 7.
    """
    models = _load(checkpoints, betas, extrapolate=extrapolate)
    sizes = sorted({model.vae.codes for model in models})
    noise = partial(torch_stream, seed, "samples")
    title = "samples, from the same draws of the codes"
    if temperature != 1:
        title += f" at temperature {temperature:g}"
    if len(sizes) > 1:
        title += f"; models of {' and '.join(map(str, sizes))} codes have different draws"
    return Picture(
        tuple(
            model.at_each_beta(lambda vae, _: vae.draw_prior(count, noise(), temperature))
            for model in models
        ),
        title,
    )


def reconstruct(
    checkpoints: Paths,
    *,
    betas: Float[np.ndarray, " beta"],
    examples: Sequence[int] | None = None,
    count: int = 8,
    seed: int = 0,
    data: Path | str | None = None,
    extrapolate: bool = False,
    quiet: bool = False,
) -> Picture:
    """Examples, and what the models make of them: their posterior means, decoded.

    Args:
        checkpoints: As ``mrtc train`` wrote them; one or more, of one dataset.
        betas: Of the multi-rate models; a baseline is drawn at its own beta.
        examples: Their indices, of the test part where there is one; drawn, by default.
        count: Of the examples, where they are drawn.
        seed: Of the drawing.
        data: The dataset's official file, where it is at hand.
        extrapolate: Allow betas outside the trained range.
        quiet: Show no progress.

    Raises:
        BetaError: If a beta lies outside a model's range and ``extrapolate`` is not set.
        CheckpointError: If a checkpoint cannot be used.
        MrtcError: If the checkpoints are of different datasets, or there is no such example.
    """
    models = _load(checkpoints, betas, extrapolate=extrapolate)
    dataset = load_examples(models[0].config, data, quiet=quiet)
    if examples is None:
        count = min(count, len(dataset))
        chosen = numpy_stream(seed, "examples").choice(len(dataset), count, replace=False)
        examples = sorted(chosen.tolist())
    require_examples(examples, dataset, models[0].config)
    images = dataset.images(torch.tensor(list(examples)))
    return Picture(
        tuple(
            model.at_each_beta(lambda vae, beta: vae.encode(images, beta).mean) for model in models
        ),
        f"{dataset.source}; numbers are of examples",
        pixels(images),
        tuple(map(str, examples)),
    )


def interpolate(
    checkpoint: Path | str,
    first: int,
    last: int,
    *,
    betas: Float[np.ndarray, " beta"],
    columns: int = 9,
    spherical: bool = False,
    data: Path | str | None = None,
    extrapolate: bool = False,
    quiet: bool = False,
) -> Picture:
    """Decodings of codes between the posterior means of two examples.

    Args:
        checkpoint: As ``mrtc train`` wrote it.
        first: Index of an example, of the test part where there is one.
        last: That of the other.
        betas: A row each.
        columns: Steps from one to the other, both included.
        spherical: Along a circle about the origin instead of a line, see ``code_paths.py``.
        data: The dataset's official file, where it is at hand.
        extrapolate: Allow betas outside the trained range.
        quiet: Show no progress.

    Raises:
        BetaError: If a beta lies outside the model's range and ``extrapolate`` is not set.
        CheckpointError: If the checkpoint cannot be used.
        MrtcError: If there is no such example.
    """
    (model,) = _load([checkpoint], betas, extrapolate=extrapolate)
    dataset = load_examples(model.config, data, quiet=quiet)
    require_examples([first, last], dataset, model.config)
    ends = dataset.images(torch.tensor([first, last]))
    steps = torch.linspace(0, 1, columns)
    between = along_circle if spherical else along_line

    def path(vae: VAE, beta: Tensor) -> Tensor:
        mean = vae.encode(ends, beta).mean
        return between(mean[0], mean[1], steps)

    originals = np.ones((columns, *pixels(ends).shape[1:]), np.float32)
    originals[[0, -1]] = pixels(ends)
    way = "along a circle" if spherical else "along a line"
    return Picture(
        (model.at_each_beta(path),),
        f"{dataset.source}, from example {first} to {last} {way}",
        originals,
        tuple(f"{step:.2g}" for step in steps.tolist()),
    )


def decoded(
    vae: VAE, betas: Float[np.ndarray, " beta"], codes: Codes
) -> Float[np.ndarray, "beta column height width *channel"]:
    """Means of the likelihood at each beta, of the codes that ``codes`` gives there."""
    rows = []
    with torch.inference_mode():
        for beta in betas.tolist():
            rate = torch.tensor([beta])  # not a number: the range is checked before
            rows.append(pixels(vae.mean(codes(vae, rate), rate)))
    return np.stack(rows)


def pixels(
    images: Float[Tensor, "batch channel row column"],
) -> Float[np.ndarray, "batch row column *colour"]:
    """Images as pictures take them: grey ones without channels, coloured ones with them last.

    Raises:
        MrtcError: If they have neither 1 nor 3 channels.
    """
    channels = images.shape[1]
    if channels not in (1, 3):
        raise MrtcError(
            f"images of {channels} channels cannot be drawn; pictures are for images of 1 or 3"
        )
    drawn = images.float().cpu()
    return (drawn[:, 0] if channels == 1 else drawn.movedim(1, -1)).numpy()


def load_examples(config: RunConfig, data: Path | str | None, *, quiet: bool) -> Images:
    """What a model is shown on: the test part of its dataset, or the whole without parts.

    Raises:
        DataError: If the data cannot be had, or are of another shape than the model's.
    """
    part = DATASETS[config.dataset].default_part
    dataset = load_images(config, data, resolve_device("cpu"), part=part, quiet=quiet)
    if config.image_shape not in (None, dataset.image_shape):
        raise DataError(
            f"{data} holds images of shape {dataset.image_shape}, and the model was trained on "
            f"shape {config.image_shape}; give the data that it was trained on with --data"
        )
    return dataset


def require_examples(examples: Sequence[int], dataset: Images, config: RunConfig) -> None:
    """Checks that examples are there.

    Raises:
        MrtcError: If one is not.
    """
    for example in examples:
        if not 0 <= example < len(dataset):
            raise MrtcError(
                f"there is no example {example}; {config.dataset} has 0 to {len(dataset) - 1}"
            )


def _load(
    checkpoints: Paths, betas: Float[np.ndarray, " beta"], *, extrapolate: bool
) -> list[_Model]:
    """The models, under names that tell them apart."""
    models = [
        _Model(shown.name, shown.vae, shown.config, shown.beta)
        for shown in load_shown(checkpoints, betas, extrapolate=extrapolate)
    ]
    if len({(model.config.dataset, model.config.image_shape) for model in models}) > 1:
        seen = ", ".join(f"{model.name} of {model.config.dataset}" for model in models)
        raise MrtcError(
            f"these checkpoints are of different images: {seen}; draw those of the same together"
        )
    return models
