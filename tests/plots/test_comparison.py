"""A comparison shows every number of every set, none above another, and hides no failure."""

from collections.abc import Callable, Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from PIL import Image
from scipy import stats

from mrtc.errors import ResultsError
from mrtc.plots import differences, over_beta, rate_distortion_of, save, slope_picture, title_of
from mrtc.results import VARIABLES, RunSet
from mrtc.statistics import Slopes, slopes

GRID = np.geomspace(0.1, 10, 9)
NAMES = ("rate", "distortion", "elbo", "mig_chen", "active_units", "rate_code")
Sets = dict[str, RunSet]


def make_runs(beta: np.ndarray, seeds: int, stream: int = 0) -> RunSet:
    draw = np.random.default_rng(stream)
    shape = (seeds, len(beta))
    rate = 20 - 6 * np.log(beta) + draw.normal(0, 0.3, shape)
    distortion = 30 + 6 * beta + draw.normal(0, 0.3, shape)
    return RunSet(
        kind="multi-rate",
        beta=beta,
        seed=np.arange(seeds),
        config={},
        parameters={
            "encoded": 737_280,
            "keep": 10_000,
            "estimator": "quadrature",
            "scored_factors": ["scale", "x", "y"],
        },
        source="dSprites, rendered",
        num_codes=10,
        factors=("shape", "scale", "x", "y"),
        values={
            "rate": rate,
            "distortion": distortion,
            "elbo": -rate - distortion,
            "mig_chen": draw.uniform(0, 0.9, shape),
            "active_units": draw.integers(0, 11, shape).astype(float),
            "rate_code": draw.random((*shape, 10)),
        },
        variables={name: VARIABLES[name] for name in NAMES},
        cost={},
    )


def make_sets(seeds: int = 3) -> Sets:
    """The baselines have every second beta of the multi-rate runs."""
    return {
        "multi-rate": make_runs(GRID, seeds),
        "baselines": make_runs(GRID[::2], seeds, stream=1),
    }


def slopes_of(sets: Mapping[str, RunSet]) -> dict[str, list[Slopes]]:
    return {
        label: [
            slopes(runs.beta, *both)
            for both in zip(runs.value("rate"), runs.value("distortion"), strict=True)
        ]
        for label, runs in sets.items()
    }


def difference_of(sets: Mapping[str, RunSet]) -> Figure:
    one, two = sets["multi-rate"].at(GRID[::2]), sets["baselines"]
    value = (one.value("elbo") - two.value("elbo"))[0]
    no = np.full(len(value), np.nan)
    return differences(
        "elbo", "nats", two.beta, value, no, no, 1.0, label="multi-rate less baselines"
    )


PICTURES: dict[str, Callable[[Sets], Figure]] = {
    "rate_distortion_of": rate_distortion_of,
    "mig_chen": lambda sets: over_beta(sets, "mig_chen"),
    "active_units": lambda sets: over_beta(sets, "active_units"),
    "elbo": lambda sets: over_beta(sets, "elbo"),
    "slope_picture": lambda sets: slope_picture(slopes_of(sets), title=title_of(sets)),
    "differences": difference_of,
}
EVERY = pytest.mark.parametrize("draw", PICTURES.values(), ids=PICTURES.keys())


def legend_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def line_of(axes: Axes, label: str) -> Line2D:
    (line,) = (line for line in axes.get_lines() if line.get_label() == label)
    return line


def written_betas(axes: Axes) -> list[Annotation]:
    return [text for text in axes.texts if isinstance(text, Annotation)]


def like(axes: Axes, line: Line2D) -> list[Line2D]:
    """Other lines of that colour, as they were drawn: the seeds of a mean."""
    return [
        other
        for other in axes.get_lines()
        if other.get_color() == line.get_color() and other is not line
    ]


