"""Training on documents from the command line: what works, and what is refused."""

import gzip
import shutil
from pathlib import Path

import pytest

from mrtc.experiments.configure import find_dataset
from mrtc.experiments.run import read_config
from mrtc.training import Checkpoint
from tests.cli.conftest import Command

TINY = ("--steps", "2", "--warmup", "1", "--batch", "8", "--codes", "3", "--quiet")
SENTENCES = [f"the {a} {b} ." for a in ("cat", "dog", "cow") for b in ("runs", "sleeps", "eats")]


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(SENTENCES * 10))
    return path


def test_a_text_file_is_trained_on_and_evaluated(mrtc: Command, lines: Path) -> None:
    done = mrtc("train", lines, *TINY, "--out", "t.pt", "--vocabulary-size", "8", "--longest", "3")
    assert done.status == 0, done.err
    config = read_config(Checkpoint.load(Path("t.pt")), Path("t.pt"))
    assert config.dataset == "text"
    assert config.tokens == 8
    assert "cut to 3 words" in config.source
    done = mrtc("eval", "t.pt", "--data", lines, "--betas", "0.1,1", "--quiet")
    assert done.status == 0, done.err
    assert "perplexity" in done.out
    done = mrtc("eval-mig", "t.pt", "--data", lines)
    assert done.status == 2
    assert "text has no known factors" in done.err


def test_a_folder_of_parts_and_another_file_to_train_on(mrtc: Command, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    for part in ("valid", "test"):
        content = "\n".join(SENTENCES * 2).encode()
        (folder / f"yahoo.{part}.txt.gz").write_bytes(gzip.compress(content))
    done = mrtc("train", "yahoo", "--data", folder, *TINY, "--out", "y.pt")
    assert done.status == 2
    assert "should hold one file train.txt of yahoo, and has yahoo.test.txt.gz" in done.err
    given = ("--train-file", "yahoo.valid.txt.gz", "--out", "y.pt")
    done = mrtc("train", "yahoo", "--data", folder, *TINY, *given)
    assert done.status == 0, done.err
    done = mrtc("data", "list")
    assert "yahoo" in done.out


def test_a_folder_of_text_files_is_text_and_one_of_images_is_not(tmp_path: Path) -> None:
    """Though images may have a list of their names beside them."""
    for name in ("my.train.txt", "my.test.txt.gz", ".hidden"):
        (tmp_path / name).touch()
    assert find_dataset(str(tmp_path), None) == ("text", tmp_path)
    (tmp_path / "0.png").touch()
    assert find_dataset(str(tmp_path), None) == ("images", tmp_path)
    (tmp_path / "empty").mkdir()
    assert find_dataset(str(tmp_path / "empty"), None)[0] == "images"


def test_a_checkpoint_of_images_is_not_gone_on_with(
    mrtc: Command, lines: Path, checkpoint: Path
) -> None:
    shutil.copy(checkpoint, "t.pt")
    done = mrtc("train", lines, *TINY, "--out", "t.pt", "--resume")
    assert done.status == 2
    assert "t.pt is of another run: " in done.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no documents"),
        (b"\n \n\n", "holds no documents"),
        (b"one document\n", "too few to split"),
        (b"caf\xe9 au lait\n" * 20, "UTF-8"),
        (b"PK\x03\x04\x00\x00\x00\x08" * 50, "binary"),
        (b"\x1f\x8b\x08 cut short", "damaged"),
        (b"_UNK _UNK\n" * 20, "none of the words"),
        (b"word " * 4_000_000, "longer than 10485760 bytes"),
    ],
    ids=["empty", "empty lines", "one", "latin-1", "binary", "cut", "unknown", "giant line"],
)
def test_what_is_no_text_is_refused(
    mrtc: Command, tmp_path: Path, content: bytes, words: str
) -> None:
    (tmp_path / "bad.txt").write_bytes(content)
    done = mrtc("train", "bad.txt", *TINY, "--out", "t.pt")
    assert done.status == 2
    assert done.err.startswith("mrtc: ")
    assert words in done.err
    assert not Path("t.pt").exists()


def test_documents_of_unknown_words_and_options_of_images_are_refused(
    mrtc: Command, lines: Path, tmp_path: Path
) -> None:
    assert mrtc("train", lines, *TINY, "--out", "t.pt").status == 0
    (tmp_path / "other.txt").write_text("zzz yyy\n" * 20)
    for arguments, words in {
        ("eval", "t.pt", "--data", "other.txt"): "none of the words of 2 documents is among",
        ("eval", "t.pt", "--data", lines, "--metrics", "fid"): "the model is one of documents",
        ("train", lines, "--arch", "resnet"): "this preset has no architecture 'resnet'",
        ("train", lines, "--size", "32"): "--size is for your own images",
        ("train", lines, "--likelihood", "bernoulli"): "does not go with the likelihood",
        ("train", "dsprites", "--longest", "9"): "--longest is for documents",
        ("train", "dsprites", "--arch", "lstm"): "this preset has no architecture 'lstm'",
    }.items():
        done = mrtc(*arguments, "--quiet")
        assert done.status == 2, arguments
        assert words in done.err
