"""The picture of life-lines shows each life from its birth to its death, and each hand-over."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import QuadMesh

from mrtc.errors import ResultsError
from mrtc.hierarchy import LatentGroup
from mrtc.plots.lifelines import ROWS, lifelines
from mrtc.plots.theme import beta_limits
from mrtc.results import Header, Results
from mrtc.results.groups import group_parameters

BETA = np.geomspace(0.1, 10, 9)
FACTORS = ("scale", "x")


@pytest.fixture
def results() -> Results:
    """Code 0 lives all along, code 1 dies halfway, code 2 is born there, code 3 never lives."""
    steps = np.arange(9.0)
    variance = np.stack([np.ones(9), 0.01 + (4.5 - steps), 0.01 + (steps - 4.5), np.zeros(9)], 1)
    information = np.zeros((9, 4, 2))
    information[:, 0, 1] = 2.0
    information[:, 1, 0], information[:, 2, 0] = np.maximum(0, variance[:, 1:3]).T
    return Results(
        path=Path("r.h5"),
        header=Header(BETA, 4, FACTORS, {}, "f", 0, "crosses", {}),
        evaluated=np.ones(9, bool),
        metrics={
            "rate_code": np.maximum(0, variance),
            "code_variance": variance,
            "information": information,
        },
        parameters={},
        versions={},
        created="",
    )


def bars(axes) -> list[tuple[float, float, float]]:
    """Row, start and end of each bar."""
    found = []
    for mesh in axes.collections:
        assert isinstance(mesh, QuadMesh)
        corners = mesh.get_coordinates()
        x, y = corners[..., 0], corners[..., 1]
        found.append((float(y.mean()), float(x.min()), float(x.max())))
    return sorted(found)


def test_bars_go_from_birth_to_death(results: Results) -> None:
    low, high = beta_limits(BETA)
    turn = BETA[4] * (BETA[5] / BETA[4]) ** 0.5
    figure = lifelines(results)
    left, right = figure.axes[:2]
    for axes in (left, right):
        np.testing.assert_allclose(
            bars(axes), [(0, low, high), (1, turn, high), (2, low, turn)], atol=1e-9
        )
    assert [label.get_text() for label in left.get_yticklabels()] == ["code 0", "code 2", "code 1"]
    (births,) = left.get_lines()
    np.testing.assert_allclose(births.get_xydata(), [[turn, 1]])
    assert left.get_ylim() == (2.5, -0.5)


def test_a_hand_over_is_an_arrow_from_giver_to_taker(results: Results) -> None:
    right = lifelines(results).axes[1]
    (arrow,) = right.texts
    turn = BETA[4] * (BETA[5] / BETA[4]) ** 0.5
    np.testing.assert_allclose(arrow.xy, [turn, 1])
    np.testing.assert_allclose(arrow.xyann, [turn, 2])


def test_the_legend_names_the_factors(results: Results) -> None:
    legend = [text.get_text() for text in lifelines(results).legends[0].get_texts()]
    assert legend[:2] == ["scale", "x"]
    assert "hand-over" in legend


def test_without_factors_there_is_one_panel(results: Results) -> None:
    metrics = {n: v for n, v in results.metrics.items() if n != "information"}
    figure = lifelines(replace(results, metrics=metrics))
    assert len(figure.axes) == 2  # with the scale of colours
    assert not figure.legends
    assert "3 of 4 codes are active" in figure.get_suptitle()


def test_codes_of_a_hierarchy_are_named_by_group_map_and_place(results: Results) -> None:
    """Of 1 map of 2 x 2, its four codes in reading order; the third comes last."""
    parameters = group_parameters([LatentGroup(3, 1), LatentGroup(1, 2)], 1)
    figure = lifelines(replace(results, header=replace(results.header, parameters=parameters)))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["map 0 (0, 0)", "map 0 (1, 0)", "map 0 (0, 1)"]
    assert "3 of 4 codes of group 1 of 2 (1 map of 2 x 2) are active" in figure.get_suptitle()


def test_dollars_in_names_are_dollars(results: Results) -> None:
    """Between two of them matplotlib reads formulas, and stops at what is none."""
    header = replace(results.header, factors=("a$_{b$", 'a "q" $<b>$'), source="images of $^$")
    figure = lifelines(replace(results, header=header))
    figure.canvas.draw()
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[:2] == ["a$_{b$", 'a "q" $<b>$']
    assert figure.get_suptitle().startswith("images of $^$; ")


@pytest.mark.parametrize("codes", [1, 3, 100])
def test_nothing_is_cut_off(results: Results, codes: int) -> None:
    metrics = {n: v[:, [0, 1, 2] * 34][:, :codes] for n, v in results.metrics.items()}
    header = replace(results.header, factors=("a factor with a long name", "x"), num_codes=codes)
    figure = lifelines(replace(results, metrics=metrics, header=header))
    figure.canvas.draw()
    content, paper = figure.get_tightbbox(), figure.bbox_inches
    assert min(content.x0, content.y0) >= 0
    assert content.x1 <= paper.x1
    assert content.y1 <= paper.y1
    assert len(figure.axes[0].get_yticklabels()) == min(codes, ROWS)


def test_a_model_without_active_codes_has_no_picture(results: Results) -> None:
    metrics = results.metrics | {"code_variance": np.zeros((9, 4))}
    with pytest.raises(ResultsError, match="none of 4 codes is active at any of 9 betas"):
        lifelines(replace(results, metrics=metrics))
