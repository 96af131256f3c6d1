"""Vocabularies: which words a model of text knows, and the number of each.

Four tokens are no words and have the same numbers in every vocabulary: what fills a batch up, the
start and the end of a document, and all words that are not known.
"""

import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

from pydantic import TypeAdapter, ValidationError

from mrtc.errors import DataError

PAD, START, END, UNKNOWN = range(4)
"""Numbers of the special tokens."""

NUM_SPECIAL = 4

SPECIAL = ("_PAD", "_START", "_END", "_UNK")
"""How the special tokens are written; a document may hold words that look like the first three."""

UNKNOWN_WORDS = frozenset({"_UNK", "<unk>", "[UNK]"})
"""What files write in place of rare words: Yahoo's, Penn Treebank's, and many tokenizers'."""

WHITE_SPACE = "white space"
"""The name of the usual way to cut documents into words."""


@dataclass(frozen=True)
class Vocabulary:
    """The words that a model knows; all others are one token to it.

    Raises:
        ValueError: If a word occurs twice, or is one of ``UNKNOWN_WORDS``.
    """

    known: tuple[str, ...] = field(repr=False)
    """Its words in order, without the special tokens, which come before them."""

    tokenisation: str = WHITE_SPACE
    """The name of the way in which documents were cut into these words."""

    def __post_init__(self) -> None:
        twice = len(self.known) - len(set(self.known))
        reserved = sorted(UNKNOWN_WORDS.intersection(self.known))
        if twice or reserved:
            raise ValueError(
                "each word of a vocabulary should be there once, and none stand for unknown ones; "
                f"got {twice} of {len(self.known)} again, and {', '.join(reserved) or 'none'} of "
                "those marks: remove them"
            )

    @classmethod
    def build(
        cls,
        documents: Iterable[Iterable[str]],
        size: int,
        tokenisation: str = WHITE_SPACE,
    ) -> "Vocabulary":
        """The most frequent words of some documents, which are gone through once.

        Of words that are as frequent, the first by alphabet are taken, so that the order of the
        documents changes nothing. Memory is that of all different words.

        Args:
            documents: The words of each.
            size: Tokens in the vocabulary at most, the special ones counted.
            tokenisation: How the documents were cut into words.

        Raises:
            ValueError: If the size leaves no place for a word.
        """
        if size <= NUM_SPECIAL:
            raise ValueError(
                f"a vocabulary holds {NUM_SPECIAL} special tokens and words, got a size of {size}; "
                f"give at least {NUM_SPECIAL + 1}"
            )
        counts = Counter(chain.from_iterable(documents))
        for mark in UNKNOWN_WORDS:
            counts.pop(mark, None)
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(tuple(ranked[: size - NUM_SPECIAL]), tokenisation)

    def __len__(self) -> int:
        return NUM_SPECIAL + len(self.known)

    @cached_property
    def _id_of(self) -> dict[str, int]:
        return {word: at for at, word in enumerate(self.known, NUM_SPECIAL)}

    def ids(self, words: Iterable[str]) -> list[int]:
        """The number of each word; neither ``START`` nor ``END`` is added."""
        id_of = self._id_of
        return [id_of.get(word, UNKNOWN) for word in words]

    def words(self, ids: Iterable[int]) -> list[str]:
        """The words up to the first ``END``, without ``START`` and ``PAD``."""
        words = []
        for token in ids:
            if token == END:
                break
            if token == UNKNOWN:
                words.append(SPECIAL[UNKNOWN])
            elif token not in (PAD, START):
                words.append(self.known[token - NUM_SPECIAL])
        return words

    @cached_property
    def checksum(self) -> str:
        """CRC-32 of its JSON form, as ``crc32:`` and eight hexadecimal digits."""
        return f"crc32:{zlib.crc32(self.to_json().encode()):08x}"

    def to_json(self) -> str:
        """What :meth:`from_json` reads."""
        return TypeAdapter(Vocabulary).dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> "Vocabulary":
        """The vocabulary that :meth:`to_json` wrote.

        Raises:
            DataError: If the text is something else.
        """
        try:
            return TypeAdapter(cls).validate_json(text)
        except ValidationError as error:
            raise DataError(
                f"this is no vocabulary ({error.errors()[0]['msg']}), it begins with "
                f"{text[:40]!r}; take it from the checkpoint anew, or train again"
            ) from error

    def require_same(self, other: "Vocabulary") -> None:
        """Checks that ``other``, of some documents, is this one, of a checkpoint.

        Raises:
            DataError: If they differ; a number would then stand for another word.
        """
        if self == other:
            return
        places = zip(self.known, other.known, strict=False)
        shared = min(len(self.known), len(other.known))
        first = next((at for at, (mine, its) in enumerate(places) if mine != its), shared)
        ours, theirs = (
            f"{len(each)} tokens by {each.tokenisation}, token {first + NUM_SPECIAL} "
            f"{each.known[first : first + 1] or '(none)'}"
            for each in (self, other)
        )
        raise DataError(
            f"the vocabulary does not fit the checkpoint: that has {ours}; the documents have "
            f"{theirs}: read them with the vocabulary of the checkpoint"
        )
