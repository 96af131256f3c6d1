"""The commands that show texts, as somebody who writes a paper uses them."""

import json
from pathlib import Path

import pytest
from PIL import Image

from mrtc.cli.app import main
from mrtc.plots.texts import read_tables
from tests.cli.conftest import Command

SENTENCE = "what is the best way to learn a language ? you read and write every day ."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text file of 40 documents, and a model of three steps on it."""
    folder = tmp_path_factory.mktemp("texts")
    words = SENTENCE.split()
    documents = [" ".join(words[at % 7 : 9 + at % 9]) for at in range(40)]
    (folder / "my.txt").write_text("\n".join(documents) + "\n")
    arguments = ["mrtc", "train", str(folder / "my.txt"), "--steps", "3", "--warmup", "0"]
    arguments += ["--codes", "3", "--quiet", "--out", str(folder / "t.pt")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", arguments)
        with pytest.raises(SystemExit) as done:
            main()
        assert not done.value.code
    return folder


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "72")


BETAS = ("--betas", "0.1,1,10", "--longest", "12")
COMMANDS = {
    "sample": ("--count", "2"),
    "reconstruct": ("--examples", "0,3"),
    "interpolate": ("--from", "0", "--to-text", "what is the best way", "--columns", "3"),
}


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("name", list(COMMANDS))
@pytest.mark.parametrize("options", [(), ("--temperature", "0.7", "--seed", "3")])
def test_tables_are_printed_and_written(
    mrtc: Command, folder: Path, name: str, options: tuple[str, ...]
) -> None:
    arguments = (name, folder / "t.pt", *COMMANDS[name], *BETAS, *options)
    if name != "sample":
        arguments += ("--data", folder / "my.txt", "--quiet")
    done = mrtc(*arguments, "--out", "a.json")
    assert done.status == 0, done.err
    assert done.out.endswith("\na.json\n")
    table = json.loads(Path("a.json").read_text())
    assert [len(texts) for texts in table["models"][0]["texts"]] == [len(table["columns"])] * 3
    assert max(map(len, done.out.splitlines())) <= 72
    shown = " ".join(done.out.split())
    assert all(
        word in shown
        for row in table["models"][0]["texts"]
        for text in row
        for word in text.split()
    )
    again = mrtc(*arguments)
    assert again.out == done.out.removesuffix("\na.json\n")

    for suffix in ("png", "md"):
        assert mrtc(*arguments, "--out", f"a.{suffix}").status == 0
    with Image.open("a.png") as image:
        assert image.size[0] == 1650
    assert Path("a.md").read_text().count("\n| ") >= 4
    assert not list(folder.glob("*.png"))


def test_texts_of_ones_own_need_no_data(mrtc: Command, folder: Path) -> None:
    texts = ("--text", "what is the best qwxz ?", "--text", "you read .")
    done = mrtc("reconstruct", folder / "t.pt", *texts, *BETAS, "--sampled", "--out", "a.json")
    assert done.status == 0, done.err
    table = json.loads(Path("a.json").read_text())
    assert table["originals"] == ["what is the best _UNK ?", "you read ."]
    assert "temperature 1;" in table["title"]
    assert table["title"].endswith("unknown to the model: qwxz")
    assert "rate" in done.out
    ends = ("--from-text", "you read .", "--to-text", "every day")
    assert mrtc("interpolate", folder / "t.pt", *ends, *BETAS).status == 0


def test_models_are_shown_below_each_other(mrtc: Command, folder: Path) -> None:
    trained = ("train", folder / "my.txt", "--steps", "2", "--warmup", "0", "--codes", "3")
    assert mrtc(*trained, "--beta", "4", "--quiet", "--out", "b.pt").status == 0
    done = mrtc("sample", "b.pt", folder / "t.pt", "--count", "2", "--out", "a.json")
    assert done.status == 0, done.err
    models = json.loads(Path("a.json").read_text())["models"]
    assert [(model["name"], len(model["beta"])) for model in models] == [("b", 1), ("t", 3)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sample", "--out", "a.gif"), "suffix is '.gif'; choose one of .png, .pdf, .svg, .md"),
        (("sample", "--temperature", "0"), "temperature of 0.0 cannot be used"),
        (("sample", "--betas", "20"), "lies outside the trained range"),
        (("reconstruct",), "text has no usual place: add --data PATH; name a file"),
        (("reconstruct", "--text", ""), "the text '' has no words"),
        (("reconstruct", "--text", "qwxz zzz"), "knows none of the words of 'qwxz zzz'"),
        (("reconstruct", "--text", "a", "--examples", "1"), "--text and --examples 1 were both"),
        (
            ("reconstruct", "--examples", "4", "--data", "my.txt"),
            "is no example 4; text has 0 to 3",
        ),
        (("interpolate", "--from", "0"), "one of --to and --to-text is needed, and neither was"),
        (("interpolate", "--from", "0", "--from-text", "a", "--to", "1"), "and both were given"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    mrtc: Command, folder: Path, arguments: tuple[str, ...], words: str
) -> None:
    name, *options = [str(folder / one) if one == "my.txt" else one for one in arguments]
    done = mrtc(name, folder / "t.pt", *options)
    assert done.status == 2
    assert words in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sample", "--longest", "9"), "--longest cannot be used"),
        (("sample", "--temperature", "0"), "a temperature of 0.0 cannot be used; give a positive"),
        (
            ("interpolate", "--temperature", "1", "--longest", "9"),
            "--temperature, --longest cannot be used",
        ),
        (("reconstruct", "--text", "a"), "--text cannot be used: that is for models of documents"),
        (("reconstruct", "--sampled"), "--sampled cannot be used"),
        (("interpolate", "--from-text", "a", "--to", "1"), "--from-text cannot be used"),
        (("interpolate", "--from", "0"), "--to is missing; give the index of an example"),
    ],
)
def test_options_for_documents_are_refused_for_images(
    mrtc: Command, checkpoint: Path, arguments: tuple[str, ...], words: str
) -> None:
    name, *options = arguments
    done = mrtc(name, checkpoint, *options)
    assert done.status == 2
    assert words in done.err


def test_images_and_documents_are_not_shown_together(
    mrtc: Command, folder: Path, checkpoint: Path
) -> None:
    done = mrtc("sample", folder / "t.pt", checkpoint)
    assert done.status == 2
    assert "these checkpoints are of images and of documents" in done.err


@pytest.mark.parametrize("name", list(COMMANDS))
@pytest.mark.parametrize("options", [(), ("--temperature", "0.7")])
def test_a_table_is_drawn_again_from_its_file(
    mrtc: Command, folder: Path, name: str, options: tuple[str, ...]
) -> None:
    """Without the model or the data: the same picture, byte for byte, and the same words."""
    arguments = (name, folder / "t.pt", *COMMANDS[name], *BETAS, *options)
    if name != "sample":
        arguments += ("--data", folder / "my.txt", "--quiet")
    for suffix in ("h5", "png", "json"):
        assert mrtc(*arguments, "--out", f"a.{suffix}").status == 0

    done = mrtc("plot", "a.h5", "--out", "again")
    assert done.status == 0, done.err
    (picture,) = Path("again").iterdir()
    assert done.out == f"{picture}\n"
    decoding = "sampled" if options else "greedy"
    assert picture.stem.endswith(f"_{decoding}")
    assert picture.read_bytes() == Path("a.png").read_bytes()
    (table,) = read_tables("a.h5").values()
    assert json.loads(table.to_json()) == json.loads(Path("a.json").read_text())
    temperature = 0.7 if options else None
    assert {"temperature": temperature, "seed": 0, "longest": 12}.items() <= table.settings.items()


def test_texts_are_added_to_the_results_of_their_model(mrtc: Command, folder: Path) -> None:
    evaluated = ("eval", folder / "t.pt", "--data", folder / "my.txt", "--metrics", "active_units")
    done = mrtc(*evaluated, "--betas", "0.1,1", "--quiet", "--out", "r.h5")
    assert done.status == 0, done.err
    missing = mrtc("plot", "r.h5", "--kind", "texts")
    assert missing.status == 2
    assert "r.h5 holds no texts; add some with `mrtc sample`" in missing.err
    without = mrtc("plot", "r.h5", "--out", "without")
    assert without.status == 0
    assert "texts" not in without.out

    for more in ((), ("--temperature", "1")):
        done = mrtc("sample", folder / "t.pt", *BETAS, *more, "--out", "r.h5")
        assert done.status == 0, done.err
    done = mrtc("plot", "r.h5", "--out", "with", "--format", "svg")
    assert set(map(Path, done.out.split())) == {
        *(Path("with", path.name).with_suffix(".svg") for path in Path("without").iterdir()),
        *(Path("with", f"r-texts-prior_{decoding}.svg") for decoding in ("greedy", "sampled")),
    }
    only = mrtc("plot", "r.h5", "--kind", "texts")
    assert only.out.split() == ["r-texts-prior_greedy.png", "r-texts-prior_sampled.png"]
    assert mrtc(*evaluated, "--betas", "0.1,1", "--quiet", "--out", "r.h5").status == 0
    assert len(read_tables("r.h5")) == 2

    trained = ("train", folder / "my.txt", "--steps", "2", "--warmup", "0", "--codes", "3")
    assert mrtc(*trained, "--quiet", "--seed", "9", "--out", "other.pt").status == 0
    other = mrtc("sample", "other.pt", *BETAS, "--out", "r.h5")
    assert other.status == 2
    assert "r.h5 holds results of another model" in other.err


def test_texts_are_added_to_no_other_file(mrtc: Command, folder: Path) -> None:
    Path("a.h5").write_text("words")
    done = mrtc("sample", folder / "t.pt", *BETAS, "--out", "a.h5")
    assert done.status == 2
    assert "a.h5 is not an HDF5 file" in done.err
    assert not done.out, "that was said before anything was decoded"
    assert Path("a.h5").read_text() == "words"
    assert mrtc("sample", folder / "t.pt", *BETAS, "--out", "b.h5").status == 0
    done = mrtc("plot", "b.h5", "--kind", "mig")
    assert done.status == 2
    assert "its attribute format is 'mrtc-texts'" in done.err
