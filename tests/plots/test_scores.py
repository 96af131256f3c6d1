"""Pictures of scores: every score where its family is, intervals, and agreement as it is."""

from dataclasses import replace

import numpy as np
import pytest

from mrtc.errors import ResultsError
from mrtc.plots import agreement_matrix, scores
from mrtc.results import Results, ScoreSeries, Variable

from .conftest import MakeResults


def with_scores(results: Results, names: tuple[str, ...]) -> Results:
    draw = np.random.default_rng(0)
    series = {}
    for name in names:
        unit = "nats" if name == "rate" else "1"
        value = draw.random(len(results.beta))
        values = {"": value, "_low": value - 0.1, "_high": value + 0.1}
        variable = Variable(name, ("beta",), unit, f"title of {name}", "source")
        series[name] = ScoreSeries(variable, values, (None,) * len(value))
    return replace(results, scores=series)


@pytest.mark.parametrize("num_betas", [1, 2, 50])
def test_scores_stand_with_their_family(make_results: MakeResults, num_betas: int) -> None:
    results = with_scores(make_results(num_betas), ("rate", "irs", "mig_sup", "dcimig", "own"))
    figure = scores(results)
    figure.canvas.draw()
    panels = [axes.get_title(loc="left") for axes in figure.axes]
    assert panels == ["gaps", "interventions", "rates", "others"]
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["title of mig_sup", "title of dcimig"]
    line = figure.axes[0].get_lines()[0]
    np.testing.assert_array_equal(line.get_ydata(), results.scores["mig_sup"].value)
    assert len(figure.axes[0].collections) == 2  # the intervals
    assert figure.axes[2].get_ylabel() == "nats per example"


def test_without_scores_there_is_no_picture(make_results: MakeResults) -> None:
    with pytest.raises(ResultsError, match="holds no scores; add some with"):
        scores(make_results(3))


def test_agreement_shows_its_numbers() -> None:
    matrix = np.array([[1.0, -0.5], [-0.5, 1.0]])
    figure = agreement_matrix(("one", "other"), matrix, "a title")
    figure.canvas.draw()
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["1.0", "-0.5", "-0.5", "1.0"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["one", "other"]
    assert figure.get_suptitle() == "a title"
