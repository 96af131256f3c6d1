"""A curve shows the numbers that it was given, all of them, with their names and units."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mrtc.errors import ResultsError
from mrtc.plots import KINDS, active_units, mig, rate_distortion

from .conftest import FACTORS, MakeResults

COUNTS = pytest.mark.parametrize("num_betas", [1, 2, 50])

CURVES = ("mig", "rd", "au")


def legend_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def shaded_of(figure: Figure) -> list[tuple[float, float]]:
    patches = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    return [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in patches]


@COUNTS
def test_mig_draws_the_mean_and_every_factor(make_results: MakeResults, num_betas: int) -> None:
    results = make_results(num_betas)
    axes = mig(results).axes[0]

    lines = {str(line.get_label()): line for line in axes.get_lines()}
    expected = {"mean": results.metrics["mig_chen"]}
    for at, factor in enumerate(FACTORS):
        label = "shape (not scored)" if factor == "shape" else factor
        expected[label] = results.metrics["mig_chen_factor"][:, at]
    assert lines.keys() == expected.keys()
    for label, values in expected.items():
        np.testing.assert_array_equal(lines[label].get_xdata(), results.beta)
        np.testing.assert_array_equal(lines[label].get_ydata(), values)
        assert lines[label].get_marker() not in ("", "None")  # a single point is seen
    assert lines["shape (not scored)"].get_linestyle() == ":"


def test_mig_legend_reads_from_the_highest_end_down(make_results: MakeResults) -> None:
    results = make_results(7)
    results.metrics["mig_chen_factor"][-1] = [0.1, 0.5, np.nan, 0.9, 0.3]
    results.metrics["mig_chen_factor"][-2, 2] = 0.7  # the last number of a line that ends in NaN

    assert legend_of(mig(results)) == [
        "mean", "x", "orientation", "scale", "y", "shape (not scored)",
    ]  # fmt: skip


def test_mig_is_grey_where_fewer_than_two_codes_are_active(make_results: MakeResults) -> None:
    """Halfway, on the logarithmic axis, to the betas where it has a meaning; and it says so."""
    results = make_results(5)
    beta = results.beta
    results.metrics["active_units"][:] = [1, 2, 1, 0, 2]
    figure = mig(results)

    low, _ = figure.axes[0].get_xlim()
    np.testing.assert_allclose(
        shaded_of(figure),
        [
            (low, np.sqrt(beta[0] * beta[1])),
            (np.sqrt(beta[1] * beta[2]), np.sqrt(beta[3] * beta[4])),
        ],
    )
    assert legend_of(figure)[-1] == "fewer than two\nactive codes"
    assert shaded_of(mig(make_results(5))) == []


@COUNTS
def test_rate_distortion_draws_each_beta_in_its_colour(
    make_results: MakeResults, num_betas: int
) -> None:
    results = make_results(num_betas)
    figure = rate_distortion(results)
    axes, bar = figure.axes

    (points,) = axes.collections
    expected = np.stack([results.metrics["rate"], results.metrics["distortion"]], axis=1)
    np.testing.assert_array_equal(points.get_offsets(), expected)
    np.testing.assert_array_equal(points.get_array(), results.beta)
    assert bar.get_ylabel() == "beta"
    assert axes.get_xlabel() == "rate (nats per example)"
    assert axes.get_ylabel() == "distortion (nats per example)"


@pytest.mark.parametrize(
    ("likelihood", "unit"),
    [("bernoulli", "nats"), ("gaussian", "nats"), ("squared_error", "squared error")],
)
def test_distortions_are_in_the_unit_of_the_likelihood(
    make_results: MakeResults, likelihood: str, unit: str
) -> None:
    results = make_results(3)
    header = replace(results.header, config={"likelihood": likelihood})
    axes = rate_distortion(replace(results, header=header)).axes[0]
    assert axes.get_ylabel() == f"distortion ({unit} per example)"
    assert axes.get_xlabel() == "rate (nats per example)"


@COUNTS
def test_annotations_stand_at_their_points(make_results: MakeResults, num_betas: int) -> None:
    """The first, the last, and few enough between that they do not collide."""
    results = make_results(num_betas)
    axes = rate_distortion(results).axes[0]

    found = {tuple(text.xy): text.get_text() for text in axes.texts}  # type: ignore[attr-defined]
    points = zip(results.metrics["rate"], results.metrics["distortion"], strict=True)
    labels = {point: f"{beta:.2g}" for point, beta in zip(points, results.beta, strict=True)}
    assert found.items() <= labels.items()
    first, *_, last = [*labels, *labels]
    assert {first, last} <= found.keys()
    assert len(found) <= 9


@COUNTS
def test_active_units_draws_the_count_and_every_code(
    make_results: MakeResults, num_betas: int
) -> None:
    results = make_results(num_betas)
    left, right = active_units(results).axes

    (count,) = left.get_lines()
    np.testing.assert_array_equal(count.get_xdata(), results.beta)
    np.testing.assert_array_equal(count.get_ydata(), results.metrics["active_units"])
    assert left.get_ylabel() == "active units (of 10 codes)"
    assert right.get_ylabel() == "rate of each code (nats per example)"
    lines = {str(line.get_label()): line for line in right.get_lines()}
    assert len(lines) == 10
    for code in range(10):
        np.testing.assert_array_equal(
            lines[f"code {code}"].get_ydata(), results.metrics["rate_code"][:, code]
        )


def test_codes_are_listed_by_rate_and_the_lowest_are_grey(make_results: MakeResults) -> None:
    results = make_results(7, num_codes=12)
    results.metrics["rate_code"][:] = np.roll(np.arange(12.0), 3)  # code 2 is the highest
    figure = active_units(results)

    by_rate = [f"code {code % 12}" for code in range(2, -10, -1)]
    assert legend_of(figure) == [*by_rate[:10], "2 others"]
    colours = {str(line.get_label()): line.get_color() for line in figure.axes[1].get_lines()}
    assert colours[by_rate[10]] == colours[by_rate[11]] == "0.8"
    assert len({colours[name] for name in by_rate[:10]}) == 10


@pytest.mark.parametrize("kind", CURVES)
@pytest.mark.parametrize("num_betas", [1, 2, 50])
def test_the_axis_of_beta_reads_plain_numbers(
    make_results: MakeResults, kind: str, num_betas: int
) -> None:
    figure = KINDS[kind](make_results(num_betas))
    figure.canvas.draw()

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_label_text() == "beta":
                ticks = [tick.get_text() for tick in axis.get_ticklabels()]
                assert ticks == (["2", "5", "10"] if num_betas == 1 else ["0.1", "1", "10"])
                assert axis.get_scale() == "log"


@pytest.mark.parametrize("kind", CURVES)
def test_betas_that_are_not_evaluated_are_left_out(make_results: MakeResults, kind: str) -> None:
    """The picture of an interrupted evaluation joins what is there."""
    results = make_results(7, pending=(2, 6))

    for axes in KINDS[kind](results).axes:
        for line in axes.get_lines():
            assert np.isfinite(np.asarray(line.get_ydata())).all()
            assert len(np.asarray(line.get_xdata())) == 5


@pytest.mark.parametrize("kind", CURVES)
@pytest.mark.parametrize("where", [slice(0, 1), slice(3, 5), slice(None)])
def test_values_that_are_nan_leave_a_gap(
    make_results: MakeResults, kind: str, where: slice
) -> None:
    """Also where every value is: the picture is then empty, and still a picture."""
    results = make_results(7)
    for values in results.metrics.values():
        values[where] = np.nan

    KINDS[kind](results).canvas.draw()


@pytest.mark.parametrize("kind", CURVES)
def test_the_title_says_what_the_numbers_are(make_results: MakeResults, kind: str) -> None:
    title = KINDS[kind](make_results(7)).get_suptitle()

    assert title.startswith("dSprites, rendered; ")
    assert "737,280 examples" in title
    if kind == "mig":
        assert "quadrature estimator" in title
        assert title.endswith("scored factors: scale, orientation, x, y")
    else:
        assert "estimator" not in title


@pytest.mark.parametrize("kind", CURVES)
@pytest.mark.parametrize("num_betas", [1, 2, 50])
def test_nothing_is_cut_off(make_results: MakeResults, kind: str, num_betas: int) -> None:
    """Titles, labels and legends stay on the paper, with names as long as they come."""
    results = make_results(num_betas, num_codes=32)
    names = tuple(f"a factor named {name}" for name in FACTORS)
    results = replace(results, header=replace(results.header, factors=names))
    results.parameters["mig_chen"]["scored_factors"] = list(names)  # type: ignore[index]
    figure = KINDS[kind](results)
    figure.canvas.draw()

    content, paper = figure.get_tightbbox(), figure.bbox_inches
    assert content.x0 >= 0
    assert content.y0 >= 0
    assert content.x1 <= paper.x1
    assert content.y1 <= paper.y1


@pytest.mark.parametrize(
    ("kind", "metric"), [("mig", "mig_chen"), ("rd", "distortion"), ("au", "rate_code")]
)
def test_a_metric_that_the_file_lacks_is_named(
    make_results: MakeResults, kind: str, metric: str
) -> None:
    results = make_results(7)
    kept = {name: values for name, values in results.metrics.items() if name != metric}

    with pytest.raises(ResultsError, match=rf"results\.h5 holds no {metric}, only .*; evaluate"):
        KINDS[kind](replace(results, metrics=kept))
