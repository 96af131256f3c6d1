"""Text in parts: what each holds, what the source says, and every fault of files and folders."""

import gzip
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mrtc.datasets.documents import Documents
from mrtc.datasets.text import TextConfig, load_text
from mrtc.datasets.vocabulary import Vocabulary
from mrtc.errors import DataError

PARTS = ("train", "valid", "test")


def save(path: Path, *lines: str) -> Path:
    content = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def said(documents: Documents) -> list[str]:
    rows = documents.images(torch.arange(len(documents))).tolist()
    return [" ".join(documents.vocabulary.words(row)) for row in rows]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path / "yahoo.train.txt.gz", "a cat", "", "a dog _UNK", "  ")
    save(tmp_path / "yahoo.valid.txt", "a bird")
    save(tmp_path / "yahoo.test.txt", "the cat", "one two a")
    save(tmp_path / "vocab.txt", "a")
    return tmp_path


def test_the_vocabulary_is_that_of_the_training_part(folder: Path) -> None:
    train, valid, test = (load_text(folder, part, name="yahoo") for part in PARTS)
    assert train.vocabulary.known == ("a", "cat", "dog")
    assert said(train) == ["a cat", "a dog _UNK"]
    assert said(valid) == ["a _UNK"]
    assert said(test) == ["_UNK cat", "_UNK _UNK a"]
    assert train.vocabulary == valid.vocabulary == test.vocabulary
    assert train.source == (
        "yahoo yahoo.train.txt.gz, train part, 2 documents, 0 cut to 200 words, 2 empty lines, "
        "20.00% of words unknown"
    )


def test_evaluation_uses_the_vocabulary_of_the_checkpoint(folder: Path) -> None:
    (folder / "yahoo.train.txt.gz").unlink()  # nobody needs it then
    stored = Vocabulary(("bird", "the"))
    test = load_text(folder, "test", name="yahoo", vocabulary=stored)
    assert said(test) == ["the _UNK", "_UNK _UNK _UNK"]
    assert test.vocabulary is stored
    with pytest.raises(DataError, match=r"none of the words of 1 documents is among the 1 of the"):
        load_text(folder, "valid", name="yahoo", vocabulary=Vocabulary(("the",)))
    other = Vocabulary(("a",), "tokenizer crc32:0")
    with pytest.raises(
        DataError, match=r"by tokenizer crc32:0, and .* by white space; give the to"
    ):
        load_text(folder, "test", name="yahoo", vocabulary=other)


def test_longer_documents_are_cut_or_left_out(folder: Path) -> None:
    cut = load_text(folder, config=TextConfig(longest=2, vocabulary_size=5))
    assert said(cut) == ["a _UNK", "a _UNK"]
    assert cut.vocabulary.known == ("a",)
    assert "2 documents, 1 cut to 2 words, 2 empty lines, 50.00% of" in cut.source
    rest = load_text(folder, "test", config=TextConfig(longest=2, longer="leave out"))
    assert said(rest) == ["_UNK cat"]
    assert "1 documents, 1 left out for more than 2 words, 0 empty" in rest.source
    with pytest.raises(
        DataError, match="no documents for the test part: 0 empty lines, 2 of more t"
    ):
        load_text(
            folder,
            "test",
            config=TextConfig(longest=1, longer="leave out"),
            vocabulary=Vocabulary(("a",)),
        )


