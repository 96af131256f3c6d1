"""Documents in memory against lists of their words."""

import math
import tracemalloc

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrtc.datasets.documents import Documents
from mrtc.datasets.examples import Examples
from mrtc.datasets.vocabulary import END, PAD, START, UNKNOWN, Vocabulary

VOCABULARY = Vocabulary(("a", "b", "c"))
LINES = st.lists(st.lists(st.sampled_from("abcd"), max_size=7), min_size=1, max_size=6)


def test_documents_are_their_tokens() -> None:
    documents = Documents.of([["b", "d"], [], ["a", "b", "c"]], VOCABULARY, "three")
    assert isinstance(documents, Examples)
    assert documents.images(torch.tensor([2, 0, 1, 0])).tolist() == [
        [START, 4, 5, 6, END],
        [START, 5, UNKNOWN, END, PAD],
        [START, END, PAD, PAD, PAD],
        [START, 5, UNKNOWN, END, PAD],
    ]
    assert documents.images(torch.tensor([1])).tolist() == [[START, END]]
    assert documents.lengths.tolist() == [4, 2, 5]
    assert documents.unknown_share == pytest.approx(1 / 5)
    assert documents.tokens.dtype == torch.int32
    assert (len(documents), documents.source) == (3, "three")


@settings(max_examples=20, deadline=None)
@given(LINES, st.data())
def test_batches_say_what_the_documents_said(lines, data) -> None:
    documents = Documents.of(lines, VOCABULARY)
    index = data.draw(st.lists(st.integers(0, len(lines) - 1), min_size=1))
    x = documents.images(torch.tensor(index))
    assert x.dtype == torch.int64
    assert ((x != PAD).sum(1) == documents.lengths[index]).all()
    assert x.shape[1] == max(len(lines[at]) + 2 for at in index)
    for row, at in zip(x.tolist(), index, strict=True):
        assert VOCABULARY.words(row) == ["_UNK" if w == "d" else w for w in lines[at]]


def test_a_checksum_is_of_words_and_their_bounds() -> None:
    others = [[["a", "b"]], [["b", "a"]], [["a"], ["b"]], [["a", "b"], []]]
    made = [Documents.of(lines, VOCABULARY) for lines in others]
    made.append(Documents.of([["a", "b"]], Vocabulary(("a", "b"))))  # the same numbers
    assert len({documents.checksum for documents in made}) == 5
    again = Documents.of([["a", "b"]], VOCABULARY, "elsewhere")
    assert again.checksum == made[0].checksum
    assert again.to("cpu").checksum == made[0].checksum


def test_no_known_word_is_told() -> None:
    assert not Documents.of([["d"], []], VOCABULARY).knows_a_word
    assert Documents.of([["d"], ["a"]], VOCABULARY).knows_a_word
    assert math.isnan(Documents.of([[]], VOCABULARY).unknown_share)


def test_memory_is_that_of_the_tokens() -> None:
    """2 million tokens at four bytes, twice while they are copied, and no word is kept."""
    words = ["a", "b", "c", "d"] * 25
    tracemalloc.start()
    documents = Documents.of((list(words) for _ in range(20_000)), VOCABULARY)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = 4 * len(documents.tokens) + 8 * len(documents.starts)
    assert held < 1.1 * size
    assert peak < 2.3 * size


@pytest.mark.gpu
def test_documents_go_to_a_device() -> None:
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    documents = Documents.of([["b", "d"], ["a", "b", "c"]], VOCABULARY)
    there, index = documents.to("cuda"), torch.tensor([1, 0])
    assert there.images(index).device.type == "cuda"
    assert torch.equal(there.images(index).cpu(), documents.images(index))
    assert there.checksum == documents.checksum
