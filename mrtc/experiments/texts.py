"""Samples, reconstructions and interpolations of models of documents, at chosen betas."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mrtc.datasets.documents import Documents
from mrtc.datasets.vocabulary import PAD
from mrtc.errors import MrtcError
from mrtc.experiments.code_paths import along_circle, along_line
from mrtc.experiments.text_models import Codes, Language, Words, load_documents, load_models
from mrtc.plots.texts import TextTable
from mrtc.randomness import numpy_stream, torch_stream
from mrtc.vae import VAE

Paths = Sequence[Path | str]


def sample(
    checkpoints: Paths,
    *,
    betas: Float[np.ndarray, " beta"],
    count: int = 4,
    seed: int = 0,
    temperature: float | None = None,
    longest: int | None = None,
    extrapolate: bool = False,
) -> TextTable:
    """Documents at draws from the prior, the same draws at every beta.

    Args:
        checkpoints: As ``mrtc train`` wrote them; one or more, of one vocabulary.
        betas: Of the multi-rate models; a baseline is shown at its own beta.
        count: Draws.
        seed: Of the draws, and of words.
        temperature: At which words are drawn; None takes the likeliest word after each other.
        longest: Words of a text at most, those of training by default; longer ones end in "…".
        extrapolate: Allow betas outside the trained range.

    Raises:
        BetaError: If a beta lies outside a model's range and ``extrapolate`` is not set.
        CheckpointError: If a checkpoint cannot be used.
        MrtcError: If the checkpoints are not of documents and one vocabulary, or the temperature
            is too low.
    """
    models = load_models(checkpoints, betas, extrapolate=extrapolate)
    words = Words(temperature, longest or models[0].language.text.longest, seed)
    title = f"samples, from the same draws of the codes; {words}"
    sizes = sorted({model.vae.codes for model in models})
    if len(sizes) > 1:
        title += f"; models of {' and '.join(map(str, sizes))} codes have different draws"

    def draws(vae: VAE, _: Tensor) -> Codes:
        noise = torch_stream(seed, "samples")
        return Codes(torch.randn(count, vae.codes, generator=noise))

    return TextTable(
        tuple(model.at_each_beta(draws, words) for model in models),
        tuple(f"draw {at + 1}" for at in range(count)),
        title,
        settings=words.settings,
    )


def reconstruct(
    checkpoints: Paths,
    *,
    betas: Float[np.ndarray, " beta"],
    texts: Sequence[str] | None = None,
    examples: Sequence[int] | None = None,
    count: int = 4,
    seed: int = 0,
    temperature: float | None = None,
    longest: int | None = None,
    data: Path | str | None = None,
    extrapolate: bool = False,
    quiet: bool = False,
) -> TextTable:
    """Documents, and what the models make of them: their posterior means, decoded.

    The table says the mean rate of the documents at each beta: where it is near zero, the code
    tells nothing of them, and all have one reconstruction.

    Args:
        checkpoints: As ``mrtc train`` wrote them; one or more, of one vocabulary.
        betas: Of the multi-rate models; a baseline is shown at its own beta.
        texts: Documents of your own, each cut as those of training were.
        examples: Without ``texts``, indices in the test part; drawn, by default.
        count: Of the examples, where they are drawn.
        seed: Of the drawing, and of words.
        temperature: At which words are drawn; None takes the likeliest word after each other.
        longest: Words of a text at most, those of training by default; longer ones end in "…".
        data: The text file or folder that the model was trained on; not needed for ``texts``.
        extrapolate: Allow betas outside the trained range.
        quiet: Show no progress.

    Raises:
        BetaError: If a beta lies outside a model's range and ``extrapolate`` is not set.
        CheckpointError: If a checkpoint cannot be used.
        DataError: If the data or the tokenizer cannot be used.
        MrtcError: If the checkpoints are not of documents and one vocabulary, there is no such
            example, a text has no word that is known, or the temperature is too low.
        ValueError: If both texts and examples are given, or none of either.
    """
    given = [one for one in (texts, examples) if one is not None]
    if len(given) > 1 or not all(given):
        raise ValueError(f"give texts or examples, at least one; got {texts} and {examples}")
    models = load_models(checkpoints, betas, extrapolate=extrapolate)
    language = models[0].language
    words = Words(temperature, longest or language.text.longest, seed, is_shared=True)
    dataset, title = None, "reconstructions"
    if texts is None:
        dataset = load_documents(language, data, quiet=quiet)
        title = f"reconstructions; {dataset.source}"
        if examples is None:
            count = min(count, len(dataset))
            drawn = numpy_stream(seed, "examples").choice(len(dataset), count, replace=False)
            examples = sorted(drawn.tolist())
    chosen: list[int | str] = [*(texts or ()), *(examples or ())]
    x, note = _tokens(chosen, language, dataset)

    def means(vae: VAE, beta: Tensor) -> Codes:
        posterior = vae.encode(x, beta)
        return Codes(posterior.mean, posterior.rate().sum(1))

    return TextTable(
        tuple(model.at_each_beta(means, words) for model in models),
        tuple(_name(one, at) for at, one in enumerate(chosen, 1)),
        f"{title}; {words}; rates are means over what is shown{note}",
        language.write(x),
        settings=words.settings | _origin(chosen, dataset),
    )


def interpolate(
    checkpoint: Path | str,
    first: int | str,
    last: int | str,
    *,
    betas: Float[np.ndarray, " beta"],
    columns: int = 5,
    spherical: bool = False,
    seed: int = 0,
    temperature: float | None = None,
    longest: int | None = None,
    data: Path | str | None = None,
    extrapolate: bool = False,
    quiet: bool = False,
) -> TextTable:
    """Decodings of codes between the posterior means of two documents.

    Args:
        checkpoint: As ``mrtc train`` wrote it.
        first: A text of your own, or the index of an example of the test part.
        last: The other, likewise.
        betas: At which to go from one to the other.
        columns: Steps from one to the other, both included.
        spherical: Along a circle about the origin instead of a line, see ``code_paths.py``.
        seed: Of words.
        temperature: At which words are drawn; None takes the likeliest word after each other.
        longest: Words of a text at most, those of training by default; longer ones end in "…".
        data: The text file or folder that the model was trained on, for indices.
        extrapolate: Allow betas outside the trained range.
        quiet: Show no progress.

    Raises:
        BetaError: If a beta lies outside the model's range and ``extrapolate`` is not set.
        CheckpointError: If the checkpoint cannot be used.
        DataError: If the data or the tokenizer cannot be used.
        MrtcError: If the checkpoint is not of documents, there is no such example, a text has no
            word that is known, or the temperature is too low.
    """
    (model,) = load_models([checkpoint], betas, extrapolate=extrapolate)
    language, ends = model.language, (first, last)
    words = Words(temperature, longest or language.text.longest, seed, is_shared=True)
    has_index = any(isinstance(end, int) for end in ends)
    dataset = load_documents(language, data, quiet=quiet) if has_index else None
    x, note = _tokens(ends, language, dataset)
    steps = torch.linspace(0, 1, columns)
    between = along_circle if spherical else along_line

    def path(vae: VAE, beta: Tensor) -> Codes:
        posterior = vae.encode(x, beta)
        start, end = posterior.mean
        return Codes(between(start, end, steps), posterior.rate().sum(1))

    way = "along a circle" if spherical else "along a line"
    source = "" if dataset is None else f"; {dataset.source}"
    start, end = language.write(x)
    return TextTable(
        (model.at_each_beta(path, words),),
        tuple(f"{step:.2g}" for step in steps.tolist()),
        f"from {_name(first, 1)} to {_name(last, 2)} {way}{source}; {words}; rates are means over "
        f"both ends{note}",
        (start, *[""] * (columns - 2), end),
        is_path=True,
        settings=words.settings | {"spherical": spherical} | _origin(ends, dataset),
    )


def _origin(chosen: Sequence[int | str], dataset: Documents | None) -> dict[str, Any]:
    """Where documents come from: texts as they were given, or indices of the data."""
    return {"encoded": list(chosen)} | ({} if dataset is None else {"data": dataset.source})


def _name(chosen: int | str, number: int) -> str:
    return f"example {chosen}" if isinstance(chosen, int) else f"text {number}"


def _tokens(
    chosen: Sequence[int | str], language: Language, dataset: Documents | None
) -> tuple[Int[Tensor, "document position"], str]:
    """Texts and examples as one batch, and a note of the words that no model knows."""
    rows, unknown = [], []
    for one in chosen:
        if isinstance(one, str):
            row, strange = language.read(one)
            unknown += strange
        elif dataset is None or not 0 <= one < len(dataset):
            last = 0 if dataset is None else len(dataset) - 1
            raise MrtcError(f"there is no example {one}; {language.config.dataset} has 0 to {last}")
        else:
            row = dataset.images(torch.tensor([one]))[0]
        rows.append(row)
    note = f"; unknown to the model: {', '.join(dict.fromkeys(unknown))}" if unknown else ""
    return pad_sequence(rows, batch_first=True, padding_value=PAD), note
