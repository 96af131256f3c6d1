"""Each image of a traversal stands, unchanged, at its row and column."""

import numpy as np
import pytest

from mrtc.plots import traversal_grid, traversal_grids
from mrtc.plots.dots import mosaic


@pytest.mark.parametrize("channel", [(), (3,)])
def test_each_image_is_at_its_label(channel: tuple[int, ...]) -> None:
    """Cut out around the ticks, the picture gives back the images; between them it is white."""
    levels = np.random.default_rng(0).integers(0, 256, (3, 4, 8, 6, *channel))
    images = levels / 255
    figure = traversal_grid(images, list("abc"), list("wxyz"), "title")
    axes = figure.axes[0]
    drawn = np.asarray(axes.get_images()[0].get_array())

    assert [label.get_text() for label in axes.get_yticklabels()] == list("abc")
    assert [label.get_text() for label in axes.get_xticklabels()] == list("wxyz")
    assert figure.get_suptitle() == "title"
    rest = np.ones(drawn.shape[:2], bool)
    for row, y in enumerate(axes.get_yticks()):
        for column, x in enumerate(axes.get_xticks()):
            box = np.s_[round(y - 3.5) : round(y + 4.5), round(x - 2.5) : round(x + 3.5)]
            level = levels[row, column] if channel else levels[row, column, :, :, None]
            np.testing.assert_array_equal(drawn[box], np.broadcast_to(level, (8, 6, 3)))
            rest[box] = False
    assert rest.any()
    assert (drawn[rest] == 255).all()


def test_values_outside_are_clipped() -> None:
    images = np.array([-1.0, 0.5, 2.0]).reshape(1, 3, 1, 1)

    np.testing.assert_array_equal(mosaic(images)[0, ::2], [0, 0.5, 1])


def test_panels_stand_side_by_side() -> None:
    """With one row of labels for all, and the grey scale of each that of the others."""
    images = np.random.default_rng(0).random((2, 3, 4, 8, 8)) * np.array([1, 0.1])[:, *[None] * 4]
    figure = traversal_grids(images, ["beta 0.1", "beta 10"], list("abc"), list("wxyz"))
    figure.canvas.draw()

    assert [axes.get_title(loc="left") for axes in figure.axes] == ["beta 0.1", "beta 10"]
    for axes, panel in zip(figure.axes, images, strict=True):
        (image,) = axes.get_images()
        drawn = np.asarray(image.get_array())
        np.testing.assert_array_equal(drawn[..., 0], np.rint(255 * mosaic(panel)))
    assert figure.axes[0].yaxis.get_tick_params()["labelleft"]
    assert not figure.axes[1].yaxis.get_tick_params()["labelleft"]


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (40, 2), (2, 15)])
def test_nothing_is_cut_off(rows: int, columns: int) -> None:
    figure = traversal_grid(
        np.zeros((rows, columns, 4, 4)),
        [f"code {row}, 12.3 nats" for row in range(rows)],
        [f"{value:+.1f}" for value in range(columns)],
        "title",
    )
    figure.canvas.draw()

    content, paper = figure.get_tightbbox(), figure.bbox_inches
    assert min(content.x0, content.y0) >= 0
    assert content.x1 <= paper.x1
    assert content.y1 <= paper.y1


@pytest.mark.parametrize(("shape", "rows", "columns"), [((2, 3, 4, 4), 3, 3), ((2, 3, 4, 4), 2, 2)])
def test_labels_that_do_not_match_are_refused(
    shape: tuple[int, ...], rows: int, columns: int
) -> None:
    with pytest.raises(ValueError, match=rf"{rows} rows and {columns} columns; give one label"):
        traversal_grid(np.zeros(shape), ["a"] * rows, ["b"] * columns)
