"""Documents as numbers of their words, one after another in memory; batches are filled up."""

import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int, Int32, Int64
from torch import Tensor

from mrtc.datasets.vocabulary import END, NUM_SPECIAL, PAD, START, UNKNOWN, Vocabulary


@dataclass(frozen=True, eq=False)
class Documents:
    """Documents in memory on one device, four bytes a token."""

    tokens: Int32[Tensor, " token"] = field(repr=False)
    """The tokens of all documents in order; each is ``START``, its words, ``END``."""

    starts: Int64[Tensor, " boundary"] = field(repr=False)
    """Where each document starts in ``tokens``, and at last where the last one ends."""

    vocabulary: Vocabulary
    """What the tokens are."""

    source: str = ""
    """Where the documents come from, in words, for the results file."""

    @classmethod
    def of(
        cls, documents: Iterable[Iterable[str]], vocabulary: Vocabulary, source: str = ""
    ) -> "Documents":
        """The documents of these words, which are gone through once."""
        tokens, starts = array("i"), array("q", [0])
        for words in documents:
            tokens.append(START)
            tokens.extend(vocabulary.ids(words))
            tokens.append(END)
            starts.append(len(tokens))
        return cls(
            torch.from_numpy(np.array(tokens, np.int32)),
            torch.from_numpy(np.array(starts, np.int64)),
            vocabulary,
            source,
        )

    def __len__(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def lengths(self) -> Int64[Tensor, " document"]:
        """Tokens of each document, ``START`` and ``END`` counted."""
        return self.starts.diff()

    @cached_property
    def unknown_share(self) -> float:
        """Share of all words that are unknown to the vocabulary; NaN where there are no words."""
        words = len(self.tokens) - 2 * len(self)
        return int((self.tokens == UNKNOWN).sum()) / words if words else float("nan")

    @property
    def knows_a_word(self) -> bool:
        """Whether any word of any document is in the vocabulary."""
        return bool((self.tokens >= NUM_SPECIAL).any())

    @cached_property
    def checksum(self) -> str:
        """CRC-32 of vocabulary and tokens, as ``crc32:`` and eight hexadecimal digits."""
        before = zlib.crc32(self.vocabulary.checksum.encode())
        return f"crc32:{zlib.crc32(self.tokens.numpy(force=True).data, before):08x}"

    def to(self, device: torch.device | str) -> "Documents":
        """The same documents on another device."""
        tokens, starts = self.tokens.to(device), self.starts.to(device)
        return Documents(tokens, starts, self.vocabulary, self.source)

    def images(self, index: Int[Tensor, " batch"]) -> Int64[Tensor, "batch position"]:
        """The documents at some positions (at least one), on the device of the data set.

        They are filled up with ``PAD`` to the longest of them. The name is that of
        :class:`mrtc.datasets.examples.Examples`.
        """
        index = index.to(self.starts.device)
        lengths = self.lengths[index, None]
        position = torch.arange(int(lengths.max()), device=index.device)
        # Beyond its end a document reads what follows it, and the last one its own END.
        places = (self.starts[index, None] + position).clamp(max=len(self.tokens) - 1)
        return torch.where(position < lengths, self.tokens[places].long(), PAD)