@settings(max_examples=20, deadline=None)
@given(st.integers(10, 57), st.integers(0, 99))
def test_one_file_is_split_without_loss(tmp_path_factory, population, seed) -> None:
    """Each document is in one part; of any ten in a row, one is in each of the small parts."""
    folder = tmp_path_factory.mktemp("split")
    names = [f"w{at}" for at in range(population)]
    path = save(folder / "own.txt", *(f"{name} and\n" for name in names))
    config = TextConfig(seed=seed)
    whole = load_text(path, "all", config=config)
    assert said(whole) == [f"{name} and" for name in names]
    parts = {
        part: load_text(path, part, config=config, vocabulary=whole.vocabulary) for part in PARTS
    }
    found = {part: [line.split()[0] for line in said(parts[part])] for part in PARTS}
    assert sorted(name for part in PARTS for name in found[part]) == sorted(names)
    for block in range(population // 10):
        ten = set(names[10 * block : 10 * block + 10])
        assert [len(ten.intersection(found[part])) for part in PARTS] == [8, 1, 1]
    assert f"(of {population}, split 8:1:1 by seed {seed})" in parts["test"].source
    assert (
        load_text(path, "valid", config=config).vocabulary
        == load_text(path, config=config).vocabulary
    )


def test_splits_depend_on_the_seed_and_not_on_lengths(tmp_path: Path) -> None:
    path = save(tmp_path / "own.txt", *(f"w{at}" + " and" * (at % 3) for at in range(100)))
    vocabulary = load_text(path, "all").vocabulary
    first, again, other = (
        said(load_text(path, "test", config=TextConfig(seed=seed), vocabulary=vocabulary))
        for seed in (0, 0, 1)
    )
    assert first == again != other
    places = [int(line.split()[0][1:]) % 10 for line in first + other]
    assert len(set(places)) > 5  # not every tenth
    short = TextConfig(longest=2, longer="leave out")
    kept = said(load_text(path, "test", config=short, vocabulary=vocabulary))
    assert kept == [line for line in first if len(line.split()) < 3]


def test_a_part_has_one_file(folder: Path) -> None:
    save(folder / "yahoo.test.txt.gz", "zipped")  # beside the plain one, which is taken
    assert said(load_text(folder, "test"))[0] == "_UNK cat"
    save(folder / "test.txt", "a")
    assert said(load_text(folder, "test", name="yahoo"))[0] == "_UNK cat"
    with pytest.raises(
        DataError, match=r"should hold one file test.txt of text, and has test.txt, "
    ):
        load_text(folder, "test")
    with pytest.raises(
        DataError, match=r"one file train.txt of ptb, and has .*get ptb.train.txt, pt"
    ):
        load_text(folder, "train", name="ptb")


def test_another_file_is_trained_on_where_one_says_so(folder: Path) -> None:
    (folder / "yahoo.train.txt.gz").unlink()
    with pytest.raises(
        DataError,
        match=r"one file train.txt of yahoo, and has vocab.txt, yahoo.test.txt, yahoo.valid.txt; "
        r"get .*, or name another file to train on \(train_file\)",
    ):
        load_text(folder, "train", name="yahoo")
    config = TextConfig(train_file="yahoo.test.txt")
    train = load_text(folder, "train", name="yahoo", config=config)
    assert said(train) == ["the cat", "one two a"]
    assert "yahoo.test.txt, train part" in train.source
    assert said(load_text(folder, "valid", name="yahoo", config=config)) == ["a _UNK"]
    with pytest.raises(
        DataError, match=r"yahoo.test.txt is what is trained on, so it cannot be the t"
    ):
        load_text(folder, "test", name="yahoo", config=config)
    with pytest.raises(DataError, match=r"should hold one file gone.txt of yahoo, and has vocab"):
        load_text(folder, name="yahoo", config=TextConfig(train_file="gone.txt"))
    with pytest.raises(
        DataError, match=r"training file of a folder, but .*vocab.txt is none; name"
    ):
        load_text(folder / "vocab.txt", config=config)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], r"own.txt holds no documents for the train part: 0 empty lines, 0 of more"),
        (["", " \t", "\r"], r"holds no documents for the train part: 3 empty lines"),
        (["a cat"], r"own.txt has 1 documents, too few to split; name a folder .* at least 10"),
        (["a cat"] * 9, r"own.txt has 9 documents, too few to split"),
        (
            ["_UNK <unk>"] * 10,
            r"none of the words of 8 documents is among the 0 of the vocabulary;",
        ),
        (["a"] * 9 + ["a\0b"], r"line 10 of .*own.txt has a NUL byte at column 2"),
    ],
)
def test_files_that_are_no_training_set_are_refused(tmp_path: Path, lines, message) -> None:
    with pytest.raises(DataError, match=message):
        load_text(save(tmp_path / "own.txt", *lines))


def test_one_document_can_be_evaluated_but_not_trained_on(tmp_path: Path) -> None:
    save(tmp_path / "train.txt", "a cat")
    with pytest.raises(
        DataError, match=r"train.txt has one document, which is no training set; giv"
    ):
        load_text(tmp_path)
    vocabulary = Vocabulary(("a",))
    assert said(load_text(tmp_path / "train.txt", "all", vocabulary=vocabulary)) == ["a _UNK"]
    (tmp_path / "train.txt").rename(tmp_path / "test.txt")
    assert said(load_text(tmp_path, "test", vocabulary=vocabulary)) == ["a _UNK"]


def test_places_that_hold_nothing_are_told(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"yahoo has no usual place: add --data PATH; get yahoo.train.txt"
    ):
        load_text(None, name="yahoo")
    with pytest.raises(DataError, match=r"cannot read .*gone: No such file"):
        load_text(tmp_path / "gone")
    with pytest.raises(
        DataError, match=r"one file valid.txt of text, and has no .txt file; name a"
    ):
        load_text(tmp_path, "valid", vocabulary=Vocabulary(("a",)))
    with pytest.raises(DataError, match=r"is a folder; name one file in it to take all of that"):
        load_text(tmp_path, "all")


def test_arguments_that_no_user_gives_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the names text, yahoo, ptb, got 'train' of 'yelp'"):
        load_text(tmp_path, name="yelp")
    for wrong in ({"longest": 0}, {"vocabulary_size": 4}, {"longer": "keep"}, {"seed": -1}):
        with pytest.raises(ValidationError):
            TextConfig(**wrong)


@pytest.mark.data
def test_yahoo_is_read_as_a_plain_program_reads_it(shared_data: Path) -> None:
    folder = shared_data / "yahoo"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}")
    config = TextConfig(train_file="yahoo.valid.txt.gz", vocabulary_size=10_000)
    train = load_text(folder, "train", name="yahoo", config=config)
    test = load_text(folder, "test", name="yahoo", config=config, vocabulary=train.vocabulary)
    assert (len(train), len(test), len(train.vocabulary)) == (10_000, 10_000, 10_000)
    for documents, file in ((train, config.train_file), (test, "yahoo.test.txt.gz")):
        with gzip.open(folder / file, "rt", encoding="utf-8") as opened:
            lines = [line.split() for line in opened]
        known = set(train.vocabulary.known)
        words = [word if word in known else "_UNK" for line in lines for word in line]
        assert documents.lengths.tolist() == [len(line) + 2 for line in lines]
        assert " ".join(said(documents)) == " ".join(words)
        assert documents.unknown_share == words.count("_UNK") / len(words)
        # 78 words is the mean that texar's example states of its 100,000 documents.
        assert float(documents.lengths.double().mean()) - 2 == pytest.approx(78, abs=1.5)