def test_every_seed_and_the_mean_are_drawn_over_the_rate() -> None:
    sets = make_sets()
    axes = rate_distortion_of(sets).axes[0]

    for label, runs in sets.items():
        mean = line_of(axes, label)
        np.testing.assert_allclose(mean.get_xdata(), runs.values["rate"].mean(0))
        np.testing.assert_allclose(mean.get_ydata(), runs.values["distortion"].mean(0))
        seeds = like(axes, mean)
        assert len(seeds) == 3
        for seed, rate, distortion in zip(
            seeds, runs.values["rate"], runs.values["distortion"], strict=True
        ):
            np.testing.assert_array_equal(seed.get_xdata(), rate)
            np.testing.assert_array_equal(seed.get_ydata(), distortion)
            assert seed.get_linewidth() < mean.get_linewidth()
            assert seed.get_marker() == mean.get_marker()
    assert axes.get_xlabel() == "rate (nats per example)"
    assert axes.get_ylabel() == "distortion (nats per example)"


def test_written_betas_stand_where_they_belong_and_join_the_sets() -> None:
    sets = make_sets()
    axes = rate_distortion_of(sets).axes[0]

    joins = [line for line in axes.get_lines() if line.get_label() == "same beta"]
    texts = written_betas(axes)
    assert 3 <= len(joins) == len(texts) <= 9
    for join, text in zip(joins, texts, strict=True):
        written = float(text.get_text().removeprefix("beta "))
        ends = np.stack([join.get_xdata(), join.get_ydata()])
        for at, runs in enumerate(sets.values()):
            near = int(np.abs(np.log(runs.beta / written)).argmin())
            expected = [runs.values[name][:, near].mean() for name in ("rate", "distortion")]
            np.testing.assert_allclose(ends[:, at], expected)
        assert text.xy in [tuple(end) for end in ends.T]
    assert texts[0].get_text() == "beta 0.1"


@pytest.mark.parametrize("worse", [0, 1])
def test_betas_are_written_where_no_curve_is_in_the_way(worse: int) -> None:
    """Beside the outer curve, whichever set it is."""
    sets = make_sets()
    outer = list(sets.values())[worse]
    for name in ("rate", "distortion"):
        outer.values[name][:] += 5
    axes = rate_distortion_of(sets).axes[0]

    expected = np.stack([outer.values[name].mean(0) for name in ("rate", "distortion")], axis=1)
    assert written_betas(axes)
    for text in written_betas(axes):
        assert np.isclose(expected, text.xy).all(1).any()


def test_betas_are_not_written_under_the_curve_of_the_other_set() -> None:
    """The long curve reaches further, and is below the short one all the way."""
    sets = {"short": make_runs(GRID[::4], 2), "long": make_runs(GRID[::4], 2)}
    points = {"short": ([10, 40, 70], [90, 40, 38]), "long": ([9, 60, 200], [45, 35, 10])}
    for label, runs in sets.items():
        for name, values in zip(("rate", "distortion"), points[label], strict=True):
            runs.values[name][:] = values
    axes = rate_distortion_of(sets).axes[0]

    assert [text.xy for text in written_betas(axes)] == [(10, 90), (40, 40), (200, 10)]


def test_sets_at_other_betas_are_not_joined() -> None:
    sets = {"one": make_runs(GRID, 2), "two": make_runs(GRID * 1.1, 2)}
    figure = rate_distortion_of(sets)

    assert "same beta" not in legend_of(figure)
    assert len(figure.axes[0].texts) >= 3


def test_over_beta_draws_seeds_mean_and_interval() -> None:
    """The interval is scipy's, at every beta."""
    sets = make_sets()
    axes = over_beta(sets, "elbo").axes[0]

    assert axes.get_xscale() == "log"
    bands = [band for band in axes.collections if isinstance(band, PolyCollection)]
    for band, (label, runs) in zip(bands, sets.items(), strict=True):
        values = runs.values["elbo"]
        mean = line_of(axes, label)
        np.testing.assert_array_equal(mean.get_xdata(), runs.beta)
        np.testing.assert_allclose(mean.get_ydata(), values.mean(0))
        for seed, expected in zip(like(axes, mean), values, strict=True):
            np.testing.assert_array_equal(seed.get_ydata(), expected)
        low, high = stats.t.interval(0.95, 2, values.mean(0), stats.sem(values))
        corners = band.get_paths()[0].vertices
        for beta, *ends in zip(runs.beta, low, high, strict=True):
            drawn = corners[np.isclose(corners[:, 0], beta), 1]
            np.testing.assert_allclose([drawn.min(), drawn.max()], ends)


