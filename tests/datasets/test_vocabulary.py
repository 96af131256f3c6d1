"""Vocabularies: counted by hand and by a plain count, there and back, and their faults."""

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrtc.datasets.vocabulary import (
    END,
    NUM_SPECIAL,
    PAD,
    SPECIAL,
    START,
    UNKNOWN,
    UNKNOWN_WORDS,
    Vocabulary,
)
from mrtc.errors import DataError

WORDS = st.text(min_size=1, max_size=3).filter(lambda word: word not in UNKNOWN_WORDS)
DOCUMENTS = st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=9), max_size=6)


def test_special_tokens_have_their_numbers_in_every_vocabulary() -> None:
    assert (PAD, START, END, UNKNOWN) == (0, 1, 2, 3)
    assert len(SPECIAL) == NUM_SPECIAL == len(Vocabulary(())) == 4


def test_the_most_frequent_words_come_first() -> None:
    documents = ["to be or not to be", "_UNK is to <unk> _UNK _UNK [UNK]"]
    vocabulary = Vocabulary.build(map(str.split, documents), 8)
    assert vocabulary.known == ("to", "be", "is", "not")  # of three that occur once, by alphabet
    assert vocabulary.ids(["or", "to", "_UNK", "<unk>", "[UNK]", "be"]) == [3, 4, 3, 3, 3, 5]
    assert len(vocabulary) == 8


@settings(max_examples=20, deadline=None)
@given(DOCUMENTS, st.integers(5, 14), st.randoms(use_true_random=False))
def test_a_vocabulary_covers_as_much_as_any_of_its_size(documents, size, random) -> None:
    """And does not depend on the order of the documents, which are gone through once."""
    counts = Counter(word for words in documents for word in words)
    built = Vocabulary.build(iter(documents), size)
    assert sum(counts[word] for word in built.known) == sum(
        count for _, count in counts.most_common(size - 4)
    )
    assert len(built) == min(size, 4 + len(counts))
    random.shuffle(documents)
    assert Vocabulary.build(documents, size) == built


@settings(max_examples=20, deadline=None)
@given(st.lists(WORDS, unique=True, min_size=1), st.data())
def test_words_come_back_from_their_numbers(known, data) -> None:
    """Also those that look like special tokens, blanks and line ends."""
    vocabulary = Vocabulary(tuple(known))
    words = data.draw(st.lists(st.sampled_from(known)))
    ids = vocabulary.ids(words)
    assert min(ids, default=4) >= 4
    assert max(ids, default=4) < len(vocabulary)
    assert vocabulary.words([START, *ids, END, *ids, PAD]) == words
    assert vocabulary.words([START, *ids, PAD, PAD]) == words


def test_words_that_look_like_special_tokens_are_words() -> None:
    vocabulary = Vocabulary.build([["_PAD", "_END", "_START", "_UNK"]], 10)
    assert vocabulary.ids(["_PAD", "_START", "_END", "_UNK"]) == [5, 6, 4, UNKNOWN]
    assert vocabulary.words([START, 5, UNKNOWN, 4, END]) == ["_PAD", "_UNK", "_END"]


@settings(max_examples=20, deadline=None)
@given(st.lists(WORDS, unique=True), st.text(max_size=5))
def test_the_json_form_is_read_back(known, tokenisation) -> None:
    vocabulary = Vocabulary(tuple(known), tokenisation)
    again = Vocabulary.from_json(vocabulary.to_json())
    assert again == vocabulary
    assert again.checksum == vocabulary.checksum
    assert json.loads(vocabulary.to_json()) == {"known": known, "tokenisation": tokenisation}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"known": ["a", 1]}',
        '{"known": ["a", "a"]}',
        '{"known": ["_UNK"]}',
        "{}",
        '{"kno',
    ],
)
def test_what_is_no_vocabulary_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"this is no vocabulary \(.*train again"):
        Vocabulary.from_json(text)


def test_a_checksum_is_of_words_order_and_tokenisation() -> None:
    others = [("a", "b"), ("b", "a"), ("a",), ("ab",)]
    sums = {Vocabulary(known).checksum for known in others} | {Vocabulary(("a",), "x").checksum}
    assert len(sums) == 5
    assert Vocabulary(("a", "b")).checksum == Vocabulary(("a", "b")).checksum


def test_another_vocabulary_does_not_fit_the_checkpoint() -> None:
    mine = Vocabulary(("a", "b", "c"))
    mine.require_same(Vocabulary(("a", "b", "c")))
    with pytest.raises(
        DataError,
        match=r"does not fit the checkpoint: that has 7 tokens by white space, token 5 \('b',\); "
        r"the documents have 6 tokens by white space, token 5 \('c',\): read them with the voc",
    ):
        mine.require_same(Vocabulary(("a", "c")))
    with pytest.raises(
        DataError, match=r"token 6 \('c',\).* 6 tokens by white space, token 6 \(no"
    ):
        mine.require_same(Vocabulary(("a", "b")))
    with pytest.raises(DataError, match="the documents have 7 tokens by tokenizer crc32:0, token"):
        mine.require_same(Vocabulary(("a", "b", "c"), "tokenizer crc32:0"))


def test_a_vocabulary_without_a_place_for_words_is_refused() -> None:
    with pytest.raises(ValueError, match="got a size of 4; give at least 5"):
        Vocabulary.build([["a"]], 4)
    with pytest.raises(ValueError, match="got 1 of 3 again, and _UNK of those marks"):
        Vocabulary(("a", "a", "_UNK"))
