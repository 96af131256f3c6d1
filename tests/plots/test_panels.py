"""Every pixel of every image is a square of equal dots in the file, at its place."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from mrtc.plots import save
from mrtc.plots.dots import mosaic, text_width
from mrtc.plots.panels import Mark, Panel, panels


def dots(figure: Figure) -> np.ndarray:
    """The picture as it is saved at its resolution."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=figure.dpi)
    return np.asarray(Image.open(buffer).convert("RGB"))


def drawn(figure: Figure, picture: np.ndarray, panel: int) -> np.ndarray:
    """What a panel's axes enclose."""
    box = figure.axes[panel].get_position()
    tall, wide = picture.shape[:2]
    top, bottom = round((1 - box.y1) * tall), round((1 - box.y0) * tall)
    return picture[top:bottom, round(box.x0 * wide) : round(box.x1 * wide)]


@settings(max_examples=20, deadline=None)
@given(
    rows=st.integers(1, 3),
    columns=st.integers(1, 9),
    side=st.sampled_from([8, 28, 32, 64]),
    coloured=st.booleans(),
    dpi=st.sampled_from([120, 300]),
    label=st.sampled_from(["", "beta 0.1", "a long label of a row"]),
)
def test_every_pixel_is_a_square_of_equal_dots(
    rows: int, columns: int, side: int, coloured: bool, dpi: int, label: str
) -> None:
    """Enlarged by a whole number, the images are what the file shows, dot by dot."""
    shape = (rows, columns, side, side, *[3] * coloured)
    values = np.random.default_rng(side).integers(0, 256, shape) / 255
    table = [[Panel(values, [label] * rows, "first")], [Panel(values[:1], [label])]]
    figure = panels(table, [str(at) for at in range(columns)], "a title", dpi=dpi)
    picture = dots(figure)

    for at, images in enumerate([values, values[:1]]):
        seen, whole = drawn(figure, picture, at), np.rint(255 * mosaic(images)).astype(int)
        scale, rest = divmod(seen.shape[0], whole.shape[0])
        assert (rest, seen.shape[1]) == (0, scale * whole.shape[1])
        grey = whole if coloured else np.stack([whole] * 3, axis=-1)
        large = grey.repeat(scale, axis=0).repeat(scale, axis=1)
        np.testing.assert_array_equal(seen, large)


def test_the_file_has_the_dots_of_the_figure(tmp_path: Path) -> None:
    figure = panels([[Panel(np.zeros((1, 8, 64, 64)), ["beta 1"])]])
    save(figure, tmp_path / "a.png")

    with Image.open(tmp_path / "a.png") as image:
        assert image.size == dots(figure).shape[1::-1]
        black = (np.asarray(image.convert("L")) == 0).all(0).sum()
    assert black == 0
    assert (dots(figure) == 0).all(-1).sum() >= 8 * 64**2 * 9  # three dots a pixel, at least


@pytest.mark.parametrize("count", [1, 3, 20])
@pytest.mark.parametrize("across", [False, True])
def test_nothing_is_cut_off_and_labels_stay_apart(count: int, across: bool) -> None:
    """Also with long names, and more columns than have room for their labels otherwise."""
    two = [
        Panel(np.zeros((2, count, 4, 4)), ["beta 0.00316", "beta 10"], f"a-run-of-long-name-{at}")
        for at in range(2)
    ]
    labels = [f"example {at}" for at in range(count)]
    figure = panels(
        [two] if across else [[one] for one in two],
        labels,
        "a title " * 20 + "\nand its second line",
        mark=Mark(0.3, np.geomspace(0.1, 10, 5)),
    )
    figure.canvas.draw()

    content, paper = figure.get_tightbbox(), figure.bbox_inches
    assert min(content.x0, content.y0) >= 0
    assert content.x1 <= paper.x1
    assert content.y1 <= paper.y1
    texts = [text for axes in figure.axes for text in axes.get_xticklabels() if text.get_text()]
    texts += [text for axes in figure.axes for text in axes.get_yticklabels() if text.get_text()]
    texts += [axes.title for axes in figure.axes] + [axes._left_title for axes in figure.axes]
    shown = [one for one in texts if one.get_visible() and one.get_text()]
    boxes = [one.get_window_extent() for one in [*shown, *figure.texts]]
    boxes = [box for box in boxes if box.width]
    for at, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:at])


def test_a_title_finds_room_above_one_small_image() -> None:
    figure = panels([[Panel(np.zeros((1, 1, 8, 8)), [""])]], title="WWWW MMMM " * 5)
    figure.canvas.draw()

    content, paper = figure.get_tightbbox(), figure.bbox_inches
    assert content.x1 <= paper.x1
    assert figure.get_suptitle().count("\n") > 0


def test_widths_of_texts_are_those_drawn() -> None:
    figure = panels([[Panel(np.zeros((1, 1, 8, 8)), ["beta 0.316"])]])
    label = figure.axes[0].get_yticklabels()[0]
    figure.canvas.draw()

    width = label.get_window_extent().width * 72 / figure.dpi
    assert text_width(["beta 0.316", "b", ""], 7.0) == pytest.approx(width, rel=0.05)
    assert text_width([], 7.0) == 0


def test_the_mark_stands_at_its_beta() -> None:
    figure = panels(
        [[Panel(np.zeros((1, 8, 8, 8)), [""])]], mark=Mark(0.5, np.array([0.1, 0.5, 10.0]))
    )
    (line,) = figure.axes[-1].lines

    assert line.get_xdata() == [0.5]
    low, high = figure.axes[-1].get_xlim()
    assert low < 0.1
    assert high > 10


@pytest.mark.parametrize(
    ("shape", "labels"), [((2, 1, 4, 4), ["a"]), ((1, 1, 4, 4, 2), ["a"]), ((1, 1, 4, 4, 1), ["a"])]
)
def test_panels_that_cannot_be_drawn_are_refused(shape: tuple[int, ...], labels: list[str]) -> None:
    with pytest.raises(ValueError, match="give one label for each row, and 3 channels at the end"):
        Panel(np.zeros(shape), labels)


@pytest.mark.parametrize(("side", "labels"), [(5, 0), (4, 3)])
def test_panels_that_do_not_match_are_refused(side: int, labels: int) -> None:
    first, second = np.zeros((1, 2, 4, 4)), np.zeros((1, 2, side, side))
    with pytest.raises(ValueError, match="give images of one size, and one label for each column"):
        panels([[Panel(first, [""])], [Panel(second, [""])]], ["a"] * labels)
