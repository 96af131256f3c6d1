"""Betas that were never evaluated leave the file, and all else stays."""

from pathlib import Path

import numpy as np
import pytest

from mrtc.errors import ResultsError
from mrtc.results import ADAPTIVE, Results, open_writer, read, reopen
from mrtc.results.pictures import StoredPictures, read_pictures, write_pictures
from mrtc.results.schema import Variable
from mrtc.results.scores import ScoreRecord
from mrtc.results.texts import ModelTexts, Texts
from mrtc.results.texts_file import add_texts, read_texts

from .conftest import BETA, PARAMETERS, make_header, make_values

CHOSEN = {"estimator": "quadrature", "examples": 500, ADAPTIVE: {"tolerance": 0.1}}
SCORE = Variable("sap", ("beta",), "1", "SAP", "somebody", "higher is better", group="scores")


def pictures() -> StoredPictures:
    one = np.zeros((1, 4, 4), np.uint8)
    return StoredPictures(
        fingerprint="a1b2",
        source="dSprites, rendered",
        beta=BETA[[2]],
        example=np.array([3]),
        code=np.array([0]),
        value=np.array([1.0]),
        originals=one,
        reconstructions=one[None],
        samples=one[None],
        traversals=one[None, None],
    )


@pytest.fixture
def both(path: Path) -> tuple[Results, Results]:
    """Before and after the second of three betas was left out."""
    with open_writer(path, make_header(parameters=CHOSEN)) as writer:
        for position in (0, 2):
            writer.write(position, make_values(position), PARAMETERS)
            record = ScoreRecord(SCORE, 0.5, {"_code": np.array([1.0, 2.0])}, {"bins": position})
            writer.write_scores(position, [record])
    write_pictures(path, pictures())
    texts = ModelTexts("m", BETA[[0]], (("a cat",),), None, "a1b2")
    add_texts(path, Texts((texts,), ("draw",), "samples", None, False, {}))
    before = read(path)
    with reopen(path) as writer:
        writer.leave_out_pending()
        assert writer.pending == []
        assert len(writer.header.beta) == 2
    return before, read(path)


def test_values_are_those_of_the_evaluated_betas(both: tuple[Results, Results]) -> None:
    before, after = both
    assert after.beta.tolist() == [0.1, 10.0]
    assert after.evaluated.all()
    assert list(after.metrics) == list(before.metrics)
    for name in before.metrics:
        np.testing.assert_array_equal(after.metric(name), before.metric(name))
    assert after.parameters == before.parameters
    assert after.header.parameters == CHOSEN
    sap = before.scores["sap"], after.scores["sap"]
    np.testing.assert_array_equal(sap[1].values["_code"], sap[0].values["_code"][[0, 2]])
    assert sap[1].details == (sap[0].details[0], sap[0].details[2])
    assert sap[1].variable == sap[0].variable


def test_moments_move_with_their_beta(both: tuple[Results, Results]) -> None:
    before, after = both
    moments = after.moments(1)
    np.testing.assert_array_equal(moments.mean, make_values(2)["mean"])
    np.testing.assert_array_equal(moments.classes, make_header().classes)
    with pytest.raises(ResultsError, match="read it again"):
        before.moments(2)


def test_pictures_and_texts_stay(both: tuple[Results, Results]) -> None:
    found = read_pictures(both[1].path)
    assert found is not None
    assert found.beta.tolist() == [10.0]
    (texts,) = read_texts(both[1].path).values()
    assert texts.models[0].texts == (("a cat",),)


def test_other_readers_open_it_with_its_axes(both: tuple[Results, Results]) -> None:
    xarray = pytest.importorskip("xarray")
    with xarray.open_datatree(both[1].path, engine="h5netcdf") as tree:
        assert tree["metrics/rate_code"].dims == ("beta", "code")
        assert tree["metrics/rate"].attrs["units"] == "nats"
        assert tree["beta"].to_numpy().tolist() == [0.1, 10.0]
        assert not np.isnan(tree["metrics/rate"]).any()
        assert tree["moments/mean"].dims == ("beta", "example", "code")
        assert tree["pictures/samples"].dims[0] == "picture_beta"


def test_the_file_does_not_grow(path: Path) -> None:
    """The room of the arrays that were there is used again."""
    rng = np.random.default_rng(0)
    index = np.arange(5000)
    classes = np.zeros((5000, 3), int)
    header = make_header(parameters=CHOSEN, index=index, classes=classes)
    with open_writer(path, header) as writer:
        for position in (0, 2):
            writer.write(position, {"mean": rng.random((5000, 2), np.float32)})
        size = path.stat().st_size
        writer.leave_out_pending()
    assert path.stat().st_size < 1.1 * size


def test_a_finished_choice_is_the_same_evaluation(both: tuple[Results, Results]) -> None:
    """Begun with all candidates again, there is nothing left to do, unless it differs."""
    path = both[1].path
    before = path.read_bytes()
    with open_writer(path, make_header(parameters=CHOSEN)) as writer:
        assert writer.pending == []
        writer.leave_out_pending()
    for changes, message in (
        ({"parameters": CHOSEN | {ADAPTIVE: {"tolerance": 0.2}}}, "parameter adaptive"),
        ({"parameters": CHOSEN, "beta": np.array([0.1, 1.0, 5.0])}, "betas: 0.1 to 10"),
        ({}, "parameter adaptive"),
    ):
        with (
            pytest.raises(ResultsError, match=message),
            open_writer(path, make_header(**changes)),
        ):
            pass
    assert path.read_bytes() == before


def test_a_fixed_grid_that_was_shortened_is_another_evaluation(path: Path) -> None:
    with open_writer(path, make_header(beta=BETA[:2])) as writer:
        writer.write(0, make_values(0), PARAMETERS)
    with pytest.raises(ResultsError, match="betas"), open_writer(path, make_header()):
        pass
