"""The picture of latent groups: areas as high as the rates, in the colours of their scales."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from mrtc.errors import ResultsError
from mrtc.hierarchy import LatentGroup
from mrtc.plots.groups import groups
from mrtc.results import Results
from mrtc.results.groups import group_parameters

from .conftest import MakeResults

GROUPS = (LatentGroup(2, 4), LatentGroup(2, 4), LatentGroup(2, 8))


def of_hierarchy(results: Results) -> Results:
    draw = np.random.default_rng(1)
    rates = draw.uniform(0, 5, (len(results.beta), len(GROUPS)))
    rates[~results.evaluated] = np.nan
    return replace(
        results,
        header=replace(results.header, parameters=group_parameters(GROUPS, 0)),
        metrics={**results.metrics, "rate_group": rates},
        parameters={**results.parameters, "rate_group": {"examples": 500}},
    )


def heights(figure: Figure, panel: int) -> np.ndarray:
    """Of each area, (beta, group): what its vertices span at each beta."""
    axes, found = figure.axes[panel], []
    for area in axes.collections:
        x, y = area.get_paths()[0].vertices.T
        found.append([np.ptp(y[np.isclose(x, beta)]) for beta in np.unique(x)])
    return np.array(found).T


def test_areas_are_as_high_as_rates_and_shares(make_results: MakeResults) -> None:
    results = of_hierarchy(make_results(6, pending=(2,)))
    figure = groups(results)
    rates = results.rate_group
    np.testing.assert_allclose(heights(figure, 0), rates)
    np.testing.assert_allclose(heights(figure, 1), rates / rates.sum(1, keepdims=True))
    (edge,) = figure.axes[0].get_lines()
    np.testing.assert_allclose(edge.get_ydata(), rates.sum(1))
    assert figure.get_suptitle() == "dSprites, rendered; 500 examples"


def test_scales_have_colours_of_their_own(make_results: MakeResults) -> None:
    figure = groups(of_hierarchy(make_results(4)))
    first, second, third = (area.get_facecolor()[0, :3] for area in figure.axes[0].collections)
    assert np.ptp(first / (1 - first + 1e-9)) > 0
    # Of one scale: the same hue, paler.
    np.testing.assert_allclose((1 - second) / (1 - first), (1 - second[0]) / (1 - first[0]))
    assert not np.allclose((1 - third) / (1 - first), (1 - third[0]) / (1 - first[0]), rtol=0.1)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["2 (8 x 8)", "1 (4 x 4)", "0 (4 x 4), the top one"]


def test_one_beta_and_a_rate_of_nothing_are_drawn(make_results: MakeResults) -> None:
    results = of_hierarchy(make_results(1))
    figure = groups(results)
    np.testing.assert_allclose(heights(figure, 0), results.rate_group.repeat(2, 0))
    results.metrics["rate_group"][:] = 0
    assert heights(groups(results), 0).max() == 0


def test_a_flat_model_has_no_such_picture(make_results: MakeResults) -> None:
    with pytest.raises(ResultsError, match="without latent groups"):
        groups(make_results(3))
