"""Text: files with one document a line, in parts of their own or split by a seed.

The vocabulary is that of the training part; whoever evaluates gives that of the checkpoint. Yahoo
answers and Penn Treebank are text under their official names; neither can be downloaded here.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from mrtc.datasets.documents import Documents
from mrtc.datasets.text_lines import read_lines
from mrtc.datasets.tokenisation import Tokenisation, by_tokenizer, by_white_space
from mrtc.datasets.vocabulary import NUM_SPECIAL, Vocabulary
from mrtc.errors import DataError
from mrtc.randomness import numpy_stream

Part = Literal["train", "valid", "test", "all"]
"""``all`` is the whole of one file."""

TENTHS = ("train",) * 8 + ("valid", "test")
"""Parts of every ten documents of a file without parts of its own."""

ADVICE = {
    "text": "name a file, one document a line, or a folder with train.txt, valid.txt and test.txt, "
    "plain or gzipped, which may have one name and a dot before these",
    "yahoo": "get yahoo.train.txt, yahoo.valid.txt and yahoo.test.txt as the example vae_text of "
    "https://github.com/asyml/texar-pytorch or https://github.com/jxhe/vae-lagging-encoder fetch "
    "them (prepare_data.py), and name their folder",
    "ptb": "get ptb.train.txt, ptb.valid.txt and ptb.test.txt from simple-examples.tgz of "
    "http://www.fit.vutbr.cz/~imikolov/rnnlm/, and name their folder",
}
"""What to do if a data set is not there, by its name."""

STEM = {"text": r"(?:[^.]+\.)?", "yahoo": r"yahoo\.", "ptb": r"ptb\."}
"""What comes before the part in the name of a file."""


@dataclass(frozen=True)
class TextConfig:
    """How files become documents."""

    vocabulary_size: Annotated[int, Field(gt=NUM_SPECIAL)] = 20_000
    """Tokens of a vocabulary at most, the special ones counted."""
    longest: PositiveInt = 200
    """Words of a document at most, its start and end not counted."""
    longer: Literal["cut", "leave out"] = "cut"
    """What is done with documents that have more words."""
    tokenizer: Path | None = None
    """File of the package `tokenizers` that cuts into words; ``None`` is white space."""
    train_file: str = ""
    """Name of the training file, where a folder has none of the usual name."""
    seed: NonNegativeInt = 0
    """Of the split of a file without parts of its own."""

    def tokenisation(self) -> Tokenisation:
        """How lines are cut into words.

        Raises:
            DataError: If the tokenizer is missing or damaged.
            MrtcError: If its package is not installed.
        """
        return by_white_space() if self.tokenizer is None else by_tokenizer(self.tokenizer)


def load_text(
    path: Path | None,
    part: Part = "train",
    *,
    name: str = "text",
    config: TextConfig | None = None,
    vocabulary: Vocabulary | None = None,
) -> Documents:
    """Reads one part of a text.

    Args:
        path: A folder with a file for each part; or one file, of which every ten documents are
            split 8:1:1 by chance. Empty lines count as no documents.
        part: Which part; of a file also ``all``.
        name: ``text``, or ``yahoo`` or ``ptb`` for a folder with files of these official names.
        config: Limits, tokenizer, and the split.
        vocabulary: That of the checkpoint. Left out, it is built of the training part.

    Raises:
        DataError: If a file is missing or damaged, holds no documents or none with a known word,
            or too few to split or to train on; or if the vocabulary is of another tokenisation.
        MrtcError: If the package of the tokenizer is not installed.

    References:
        Yang et al., "Improved Variational Autoencoders for Text Modeling using Dilated
        Convolutions", ICML 2017 (Yahoo). Mikolov et al., "Recurrent neural network based language
        model", Interspeech 2010 (Penn Treebank).
    """
    if part not in get_args(Part) or name not in ADVICE:
        raise ValueError(
            f"the parts are {', '.join(get_args(Part))} and the names {', '.join(ADVICE)}, got "
            f"{part!r} of {name!r}"
        )
    config = config or TextConfig()
    if path is None:
        raise DataError(f"{name} has no usual place: add --data PATH; {ADVICE[name]}")
    if config.train_file and not path.is_dir():
        raise DataError(
            f"{config.train_file} is to be the training file of a folder, but {path} is none; name "
            "the folder, or leave out the training file to split this one"
        )
    tokenisation = config.tokenisation()
    if vocabulary is None:
        train = _Reading(path, "all" if part == "all" else "train", name, config, tokenisation)
        vocabulary = Vocabulary.build(train, config.vocabulary_size, tokenisation.name)
    elif vocabulary.tokenisation != tokenisation.name:
        raise DataError(
            f"the vocabulary is of words by {vocabulary.tokenisation}, and documents are to be cut "
            f"by {tokenisation.name}; give the tokenizer that the checkpoint was trained with"
        )
    reading = _Reading(path, part, name, config, tokenisation)
    documents = Documents.of(reading, vocabulary)
    _check(documents, reading)
    return replace(
        documents, source=f"{reading.summary}, {documents.unknown_share:.2%} of words unknown"
    )


class _Reading:
    """The words of the documents of a part; goes through its file anew each time, and counts."""

    def __init__(
        self, path: Path, part: Part, name: str, config: TextConfig, tokenisation: Tokenisation
    ) -> None:
        self.part, self._name, self._config = part, name, config
        self._split = tokenisation.split
        self.file = _file(path, part, name, config) if path.is_dir() else path
        self._is_cut_out = part != "all" and not path.is_dir()

    def __iter__(self) -> Iterator[list[str]]:
        self.total = self._empty = self._taken = self._longer = 0
        for line in read_lines(self.file):
            if not line.strip():
                self._empty += 1
                continue
            part = self._part_of_next()
            self.total += 1
            if part != self.part:
                continue
            words = self._split(line)
            if len(words) > self._config.longest:
                self._longer += 1
                if self._config.longer == "leave out":
                    continue
                del words[self._config.longest :]
            self._taken += 1
            yield words
        if self._is_cut_out and 0 < self.total < len(TENTHS):
            raise DataError(
                f"{self.file} has {self.total} documents, too few to split; name a folder with a "
                f"file for each part, or give at least {len(TENTHS)} documents"
            )
        if not self._taken:
            raise DataError(
                f"{self.file} holds no documents for the {self.part} part: {self._empty} empty "
                f"lines, {self._longer} of more than {self._config.longest} words; "
                f"{ADVICE[self._name]}"
            )

    def _part_of_next(self) -> Part | str:
        """The part of the next document, by its number and the seed alone."""
        if not self._is_cut_out:
            return self.part
        block, place = divmod(self.total, len(TENTHS))
        if place == 0:
            stream = numpy_stream(self._config.seed, "split", block)
            self._parts = stream.permutation(TENTHS).tolist()
        return str(self._parts[place])

    @property
    def summary(self) -> str:
        """What was read, in words."""
        longest, by_seed = self._config.longest, f" by seed {self._config.seed}"
        done = "cut to" if self._config.longer == "cut" else "left out for more than"
        split = f" (of {self.total}, split 8:1:1{by_seed})" if self._is_cut_out else ""
        return (
            f"{self._name} {self.file.name}, {self.part} part{split}, {self._taken} documents, "
            f"{self._longer} {done} {longest} words, {self._empty} empty lines"
        )


def _check(documents: Documents, reading: _Reading) -> None:
    if not documents.knows_a_word:
        vocabulary = documents.vocabulary
        raise DataError(
            f"{reading.file}: none of the words of {len(documents)} documents is among the "
            f"{len(vocabulary.known)} of the vocabulary; check that both are of one language and "
            f"one tokenisation ({vocabulary.tokenisation})"
        )
    if reading.part == "train" and len(documents) == 1:
        raise DataError(
            f"{reading.file} has one document, which is no training set; give more, one a line"
        )


def _file(folder: Path, part: Part, name: str, config: TextConfig) -> Path:
    """The file of a part in a folder."""
    if part == "all":
        raise DataError(f"{folder} is a folder; name one file in it to take all of that")
    try:
        names = sorted((file.name for file in folder.iterdir() if file.is_file()), reverse=True)
    except OSError as error:
        raise DataError(
            f"cannot read {folder}: {error.strerror or error}; {ADVICE[name]}"
        ) from error
    if part == "train" and config.train_file:
        files = [config.train_file] if config.train_file in names else []
    else:
        form = re.compile(STEM[name] + part + r"\.txt(\.gz)?")
        # In this order a plain file comes after its gzipped version, and in its place.
        files = [*{n.removesuffix(".gz"): n for n in names if form.fullmatch(n)}.values()]
    if len(files) != 1:
        missing = config.train_file if part == "train" and config.train_file else f"{part}.txt"
        texts = ", ".join(n for n in reversed(names) if ".txt" in n) or "no .txt file"
        train = ", or name another file to train on (train_file)" if part == "train" else ""
        raise DataError(
            f"{folder} should hold one file {missing} of {name}, and has {texts}; "
            f"{ADVICE[name]}{train}"
        )
    if part != "train" and files[0] == config.train_file:
        raise DataError(
            f"{files[0]} is what is trained on, so it cannot be the {part} part too; choose "
            f"another part, or train on another file"
        )
    return folder / files[0]