@pytest.mark.parametrize("name", ["mig_chen", "active_units", "elbo"])
def test_one_seed_has_no_interval_and_no_thin_line(name: str) -> None:
    sets = make_sets(seeds=1)
    figure = over_beta(sets, name)

    assert legend_of(figure) == ["multi-rate", "baselines"]
    assert len(figure.axes[0].get_lines()) == 2
    for band in figure.axes[0].collections:
        assert not any(np.isfinite(path.vertices).any() for path in band.get_paths())


@pytest.mark.parametrize(("name", "highest"), [("mig_chen", 1), ("active_units", 10)])
def test_the_axis_ends_where_the_metric_does(name: str, highest: float) -> None:
    """Though an interval of few seeds goes beyond; and every value lies within it."""
    sets = make_sets(seeds=2)
    values = sets["baselines"].values[name]
    values[:, 2] = 0, highest
    low, high = stats.t.interval(0.95, 1, values[:, 2].mean(), stats.sem(values[:, 2]))
    assert low < -highest
    assert high > 2 * highest

    bottom, top = over_beta(sets, name).axes[0].get_ylim()
    assert -0.05 * highest <= bottom < 0
    assert highest < top <= 1.05 * highest


def test_values_beyond_the_range_of_a_metric_are_still_seen() -> None:
    """Only intervals are cut: a value that should not be is what one has to see."""
    sets = make_sets()
    sets["baselines"].values["mig_chen"][0, 0] = -0.7

    assert over_beta(sets, "mig_chen").axes[0].get_ylim()[0] < -0.7


def test_published_series_are_hollow_and_named() -> None:
    beta, value, half = np.array([0.02, 1, 50]), np.array([0.1, 0.5, 0.3]), np.full(3, 0.1)
    published = {"Some et al.": (beta, value, half), "Others": (beta[:2], value[:2], None)}
    figure = over_beta(make_sets(), "mig_chen", published=published)
    axes = figure.axes[0]

    assert legend_of(figure)[-2:] == ["Some et al.\n(published)", "Others (published)"]
    line = line_of(axes, "Some et al.\n(published)")
    np.testing.assert_array_equal(line.get_xdata(), beta)
    np.testing.assert_array_equal(line.get_ydata(), value)
    assert line.get_markerfacecolor() == "white"
    assert line.get_marker() != line_of(axes, "Others (published)").get_marker()
    bars = [
        path.vertices
        for collection in axes.collections
        for path in collection.get_paths()
        if len(path.vertices) == 2
    ]
    expected = np.stack([beta, value - half, beta, value + half], axis=1).reshape(3, 2, 2)
    np.testing.assert_allclose(bars[:3], expected)
    low, high = axes.get_xlim()
    assert low < 0.02
    assert high > 50


def test_slopes_outside_the_factor_are_hollow() -> None:
    """And only those; what cannot be on a logarithmic axis stands at its edge."""
    beta = np.geomspace(0.1, 10, 5)
    ratio = np.array([1.0, 1.9, 2.1, -1.0, np.nan])
    sets = {
        "ours": [Slopes(beta, beta * ratio, ratio)],
        "theirs": [Slopes(beta, beta, beta / beta)],
    }
    figure = slope_picture(sets, 2.0, title="a title")
    axes = figure.axes[0]

    hollow = [line for line in axes.get_lines() if line.get_markerfacecolor() == "white"]
    (ours,) = hollow
    np.testing.assert_array_equal(ours.get_xdata(), beta[2:4])
    bottom, top = axes.get_ylim()
    np.testing.assert_allclose(ours.get_ydata(), [2.1 * beta[2], bottom])
    assert top > 20
    optimum = line_of(axes, "optimum")
    np.testing.assert_array_equal(optimum.get_xdata(), optimum.get_ydata())
    corners = axes.collections[0].get_paths()[0].vertices
    assert set(np.round(corners[:, 1] / corners[:, 0], 9)) == {0.5, 2.0}
    assert figure.get_suptitle() == "a title"
    assert legend_of(figure) == [
        "ours",
        "theirs",
        "optimum",
        "within a factor\nof 2",
        "outside; at the edge:\nbeyond the axis",
    ]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    figure.canvas.draw()
    for axis in (axes.xaxis, axes.yaxis):
        ticks = [tick.get_text() for tick in axis.get_ticklabels()]
        assert {"0.1", "1", "10"} <= set(ticks) <= {"0.01", "0.1", "1", "10", "100"}


