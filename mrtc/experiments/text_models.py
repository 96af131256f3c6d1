"""Models of documents with what turns texts into their tokens, and tokens into texts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mrtc.datasets.documents import Documents
from mrtc.datasets.text import TextConfig
from mrtc.datasets.tokenisation import Tokenisation
from mrtc.datasets.vocabulary import END, START, UNKNOWN, UNKNOWN_WORDS, Vocabulary
from mrtc.devices import resolve_device
from mrtc.errors import DataError, MrtcError
from mrtc.experiments.config import RunConfig
from mrtc.experiments.data import DATASETS, load_for
from mrtc.experiments.shown_models import load_shown
from mrtc.randomness import torch_stream
from mrtc.results.texts import ModelTexts
from mrtc.token_sequences import TokenSequences
from mrtc.vae import VAE

COOLEST = 0.01
"""The least temperature; below it only the likeliest words are drawn, as without one."""

CUT = "…"
"""The end of a text that has not ended by itself."""


class Codes(NamedTuple):
    """What a model is to decode at a beta."""

    z: Float[Tensor, "column code"]
    rates: Float[Tensor, " example"] | None = None
    """Of the posteriors that the codes come from, in nats."""


@dataclass(frozen=True)
class Language:
    """How texts become tokens and tokens become texts."""

    config: RunConfig
    text: TextConfig
    vocabulary: Vocabulary
    tokenisation: Tokenisation

    def read(self, text: str) -> tuple[Int[Tensor, " position"], list[str]]:
        """The tokens of a text, cut where those of training were, and its unknown words.

        Raises:
            MrtcError: If it has no words, or none that is known.
        """
        words = self.tokenisation.split(text)[: self.text.longest]
        if not words:
            raise MrtcError(f"the text {text!r} has no words; give one to encode")
        ids = self.vocabulary.ids(words)
        unknown = [word for word, at in zip(words, ids, strict=True) if at == UNKNOWN]
        if len(unknown) == len(words):
            raise MrtcError(
                f"the model knows none of the words of {text[:80]!r}; give a text like those it "
                f"was trained on ({self.vocabulary.tokenisation} between words, capitals as there)"
            )
        unknown = [word for word in dict.fromkeys(unknown) if word not in UNKNOWN_WORDS]
        return torch.tensor([START, *ids, END]), unknown

    def write(self, tokens: Int[Tensor, "document position"]) -> tuple[str, ...]:
        """The text of each document; one without END is marked as cut."""
        texts = []
        for row in tokens.tolist():
            text = self.tokenisation.join(self.vocabulary.words(row))
            texts.append(text if END in row else f"{text} {CUT}")
        return tuple(texts)


@dataclass(frozen=True)
class Words:
    """How words are chosen: the likeliest one after another, or at a temperature by chance.

    Raises:
        MrtcError: If the temperature is too low, or not finite.
    """

    temperature: float | None
    longest: int
    seed: int
    is_shared: bool = False
    """Whether texts of a row share random numbers: only their codes then make them differ."""

    def __post_init__(self) -> None:
        if self.temperature is not None and not COOLEST <= self.temperature < float("inf"):
            raise MrtcError(
                f"a temperature of {self.temperature} cannot be used; give one of at least "
                f"{COOLEST}, or none for the likeliest words"
            )

    def __str__(self) -> str:
        if self.temperature is None:
            return "greedy decoding"
        return f"words drawn at temperature {self.temperature:g}"

    @property
    def settings(self) -> dict[str, Any]:
        """As files have them."""
        return {"temperature": self.temperature, "seed": self.seed, "longest": self.longest}

    def of(self, likelihood: TokenSequences) -> Iterator[Int[Tensor, "document position"]]:
        """Documents in order, in one batch or in several, of the same random numbers each time."""
        longest = self.longest + 2  # START and END
        if self.temperature is None:
            yield likelihood.greedy(longest)
            return
        batches = torch.split(likelihood.z, 1) if self.is_shared else [likelihood.z]
        for z in batches:
            generator = torch_stream(self.seed, "words")
            yield replace(likelihood, z=z).sample(generator, longest, self.temperature)


@dataclass(frozen=True)
class Model:
    """A checkpoint, and the betas it is shown at."""

    name: str
    vae: VAE
    beta: Float[np.ndarray, " beta"]
    language: Language
    fingerprint: str
    """Of its checkpoint."""

    def at_each_beta(self, codes: Callable[[VAE, Tensor], Codes], words: Words) -> ModelTexts:
        """The codes, decoded to texts."""
        texts, rates = [], []
        with torch.inference_mode():
            for beta in self.beta.tolist():
                rate_weight = torch.tensor([beta])  # not a number: the range is checked before
                z, rate = codes(self.vae, rate_weight)
                likelihood = self.vae.decode(z, rate_weight)
                if not isinstance(likelihood, TokenSequences):
                    raise TypeError(f"{self.name} is no model of documents; give one that is")
                batches = map(self.language.write, words.of(likelihood))
                texts.append(tuple(chain.from_iterable(batches)))
                if rate is not None:
                    rates.append(rate.numpy())
        found = np.stack(rates) if rates else None
        return ModelTexts(self.name, self.beta, tuple(texts), found, self.fingerprint)


def load_documents(language: Language, data: Path | str | None, *, quiet: bool) -> Documents:
    """The test part of what a model was trained on, in its words.

    Raises:
        DataError: If the data cannot be had, or used.
    """
    config, vocabulary = language.config, language.vocabulary.to_json()
    part, device = DATASETS[config.dataset].default_part, resolve_device("cpu")
    found = load_for(config, data, device, part=part, vocabulary=vocabulary, quiet=quiet)
    if not isinstance(found, Documents):
        raise TypeError(f"{config.dataset} is no text; give a model of documents")
    return found


def load_models(
    checkpoints: Sequence[Path | str], betas: Float[np.ndarray, " beta"], *, extrapolate: bool
) -> list[Model]:
    """The models, under names that tell them apart; a baseline is shown at its own beta.

    Raises:
        BetaError: If a beta lies outside a model's range and ``extrapolate`` is not set.
        CheckpointError: If a checkpoint cannot be used.
        DataError: If the tokenizer is missing, or another.
        MrtcError: If a model is of images, or the vocabularies differ.
    """
    models: list[Model] = []
    for path, name, vae, config, checkpoint, beta in load_shown(
        checkpoints, betas, extrapolate=extrapolate
    ):
        if config.text is None:
            raise MrtcError(
                f"{path} is a model of images ({config.dataset}), which have no words; give "
                "checkpoints of documents only"
            )
        vocabulary = Vocabulary.from_json(checkpoint.vocabulary)
        tokenisation = config.text.tokenisation()
        if tokenisation.name != vocabulary.tokenisation:
            raise DataError(
                f"the words of {path} are by {vocabulary.tokenisation}, and {config.text.tokenizer}"
                f" is {tokenisation.name}; put back the tokenizer that it was trained with"
            )
        if models and vocabulary != models[0].language.vocabulary:
            raise MrtcError(
                f"{models[0].name} and {name} have different vocabularies, of "
                f"{len(models[0].language.vocabulary)} and {len(vocabulary)} tokens; show models "
                "of the same text together"
            )
        language = Language(config, config.text, vocabulary, tokenisation)
        models.append(Model(name, vae, beta, language, checkpoint.fingerprint()))
    return models
