"""Pictures are files of the asked kind and size, and drawing leaves nothing behind."""

import io
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from mrtc.errors import OutputError
from mrtc.plots import mig, save
from mrtc.plots.theme import beta_limits, log_ticks, new_figure, points_well_apart, theme

from .conftest import MakeResults

STARTS = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml", ".PNG": b"\x89PNG"}


@pytest.mark.parametrize("suffix", STARTS)
def test_the_suffix_chooses_the_format(
    tmp_path: Path, make_results: MakeResults, suffix: str
) -> None:
    """And equal figures are equal files, byte for byte."""
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    save(mig(make_results(7)), first)
    save(mig(make_results(7)), second)

    assert first.read_bytes().startswith(STARTS[suffix])
    assert first.read_bytes() == second.read_bytes()


def test_a_png_has_the_size_of_the_figure_and_something_on_it(
    tmp_path: Path, make_results: MakeResults
) -> None:
    path = tmp_path / "mig.png"
    save(mig(make_results(7)), path)

    with Image.open(path) as image:
        assert image.size == (1650, 900)  # 5.5 by 3 inches, 300 dots each
        assert len(np.unique(np.asarray(image))) > 10


@pytest.mark.parametrize("name", ["mig.jpg", "mig", "mig.h5"])
def test_another_suffix_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"mig.*choose one of \.png, \.pdf, \.svg"):
        save(new_figure(), tmp_path / name)

    assert list(tmp_path.iterdir()) == []


def test_drawing_leaves_no_figure_and_no_setting(make_results: MakeResults) -> None:
    before = dict(mpl.rcParams)
    mig(make_results(2)).savefig(io.BytesIO())

    assert plt.get_fignums() == []
    assert dict(mpl.rcParams) == before
    with theme():
        assert dict(mpl.rcParams) != before


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.09, 11.0, [0.1, 1, 10]),
        (0.3, 11.0, [0.5, 1, 2, 5, 10]),
        (1.9, 4.1, [2, 3, 4]),
        (0.009, 110.0, [0.01, 0.1, 1, 10, 100]),
    ],
)
def test_ticks_are_few_and_round(low: float, high: float, ticks: list[float]) -> None:
    np.testing.assert_allclose(log_ticks(low, high), ticks)


@pytest.mark.parametrize("ratio", np.geomspace(1.02, 1e9, 40))
def test_every_range_has_ticks(ratio: float) -> None:
    """Two at least, so that the scale can be read, and ten at most."""
    low, high = beta_limits(np.array([0.37, 0.37 * ratio]))
    ticks = log_ticks(low, high)

    assert 2 <= len(ticks) <= 10
    assert low <= min(ticks) <= max(ticks) <= high
    assert len({f"{tick:g}" for tick in ticks}) == len(ticks)


def test_one_beta_stands_in_the_middle() -> None:
    low, high = beta_limits(np.array([4.0]))

    assert low < 4 < high
    assert np.sqrt(low * high) == pytest.approx(4)


def test_points_to_annotate_are_an_eighth_of_the_curve_apart() -> None:
    """18 on a line, whatever the units of its axes: every third, but none close to the last."""
    x = np.arange(18.0)
    for y in (np.zeros(18), 1e6 - 1e4 * x):
        assert points_well_apart(x, y) == [0, 3, 6, 9, 12, 17]
    failed = np.where(x == 3, np.nan, x)
    assert points_well_apart(x, failed) == [0, 4, 7, 10, 13, 17]
    assert points_well_apart(x[:1], x[:1]) == [0]
    assert points_well_apart(x * np.nan, x) == []
