"""Texts in a file: what is read is what was written, by mrtc and by readers that know no mrtc."""

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray
from hypothesis import given, settings
from hypothesis import strategies as st

from mrtc.errors import OutputError, ResultsError
from mrtc.results import open_writer, read
from mrtc.results.texts import ModelTexts, Texts, load, store
from mrtc.results.texts_file import add_texts, is_texts_file, read_texts, require_texts_place

from .conftest import BETA, PARAMETERS, make_header, make_values

SETTINGS = {"temperature": None, "seed": 3, "longest": 20}


def prior(fingerprint: str = "a1b2") -> Texts:
    """Two draws, by a multi-rate model at two betas and by a baseline."""
    return Texts(
        (
            ModelTexts(
                "gated", np.array([0.1, 7.0]), (("ä", "語 b"), ("c", "")), None, fingerprint
            ),
            ModelTexts("plain", np.array([4.0]), (("d 🙂", "e …"),), None, "ffff"),
        ),
        ("draw 1", "draw 2"),
        "samples\nof two models",
        settings=SETTINGS,
    )


def reconstruction() -> Texts:
    rates = np.array([[9.0, 8.0], [0.5, 0.25]])
    model = ModelTexts("gated", np.array([0.1, 7.0]), (("a", "b"), ("c", "d")), rates, "a1b2")
    title, settings = "reconstructions", SETTINGS | {"temperature": 0.5}
    return Texts((model,), ("text 1", "text 2"), title, ("o 1", "o 2"), settings=settings)


def interpolation() -> Texts:
    (model,) = reconstruction().models
    wide = replace(model, texts=(("a", "b", "c"), ("d", "e", "f")))
    ends = ("from here", "", "to there")
    return Texts((wide,), ("0", "0.5", "0.5"), "a way", ends, is_path=True, settings=SETTINGS)


TABLES = {
    "prior_greedy": prior(),
    "reconstruction_sampled": reconstruction(),
    "interpolation_greedy": interpolation(),
}


def require_equal(found: Texts, expected: Texts) -> None:
    """All of them, by hand: arrays are not compared by ``==``."""
    for mine, theirs in zip(found.models, expected.models, strict=True):
        assert (mine.name, mine.texts, mine.fingerprint) == (
            theirs.name,
            theirs.texts,
            theirs.fingerprint,
        )
        np.testing.assert_array_equal(mine.beta, theirs.beta)
        assert (mine.rates is None) == (theirs.rates is None)
        if mine.rates is not None:
            np.testing.assert_array_equal(mine.rates, theirs.rates)
    assert replace(found, models=()) == replace(expected, models=())


def test_a_file_holds_a_table_of_each_name(path: Path) -> None:
    for table in TABLES.values():
        add_texts(path, table)
    assert is_texts_file(path)
    found = read_texts(path)
    assert set(found) == set(TABLES)
    for name, table in TABLES.items():
        require_equal(found[name], table)

    add_texts(path, replace(prior(), title="anew"))
    found = read_texts(path)
    assert set(found) == set(TABLES)
    assert found["prior_greedy"].title == "anew"


def test_results_of_an_evaluation_stay_what_they_are(filled: Path) -> None:
    """And an evaluation that goes on leaves the texts."""
    before = read(filled)
    for table in TABLES.values():
        add_texts(filled, table)
    after = read(filled)
    assert set(after.metrics) == set(before.metrics)
    for name, values in before.metrics.items():
        np.testing.assert_array_equal(after.metrics[name], values)
    assert after.created == before.created

    with open_writer(filled, make_header()) as writer:
        writer.write(1, make_values(1), PARAMETERS)
    require_equal(read_texts(filled)["prior_greedy"], prior())
    assert not is_texts_file(filled)


