"""Pictures of a checkpoint at the betas of its results file, kept in that file."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from mrtc.datasets.examples import Images
from mrtc.errors import MrtcError
from mrtc.evaluation.recalibration import has_batch_norm
from mrtc.experiments.latent_groups import ChosenCodes, chosen_codes
from mrtc.experiments.pictures import load_examples, pixels
from mrtc.experiments.run import load_vae, read_config
from mrtc.progress import Progress
from mrtc.randomness import numpy_stream, torch_stream
from mrtc.results import Results, read
from mrtc.results.groups import group_parameters
from mrtc.results.pictures import StoredPictures, require_same_model, write_pictures
from mrtc.training import Checkpoint
from mrtc.vae import VAE

MOST_BETAS = 20
"""Betas with pictures, unless another number is asked for."""
EXAMPLES, SAMPLES, CODES, VALUES = 8, 16, 10, 9
"""Examples that are reconstructed, draws, codes that move, and places they move to."""
SPAN = 2.0
"""Codes move so many standard deviations of the prior each way."""


def require_pictures(checkpoint: Path | str) -> None:
    """Checks, before long work, that a checkpoint can make pictures.

    Raises:
        CheckpointError: If it cannot be used.
        MrtcError: If it is of documents.
    """
    config = read_config(Checkpoint.load(Path(checkpoint)), Path(checkpoint))
    if config.text is not None:
        raise MrtcError(
            f"{checkpoint} is a model of documents ({config.dataset}), which have no pictures; "
            "leave them out here, and see its texts with `mrtc sample`"
        )


def add_pictures(
    checkpoint: Path | str,
    results: Path | str,
    *,
    most: int = MOST_BETAS,
    seed: int = 0,
    data: Path | str | None = None,
    quiet: bool = False,
) -> StoredPictures:
    """Makes pictures at the evaluated betas of a results file, and keeps them in it.

    Traversals of a hierarchy are of codes of the group that the file keeps.

    The same examples and the same draws from the prior at every beta; examples and draws of two
    models of as many codes with the same ``seed`` are the same too.

    Args:
        checkpoint: That the file was evaluated from.
        results: The file (``.h5``); pictures that it has are replaced.
        most: Betas with pictures; where more are evaluated, so many spread over them.
        seed: Of the examples and the draws.
        data: The dataset's official file, where it is at hand.
        quiet: Show no progress.

    Raises:
        CheckpointError: If the checkpoint cannot be used.
        ResultsError: If the file cannot be used, is of another model, or is being written.
        DataError: If the data cannot be had, or are of another shape than the model's.
        MrtcError: If the model is of documents, or of images of neither 1 nor 3 channels.
        OutputError: If the file cannot be written.
    """
    require_pictures(checkpoint)
    vae, config, loaded = load_vae(checkpoint)
    evaluation = read(results)
    fingerprint = loaded.fingerprint()
    require_same_model(evaluation.path, evaluation.header.fingerprint, fingerprint)
    moving = chosen_codes(vae.groups, vae.codes, evaluation.header.group)
    dataset = load_examples(config, data, quiet=quiet)
    beta = _spread(evaluation, most)
    pictures = _pictures(
        *(vae, dataset, beta, moving), fingerprint=fingerprint, seed=seed, quiet=quiet
    )
    write_pictures(results, pictures)
    return pictures


def _spread(results: Results, most: int) -> Float[np.ndarray, " beta"]:
    """Evaluated betas, at most so many, both ends among them."""
    beta = results.beta[results.evaluated]
    at = np.linspace(0, len(beta) - 1, min(most, len(beta))).round().astype(int)
    chosen: Float[np.ndarray, " beta"] = beta[at]
    return chosen


def _pictures(
    vae: VAE,
    dataset: Images,
    beta: Float[np.ndarray, " beta"],
    moving: ChosenCodes,
    *,
    fingerprint: str,
    seed: int,
    quiet: bool,
) -> StoredPictures:
    count = min(EXAMPLES, len(dataset))
    drawn = numpy_stream(seed, "examples").choice(len(dataset), count, replace=False)
    example = np.sort(drawn).astype(np.int64)
    images = dataset.images(torch.from_numpy(example))
    noise = vae.draw_prior(SAMPLES, torch_stream(seed, "samples"))
    value = np.linspace(-SPAN, SPAN, VALUES)
    reconstructions, samples, traversals = [], [], []
    with torch.inference_mode(), Progress("pictures", len(beta), unit="beta", quiet=quiet) as bar:
        code = _codes(vae, images, beta, moving.where)
        places = torch.from_numpy(code + moving.where.start)
        for rate in _rates(beta):
            mean = vae.encode(images, rate).mean
            moved = _moved(mean[0], places, torch.from_numpy(value).to(mean))
            made = _bytes(vae.mean(torch.cat([mean, noise.to(mean), moved]), rate))
            parts = np.split(made, [count, count + SAMPLES])
            reconstructions.append(parts[0])
            samples.append(parts[1])
            traversals.append(parts[2].reshape(len(code), VALUES, *made.shape[1:]))
            bar.advance()
    parameters: dict[str, object] = {"seed": seed, "traversed": int(example[0])}
    if moving.group is not None:
        parameters |= group_parameters(moving.groups, moving.group)
    if has_batch_norm(vae):
        parameters["batch_norm"] = "running means of training"
    return StoredPictures(
        fingerprint=fingerprint,
        source=dataset.source,
        beta=beta,
        example=example,
        code=code,
        value=value,
        originals=_bytes(images),
        reconstructions=np.stack(reconstructions),
        samples=np.stack(samples),
        traversals=np.stack(traversals),
        parameters=parameters,
    )


def _codes(
    vae: VAE,
    images: Float[Tensor, "batch channel row column"],
    beta: Float[np.ndarray, " beta"],
    among: slice,
) -> Int[np.ndarray, " moved"]:
    """The codes that move: those of the highest rate, summed over examples and betas, in order.

    Of a hierarchy these are rates along the way of posterior means; they put codes in order only.
    """
    rates = torch.stack([vae.encode(images, rate).rate()[:, among].sum(0) for rate in _rates(beta)])
    return rates.sum(0).argsort(descending=True)[:CODES].numpy(force=True)


def _moved(
    mean: Float[Tensor, " code"], code: Int[Tensor, " moved"], value: Float[Tensor, " value"]
) -> Float[Tensor, "row code"]:
    """One code vector with each of some codes set to each value, code by code."""
    z = mean.repeat(len(code), len(value), 1)
    for row, moving in enumerate(code.tolist()):
        z[row, :, moving] = value
    return z.flatten(0, 1)


def _rates(beta: Float[np.ndarray, " beta"]) -> list[Float[Tensor, "1"]]:
    return [torch.tensor([one]) for one in beta.tolist()]


def _bytes(
    images: Float[Tensor, "batch channel row column"],
) -> UInt8[np.ndarray, "batch row column *colour"]:
    """Images in [0, 1] as bytes; values outside, which a linear decoder can give, are clipped."""
    return (pixels(images).clip(0, 1) * 255).round().astype(np.uint8)
