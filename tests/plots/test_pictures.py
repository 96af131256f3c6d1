"""Pictures over beta: what stands where, in rows and in the frames of an animation."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mrtc.errors import OutputError
from mrtc.plots.animation import save_drawing
from mrtc.plots.dots import mosaic
from mrtc.plots.pictures import ModelImages, Picture, wrap
from mrtc.plots.traversal import Traversal

BETA = np.array([0.1, 1.0, 10.0])


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape) / 255


def two(channel: tuple[int, ...] = (), *, compared: bool = True) -> Picture:
    """A multi-rate model and a baseline."""
    images = random(3, 4, 8, 8, *channel)
    models = (
        ModelImages("multi-rate", BETA, images),
        ModelImages("baseline", np.array([4.0]), 1 - images[:1]),
    )
    if not compared:
        return Picture(models, "samples")
    return Picture(models, "data", images[2] / 2, ("3", "14", "15", "92"))


def panel_of(frame: Image.Image, images: np.ndarray) -> tuple[int, int]:
    """How often a grid of images stands in a frame, and the scale at which it does."""
    picture = np.asarray(frame).astype(int)
    grid = np.rint(255 * mosaic(images)).astype(int)
    grid = grid if grid.ndim == 3 else np.stack([grid] * 3, axis=-1)
    found, scale = 0, 0
    for factor in range(1, 30):
        large = grid.repeat(factor, 0).repeat(factor, 1)
        tall, wide = large.shape[:2]
        if tall > picture.shape[0] or wide > picture.shape[1]:
            break
        first = large[:: factor * 4, 0]  # few points, to look where it may be
        columns = picture[:, : picture.shape[1] - wide + 1]
        for y in range(picture.shape[0] - tall + 1):
            near = (columns[y : y + tall : factor * 4] == first[:, None]).all((0, 2))
            for x in np.flatnonzero(near):
                if (picture[y : y + tall, x : x + wide] == large).all():
                    found, scale = found + 1, factor
    return found, scale


@pytest.mark.parametrize("channel", [(), (3,)])
def test_rows_are_betas_below_the_originals(channel: tuple[int, ...]) -> None:
    picture = two(channel)
    figure = picture.figure()

    assert picture.originals is not None
    expected = [picture.originals[None], *(model.images for model in picture.models)]
    assert len(figure.axes) == 3
    for axes, images in zip(figure.axes, expected, strict=True):
        levels = 255 * mosaic(images)
        levels = levels if channel else levels[:, :, None]
        seen = np.asarray(axes.get_images()[0].get_array())
        np.testing.assert_array_equal(seen, np.broadcast_to(np.rint(levels), seen.shape))
    rows = [[label.get_text() for label in axes.get_yticklabels()] for axes in figure.axes]
    assert rows == [["original"], ["beta 0.1", "beta 1", "beta 10"], ["beta 4"]]
    names = [axes.get_title(loc="left") for axes in figure.axes]
    assert names == ["", "multi-rate", "baseline"]
    columns = [label.get_text() for label in figure.axes[-1].get_xticklabels()]
    assert columns == ["3", "14", "15", "92"]
    assert figure.get_suptitle() == "data"


def test_one_model_needs_no_name() -> None:
    figure = Picture((two().models[0],)).figure()

    assert [axes.get_title(loc="left") for axes in figure.axes] == [""]


@pytest.mark.parametrize("channel", [(), (3,)])
def test_each_frame_shows_its_beta_and_the_baseline_stands_still(channel: tuple[int, ...]) -> None:
    picture = two(channel)
    frames = picture.frames()
    multi_rate, baseline = picture.models

    assert picture.originals is not None
    assert len(frames) == 3
    assert len({frame.size for frame in frames}) == 1
    for at, frame in enumerate(frames):
        assert panel_of(frame, picture.originals[None])[0] == 1
        assert panel_of(frame, baseline.images)[0] == 1
        seen = [panel_of(frame, images[None])[0] for images in multi_rate.images]
        assert seen == [int(row == at) for row in range(3)]


def test_samples_wrap_side_by_side() -> None:
    picture = two(compared=False)
    multi_rate, baseline = picture.models
    frames = picture.frames()

    for at, frame in enumerate(frames):
        assert panel_of(frame, wrap(multi_rate.images[at]))[0] == 1
        assert panel_of(frame, wrap(baseline.images[0]))[0] == 1
        assert frame.size[0] > frame.size[1]


@pytest.mark.parametrize(
    ("count", "shape"), [(1, (1, 1)), (3, (1, 3)), (7, (2, 4)), (8, (2, 4)), (64, (8, 8))]
)
def test_images_wrap_in_reading_order(count: int, shape: tuple[int, int]) -> None:
    images = random(count, 2, 2)
    wrapped = wrap(images)

    assert wrapped.shape == (*shape, 2, 2)
    flat = wrapped.reshape(-1, 2, 2)
    np.testing.assert_array_equal(flat[:count], images)
    assert (flat[count:] == 1).all()


@pytest.mark.parametrize("channel", [(), (3,)])
def test_a_traversal_has_a_panel_and_a_frame_for_each_beta(channel: tuple[int, ...]) -> None:
    images = random(3, 2, 4, 8, 8, *channel)
    drawing = Traversal(BETA, images, ("code 1", "code 0"), ("-2", "-1", "1", "2"), "example 3")

    assert [axes.get_title(loc="left") for axes in drawing.figure().axes] == [
        "beta 0.1",
        "beta 1",
        "beta 10",
    ]
    for at, frame in enumerate(drawing.frames()):
        assert [panel_of(frame, grid)[0] for grid in images] == [int(at == row) for row in range(3)]


def test_the_suffix_says_what_is_written(tmp_path: Path) -> None:
    save_drawing(two(), tmp_path / "a.png")
    save_drawing(two(), tmp_path / "a.gif")
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG"
    with Image.open(tmp_path / "a.gif") as image:
        assert (image.format, image.n_frames) == ("GIF", 4)  # three, and one on the way back

    with pytest.raises(OutputError, match=r"or \.gif for an animation"):
        save_drawing(two(), tmp_path / "a.webp")
    assert len(list(tmp_path.iterdir())) == 2


def test_what_does_not_fit_is_refused() -> None:
    images = random(3, 4, 8, 8)
    other = ModelImages("n", BETA * 2, images)
    with pytest.raises(ValueError, match="2 models with 2 grids of beta"):
        Picture((ModelImages("m", BETA, images), other))
    with pytest.raises(ValueError, match="at least one model"):
        Picture(())