@pytest.mark.parametrize("has_results", [False, True])
def test_xarray_opens_them(filled: Path, has_results: bool) -> None:
    """Beside the grid of an evaluation, whose betas are others."""
    path = filled
    if not has_results:
        path.unlink()
    for table in TABLES.values():
        add_texts(path, table)
    with xarray.open_datatree(path, engine="h5netcdf") as tree:
        found = tree["texts/reconstruction_sampled"]
        assert found["text"].dims == ("row", "column")
        assert found["text"].values.tolist() == [["a", "b"], ["c", "d"]]
        assert found["row_beta"].dims == ("row",)
        assert found["row_beta"].values.tolist() == [0.1, 7.0]
        assert found["rate"].dims == ("row", "encoded")
        assert found["rate"].attrs["units"] == "nats"
        assert found["original"].values.tolist() == ["o 1", "o 2"]
        assert (found.attrs["kind"], found.attrs["decoding"]) == ("reconstruction", "sampled")
        assert json.loads(found.attrs["parameters"]) == SETTINGS | {"temperature": 0.5}
        samples = tree["texts/prior_greedy"]
        assert samples["text"].values.tolist() == [["ä", "語 b"], ["c", ""], ["d 🙂", "e …"]]
        assert samples["model"].values.tolist() == ["gated", "gated", "plain"]
        assert "original" not in samples
        assert tree["texts/interpolation_greedy"]["original"].size == 2
        if has_results:
            np.testing.assert_array_equal(tree["metrics"].coords["beta"], BETA)


def test_words_are_utf8_for_any_reader(path: Path) -> None:
    add_texts(path, prior())
    with h5py.File(path) as file:
        text = file["texts/prior_greedy/text"]
        assert text[0, 1] == "語 b".encode()
        assert h5py.check_string_dtype(text.dtype).encoding == "utf-8"
        assert [dim[0].name.split("/")[-1] for dim in text.dims] == ["row", "column"]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=4), st.integers(1, 3))
def test_any_text_is_kept(words: list[str], rows: int) -> None:
    """But for NUL and halves of letters, which are no text that HDF5 or UTF-8 can hold."""
    model = ModelTexts("m", np.arange(1.0, rows + 1), (tuple(words),) * rows)
    with h5py.File("in memory", "w", driver="core", backing_store=False) as file:
        store(file, Texts((model,), tuple(words), words[0], tuple(words)))
        found = load(file)["reconstruction_greedy"]
    kept = tuple(word.replace("\0", "\ufffd") for word in words)
    assert found.models[0].texts == (kept,) * rows
    assert (found.columns, found.title, found.originals) == (kept, kept[0], kept)


def test_halves_of_letters_are_replaced(path: Path) -> None:
    """As the command line makes of bytes that are no UTF-8."""
    strange = replace(prior(), title="\udcff", settings={"encoded": ["a\udcff", "b\0"]})
    add_texts(path, strange)
    found = read_texts(path)["prior_greedy"]
    assert found.title == "?"
    assert found.settings == {"encoded": ["a?", "b\0"]}


def test_results_of_another_model_are_refused(filled: Path) -> None:
    before = filled.read_bytes()
    with pytest.raises(ResultsError, match="another model, a1b2, and the texts are of c3d4, ffff"):
        add_texts(filled, prior("c3d4"))
    assert filled.read_bytes() == before


def test_files_without_texts_say_how_to_add_some(filled: Path) -> None:
    with pytest.raises(ResultsError, match=r"holds no texts; add some with `mrtc sample`"):
        read_texts(filled)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"words", "is not an HDF5 file, it starts with b'words'"),
        (None, r"is an HDF5 file of another kind, its attribute format is None"),
    ],
)
def test_other_files_are_neither_read_nor_changed(
    path: Path, content: bytes | None, words: str
) -> None:
    if content is None:
        h5py.File(path, "w").close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    for action in (read_texts, require_texts_place, lambda it: add_texts(it, prior())):
        with pytest.raises(ResultsError, match=words):
            action(path)
    assert path.read_bytes() == before


def test_what_is_damaged_or_newer_is_refused(path: Path, tmp_path: Path) -> None:
    add_texts(path, prior())
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = 2
    with pytest.raises(ResultsError, match=r"schema version 2, and mrtc .* reads up to 1"):
        read_texts(path)
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = 1
        del file["texts/prior_greedy/model"]
    with pytest.raises(ResultsError, match="is damaged"):
        read_texts(path)
    with pytest.raises(ResultsError, match=r"cannot read .*No such file"):
        read_texts(tmp_path / "no.h5")
    with pytest.raises(OutputError, match="this is a folder"):
        add_texts(tmp_path, prior())


def test_texts_and_betas_go_together() -> None:
    with pytest.raises(ValueError, match="1 rows of texts and 2 of rates at 2 betas"):
        ModelTexts("m", np.array([1.0, 2.0]), (("a",),))