def test_one_wild_slope_does_not_flatten_the_others() -> None:
    beta = np.geomspace(0.1, 10, 5)
    ratio = np.array([1.0, 1.0, 1.0, 1.0, 1e9])
    axes = slope_picture({"ours": [Slopes(beta, beta * ratio, ratio)]}).axes[0]

    assert axes.get_ylim()[1] < 1000
    (hollow,) = (line for line in axes.get_lines() if line.get_markerfacecolor() == "white")
    np.testing.assert_allclose(hollow.get_ydata(), [axes.get_ylim()[1]])


def test_every_seed_has_a_line_of_slopes() -> None:
    given = slopes_of(make_sets())
    axes = slope_picture(given).axes[0]

    drawn = [line for line in axes.get_lines() if len(np.asarray(line.get_xdata())) >= 4]
    lines = [line for line in drawn if line.get_markerfacecolor() != "white"]
    for line, seed in zip(lines, (s for seeds in given.values() for s in seeds), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), seed.beta)


def test_differences_stand_beside_their_margin() -> None:
    beta, value = GRID[:3], np.array([0.1, -0.2, np.nan])
    low, high = value - 0.3, value + 0.3
    figure = differences(
        "mig_chen", "1", beta, value, low, high, 0.05, label="ours less theirs", level=0.9
    )
    axes = figure.axes[0]

    np.testing.assert_array_equal(line_of(axes, "ours less theirs").get_ydata(), value)
    (bars,) = axes.collections
    expected = np.stack([beta, low, beta, high], axis=1).reshape(3, 2, 2)[:2]
    np.testing.assert_allclose([path.vertices for path in bars.get_paths()[:2]], expected)
    (margin,) = axes.patches
    assert margin.get_extents().transformed(axes.transData.inverted()).height == pytest.approx(0.1)
    np.testing.assert_allclose(axes.get_ylim(), [-0.54, 0.54])
    assert legend_of(figure) == ["ours less theirs", "90 % interval", "margin of 0.05"]
    assert axes.get_ylabel() == "difference in MIG, Chen"


def test_differences_of_one_seed_say_so() -> None:
    figure = difference_of(make_sets(seeds=1))

    assert legend_of(figure) == [
        "multi-rate less\nbaselines",
        "one seed: no interval",
        "margin of 1",
    ]
    assert figure.axes[0].get_ylabel().endswith("(nats)")


def test_sets_are_told_apart_in_grey_and_none_is_heavier() -> None:
    """Dashes, markers and colours all differ; widths and sizes do not, whatever the grid."""
    sets = {f"set {at}": make_runs(GRID[:: 1 + at % 2], 2, at) for at in range(4)}
    sets["dense"] = make_runs(np.geomspace(0.1, 10, 50), 2)
    sets["set 3"] = sets.pop("set 3")  # the dense one is neither the first nor the last
    for figure in (rate_distortion_of(sets), over_beta(sets, "elbo")):
        lines = [line_of(figure.axes[0], label) for label in sets]
        assert len({line.get_color() for line in lines}) == 5
        assert len({line.get_marker() for line in lines}) == 5
        dashes = {str(line._dash_pattern) for line in lines}  # type: ignore[attr-defined]
        assert len(dashes) == 4
        assert len({(line.get_linewidth(), line.get_markersize()) for line in lines}) == 1
        alone = line_of(over_beta({"dense": sets["dense"]}, "elbo").axes[0], "dense")
        assert lines[0].get_markersize() == alone.get_markersize()
        for line in lines:
            red, green, blue = mpl.colors.to_rgb(line.get_color())
            assert green < 1.3 * max(red, blue)  # no green,
            assert red < 2 * max(green, blue)  # no red


