"""The rasteriser against a plain one, against closed forms, and against real frames."""

from pathlib import Path

import numpy as np
import pytest

from mrtc.datasets.dsprites import DSprites
from mrtc.datasets.sprites import CENTRES, draw, outline
from tests.references import filled_polygon


def unpack(packed: np.ndarray) -> np.ndarray:
    return np.unpackbits(packed, axis=-1).reshape(*packed.shape[:-1], 64, 64)


@pytest.mark.parametrize("shape", [0, 1, 2])
def test_sprites_are_those_of_the_plain_rasteriser(shape: int):
    rng = np.random.default_rng(shape)
    for scale, orientation, x, y in rng.integers((6, 40, 32, 32), size=(4, 4)).tolist():
        image = unpack(draw(outline(shape, scale, orientation))[x, y])
        np.testing.assert_array_equal(image, filled_polygon.sprite(shape, scale, orientation, x, y))


def test_random_polygons_are_those_of_the_plain_rasteriser():
    """Vertices on half pixels make ties frequent; edges cross, and leave the canvas."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        vertices = rng.integers(-80, 80, size=(2, 9)) / 2
        at = [(round(256 * (x + 32)), round(256 * (y + 32))) for x, y in vertices.T.tolist()]
        image = unpack(draw(vertices, np.array([32.0]))[0, 0])
        np.testing.assert_array_equal(image, filled_polygon.filled(at))


def test_a_centre_on_an_edge_is_lit_at_the_left_and_at_the_bottom_only():
    square = np.array([[-2.0, 2.0, 2.0, -2.0], [-2.0, -2.0, 2.0, 2.0]])
    image = unpack(draw(square, np.array([10.5]))[0, 0])
    expected = np.zeros((64, 64))
    expected[9:13, 8:12] = 1  # the edges lie on the centres of rows and columns 8 and 12
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("shape", [0, 1, 2])
def test_a_sprite_covers_its_area_on_average(shape: int):
    # The heart by Green's theorem: pi times the sum of n a_n b_n over sin(nt) in x, cos(nt) in y.
    heart = np.pi * (1 * 3 / 4 * 13 + 3 * -1 / 4 * -2) / 14.5
    area = [4, np.pi, heart][shape] * 9.6**2
    covered = unpack(draw(outline(shape, scale=5, orientation=7))).sum((-2, -1)).mean()
    assert covered == pytest.approx(area, rel=5e-3)


@pytest.mark.parametrize("shape", [0, 1, 2])
def test_orientation_0_and_39_coincide(shape: int):
    for scale in range(6):
        first, last = (draw(outline(shape, scale, orientation)) for orientation in (0, 39))
        np.testing.assert_array_equal(first, last)


def test_sprites_stand_where_their_classes_say():
    images = unpack(draw(outline(shape=1, scale=5, orientation=3)))
    centre = np.arange(64) + 0.5
    lit = images.sum((-2, -1))
    x, y = images.sum(-2) @ centre / lit, images.sum(-1) @ centre / lit
    np.testing.assert_allclose(x, np.broadcast_to(CENTRES[:, None], x.shape), atol=0.25)
    np.testing.assert_allclose(y, np.broadcast_to(CENTRES, y.shape), atol=0.25)


def test_an_unknown_shape_is_refused():
    with pytest.raises(ValueError, match="got 3"):
        outline(3, 0, 0)


@pytest.mark.data
def test_real_frames_are_met_to_the_pixel(shared_data: Path):
    with np.load(shared_data / "dsprites" / "official_frames_258.npz") as frames:
        images, classes = frames["images"], frames["classes"]
    drawn = [draw(outline(*sprite))[x, y] for *sprite, x, y in classes.tolist()]
    assert (unpack(np.array(drawn)) != images).sum() == 0


@pytest.mark.slow
def test_the_whole_set_has_the_statistics_published_for_the_official_file():
    """From nmichlo/disent: the mean, here as a count, and the mean deviation of an image."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(1, dtype=np.int64)
    sprites = np.ndindex(DSprites.grid.sizes[:3])
    lit = np.array([bits[draw(outline(*sprite))].sum(-1) for sprite in sprites])
    # The original drew in float32, which moves a few pixels of these three billion.
    assert lit.sum() == pytest.approx(128_328_862, abs=4)
    mean = lit / 4096
    deviation = np.sqrt(mean * (1 - mean) * 4096 / 4095)
    assert deviation.mean() == pytest.approx(0.19516645880626055, abs=1e-8)


def test_the_data_set_holds_these_sprites(dsprites: DSprites):
    """If this fails after a change of the geometry, raise the number in the cache's header."""
    for sprite in [(0, 0, 0), (1, 3, 20), (2, 5, 39)]:
        first = DSprites.grid.index(np.array([*sprite, 0, 0]))
        kept = dsprites.packed[first : first + 1024].numpy()
        np.testing.assert_array_equal(kept, draw(outline(*sprite)).reshape(1024, -1))
