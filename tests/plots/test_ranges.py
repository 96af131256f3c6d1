"""Curves of ranges: every seed, their means, and the ends with their betas."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mrtc.plots.ranges import range_curves
from mrtc.results import VARIABLES, RunSet

LOW, HIGH = np.geomspace(0.01, 1, 5), np.geomspace(0.1, 10, 4)


def make_runs(beta: np.ndarray, seeds: int = 2) -> RunSet:
    draw = np.random.default_rng(len(beta))
    rate = 20 - 4 * np.log(beta) + draw.normal(0, 1, (seeds, len(beta)))
    return RunSet(
        kind="multi-rate",
        beta=beta,
        seed=np.arange(seeds),
        config={},
        parameters={},
        source="noise",
        num_codes=3,
        factors=(),
        values={"rate": rate, "distortion": 90 - rate},
        variables={name: VARIABLES[name] for name in ("rate", "distortion")},
        cost={},
    )


def lines(axes: Axes, points: int) -> list[Line2D]:
    return [line for line in axes.get_lines() if len(np.asarray(line.get_xdata())) == points]


def test_means_seeds_and_ends_are_drawn() -> None:
    sets = {"low": make_runs(LOW), "high": make_runs(HIGH)}
    figure = range_curves(sets, title="a title")
    plane, rates = figure.axes
    for runs in sets.values():
        rate, distortion = runs.value("rate"), runs.value("distortion")
        for axes, x, y in ((plane, rate, distortion), (rates, [runs.beta] * 2, rate)):
            *seeds, mean = lines(axes, len(runs.beta))
            np.testing.assert_allclose([s.get_xdata() for s in seeds], x)
            np.testing.assert_allclose([s.get_ydata() for s in seeds], y)
            np.testing.assert_allclose(mean.get_xdata(), np.mean(x, 0))
            np.testing.assert_allclose(mean.get_ydata(), y.mean(0))
    ends = np.array([line.get_xydata()[0] for line in lines(plane, 1)])
    means = [
        [runs.value("rate")[:, at].mean(), runs.value("distortion")[:, at].mean()]
        for runs in sets.values()
        for at in (0, -1)
    ]
    np.testing.assert_allclose(ends, means)
    assert [text.get_text() for text in plane.texts] == ["0.01", "1", "0.1", "10"]
    assert [text.get_text() for text in rates.texts] == [f"{rate:.3g}" for rate, _ in means]
    assert rates.get_xscale() == "log"
    assert figure.get_suptitle() == "a title"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["low", "high"]


def test_squared_errors_are_not_called_nats() -> None:
    runs = replace(make_runs(LOW), config={"likelihood": "squared_error"})
    plane, rates = range_curves({"squares": runs}, title="").axes
    assert plane.get_ylabel() == "distortion (squared error per example)"
    assert rates.get_ylabel() == "rate (nats per example)"


def test_published_ends_are_hollow() -> None:
    theirs = np.array([30.0, 5.0]), np.array([60.0, 80.0])
    sets = {"low": make_runs(LOW, 1), "high": make_runs(HIGH, 1)}
    figure = range_curves(sets, title="", published={"low": theirs})
    plane, rates = figure.axes
    (drawn,) = lines(plane, 2)
    np.testing.assert_array_equal(drawn.get_xydata(), np.stack(theirs, axis=1))
    assert drawn.get_markerfacecolor() == "white"
    (drawn,) = lines(rates, 2)
    np.testing.assert_array_equal(drawn.get_xydata(), [[0.01, 30], [1, 5]])
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[-1].replace("\n", " ") == "Bae et al., ends (published)"


@pytest.mark.parametrize("where", [np.s_[0, 0], np.s_[:, -1], np.s_[:]])
def test_runs_that_failed_leave_gaps(where: tuple[int | slice, ...]) -> None:
    """The mean is of those that did not fail; an end without runs has no mark."""
    runs = make_runs(LOW)
    rate = runs.value("rate").copy()
    rate[where] = np.nan
    runs = replace(runs, values={"rate": rate, "distortion": runs.value("distortion")})
    figure = range_curves({"low": runs}, title="")
    figure.canvas.draw()
    there = np.isfinite(rate).any(0)
    assert len(figure.axes[0].texts) == there[[0, -1]].sum()
    mean = np.asarray(lines(figure.axes[1], 5)[-1].get_ydata())
    np.testing.assert_array_equal(np.isfinite(mean), there)
    if there[0]:
        assert mean[0] == pytest.approx(np.nanmean(rate[:, 0]))


def test_no_set_is_refused() -> None:
    with pytest.raises(ValueError, match="no set to draw"):
        range_curves({}, title="")
