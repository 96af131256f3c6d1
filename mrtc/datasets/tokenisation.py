"""How a line becomes words, and words a line: by white space, or by a file of `tokenizers`.

By white space, words are what the file has: no letter is changed, and no Unicode form. With a
tokenizer the words are its tokens, without those it would add at the ends; its own numbers of them
are not used, since a vocabulary counts how often a token occurs.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from mrtc.datasets.vocabulary import WHITE_SPACE
from mrtc.errors import DataError, MrtcError


@dataclass(frozen=True)
class Tokenisation:
    """A way to cut lines into words, and its inverse as far as there is one."""

    name: str
    """The same for the same way only; a vocabulary keeps it."""

    split: Callable[[str], list[str]] = field(repr=False)
    """The words of a line."""

    join: Callable[[Sequence[str]], str] = field(repr=False)
    """A line of some words, for people to read."""


def by_white_space() -> Tokenisation:
    """Words are what stands between white space, line ends included."""
    return Tokenisation(WHITE_SPACE, str.split, " ".join)


def by_tokenizer(path: Path) -> Tokenisation:
    """Words are the tokens of a Hugging Face tokenizer.

    Args:
        path: The file that the package `tokenizers` saved, in JSON.

    Raises:
        DataError: If the file is missing or damaged.
        MrtcError: If the package is not installed.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"cannot read the tokenizer {path}: {error.strerror or error}; give the JSON file that "
            "the package tokenizers saved"
        ) from error
    tokenizer = _tokenizer(path, content)
    tokenizer.no_truncation()  # lengths are limited, and batches filled up, by ourselves
    tokenizer.no_padding()

    def split(line: str) -> list[str]:
        tokens: list[str] = tokenizer.encode(line.strip(), add_special_tokens=False).tokens
        return tokens

    def join(words: Sequence[str]) -> str:
        decoder = tokenizer.decoder
        return " ".join(words) if decoder is None else str(decoder.decode(list(words)))

    return Tokenisation(f"tokenizer crc32:{zlib.crc32(content):08x}", split, join)


def _tokenizer(path: Path, content: bytes) -> Any:  # noqa: ANN401 - of an optional package
    try:
        package = import_module("tokenizers")
    except ImportError as error:
        raise MrtcError(
            f"the tokenizer {path} needs the package tokenizers, which is not installed; install "
            "it with `pip install 'mrtc[text]'`, or leave the tokenizer out to cut documents at "
            "white space"
        ) from error
    try:
        return package.Tokenizer.from_str(content.decode())
    except Exception as error:  # the package raises this very class
        raise DataError(
            f"the tokenizer {path} is damaged, or none ({error}); give the JSON file that the "
            "package tokenizers saved"
        ) from error