@EVERY
@pytest.mark.parametrize("where", [np.s_[0, 2:4], np.s_[:, 0], np.s_[:], np.s_[1:]])
def test_runs_that_failed_leave_gaps(draw: Callable[[Sets], Figure], where: tuple) -> None:
    """Also all of a set, and all of both."""
    sets = make_sets()
    for values in sets["baselines"].values.values():
        values[where] = np.nan
    draw(sets).canvas.draw()
    for values in sets["multi-rate"].values.values():
        values[:] = np.nan
    draw(sets).canvas.draw()


def test_the_mean_is_of_the_runs_that_did_not_fail() -> None:
    """A run counts with both its numbers, or not at all."""
    sets = make_sets()
    runs = sets["multi-rate"]
    runs.values["distortion"][1, 4] = np.nan
    mean = line_of(rate_distortion_of(sets).axes[0], "multi-rate")

    kept = runs.values["rate"][[0, 2], 4].mean()
    assert np.asarray(mean.get_xdata())[4] == pytest.approx(kept)
    assert np.isfinite(runs.values["rate"]).all()  # what was given is not changed


def test_the_interval_of_a_lone_beta_is_seen() -> None:
    """A band between neighbours has no width where there is one."""
    sets = {"baselines": make_runs(np.array([4.0]), 3)}
    axes = over_beta(sets, "elbo").axes[0]

    values = sets["baselines"].values["elbo"]
    low, high = stats.t.interval(0.95, 2, values.mean(0), stats.sem(values))
    bar = axes.collections[-1].get_paths()[0].vertices
    np.testing.assert_allclose(bar, [[4, low[0]], [4, high[0]]])


@EVERY
@pytest.mark.parametrize("seeds", [1, 3])
def test_pictures_are_files_and_nothing_is_cut_off(
    tmp_path: Path, draw: Callable[[Sets], Figure], seeds: int
) -> None:
    figure = draw(make_sets(seeds))
    path = tmp_path / "picture.png"
    save(figure, path)

    with Image.open(path) as image:
        assert image.size[0] == 1650
        assert len(np.unique(np.asarray(image))) > 20
    content, paper = figure.get_tightbbox(), figure.bbox_inches
    assert min(content.x0, content.y0) >= 0
    assert content.x1 <= paper.x1
    assert content.y1 <= paper.y1
    legend = figure.legends[0].get_window_extent()
    assert legend.x0 > figure.axes[0].get_window_extent().x1  # beside the data


def test_titles_say_what_is_seen() -> None:
    sets = make_sets()
    start = "dSprites, rendered; 737,280 examples (10,000 decoded); "

    assert title_of(sets) == start + "3 seeds each"
    assert title_of({"one": make_runs(GRID, 1)}) == start + "1 seed"
    assert title_of(sets | {"few": make_runs(GRID, 1)}) == start + "1 to 3 seeds"
    assert over_beta(sets, "mig_chen").get_suptitle() == (
        start + "3 seeds each\nquadrature estimator; scored factors: scale, x, y"
    )
    assert rate_distortion_of(sets).get_suptitle() == start + "3 seeds each"


def test_labels_name_metric_and_unit() -> None:
    sets = make_sets()

    assert over_beta(sets, "active_units").axes[0].get_ylabel() == "active units (of 10 codes)"
    assert over_beta(sets, "mig_chen").axes[0].get_ylabel() == "MIG, Chen"
    assert over_beta(sets, "elbo").axes[0].get_ylabel().endswith(" (nats)")


def test_what_cannot_be_drawn_is_said() -> None:
    sets = make_sets()
    with pytest.raises(ResultsError, match="hold no sap, only rate"):
        over_beta(sets, "sap")
    with pytest.raises(ResultsError, match=r"a value for each code at each beta.*: choose one of"):
        over_beta(sets, "rate_code")
    with pytest.raises(ResultsError, match=r"no slopes of one: .* at two betas or more"):
        slope_picture(slopes_of({"one": make_runs(np.array([4.0]), 2)}))
    with pytest.raises(ValueError, match="the factor is finite and above 1, got 1"):
        slope_picture(slopes_of(sets), 1.0)
    for draw in (rate_distortion_of, lambda none: over_beta(none, "elbo")):
        with pytest.raises(ValueError, match="no set to draw; give one at least"):
            draw({})
