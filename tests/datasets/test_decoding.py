"""Pixels against plain Pillow and against means by hand; damage of any kind is reported as such."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mrtc.datasets.decoding import BrokenImageError, Form, decode, is_coloured
from mrtc.errors import DataError
from tests.datasets.image_files import cut, encoded, pixels

SQUARE = Form(8, 3)


def test_a_square_of_the_right_size_keeps_its_pixels():
    image = pixels(8, 8)
    read = decode("a", encoded(image), SQUARE)
    np.testing.assert_array_equal(read.pixels, image.transpose(2, 0, 1))
    assert read.size == (8, 8)


def test_the_middle_is_cut_out():
    image = pixels(8, 13)
    np.testing.assert_array_equal(
        decode("a", encoded(image), SQUARE).pixels, image[:, 2:10].transpose(2, 0, 1)
    )


def test_a_large_square_is_scaled_with_antialiasing():
    """Shrunk three times, a pixel in the middle is a mean with weights of a triangle."""
    image = pixels(24, 24, 1).astype(np.uint8)
    read = decode("a", encoded(image), Form(8, 1)).pixels[0]
    weights = 1 - np.abs(np.arange(-2, 3)) / 3  # at distances from the centre, by support 3
    weights /= weights.sum()
    for row, column in ((3, 4), (2, 5)):
        near = image[3 * row - 1 : 3 * row + 4, 3 * column - 1 : 3 * column + 4, 0]
        assert abs(weights @ near @ weights - read[row, column]) < 1.01  # rounded twice


def test_a_box_is_cut_before_it_is_scaled():
    """As cropping and resizing do, in that order; nothing from beyond the box gets in."""
    image = pixels(218, 178)
    form = Form(64, 3, (15, 40, 163, 188), (178, 218))
    resample = Image.Resampling.BILINEAR
    expected = Image.fromarray(image).crop((15, 40, 163, 188)).resize((64, 64), resample)
    read = decode("a", encoded(image), form).pixels
    np.testing.assert_array_equal(read, np.asarray(expected).transpose(2, 0, 1))
    outside = image.copy()
    outside[:40] = outside[188:] = 0
    outside[:, :15] = outside[:, 163:] = 0
    np.testing.assert_array_equal(decode("a", encoded(outside), form).pixels, read)


def test_a_box_grows_with_the_image():
    form = Form(64, 3, (15, 40, 163, 188), (178, 218))
    assert form.place("a", 178, 218) == (15, 40, 163, 188)
    assert form.place("a", 356, 436) == (30, 80, 326, 376)
    assert form.place("a", 89, 109) == (7.5, 20, 81.5, 94)
    assert form.place("a", 59, 72)[1] == 40 * 72 / 218  # rounded, when it was scaled
    with pytest.raises(DataError, match=r"image a should be of 178 x 218 .* got 218 x 178"):
        form.place("a", 218, 178)


def test_a_fraction_of_an_edge_counts_as_such():
    """A box of 7.5 to 81.5: columns that halve into 37 pairs, of a picture of its columns."""
    ramp = np.repeat(np.arange(89, dtype=np.uint8)[None, :, None], 109, 0).repeat(3, 2)
    form = Form(37, 3, (15, 40, 163, 188), (178, 218))
    read = decode("a", encoded(ramp), form).pixels[0, 10].astype(float)
    centres = 7.5 + 2 * (np.arange(37) + 0.5) - 0.5  # a pixel's middle is at its index and a half
    assert np.abs(read - centres)[2:-2].max() <= 0.51


def test_photographs_are_upright():
    image = pixels(4, 8)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter, clockwise
    read = decode("a", encoded(image, exif=exif), Form(4, 3))
    np.testing.assert_array_equal(read.pixels, np.rot90(image, -1)[2:6].transpose(2, 0, 1))
    assert read.size == (4, 8)


COLOUR = Image.fromarray(pixels(8, 8))
GREY = Image.fromarray(pixels(8, 8, 1)[..., 0])
MODES = {
    "1": (GREY.convert("1"), "PNG"),
    "L": (GREY, "PNG"),
    "P": (COLOUR.quantize(16), "PNG"),
    "P in a GIF": (COLOUR.quantize(16), "GIF"),
    "CMYK": (COLOUR.convert("CMYK"), "TIFF"),
    "YCbCr": (COLOUR.convert("YCbCr"), "TIFF"),
    "BMP": (COLOUR, "BMP"),
    "WebP": (COLOUR, "WEBP"),
}


@pytest.mark.parametrize(("image", "form"), MODES.values(), ids=MODES.keys())
@pytest.mark.parametrize("channels", [1, 3])
def test_modes_become_grey_or_colour(image: Image.Image, form: str, channels: int):
    options = {"lossless": True} if form == "WEBP" else {}
    expected = np.asarray(image.convert("RGB" if channels == 3 else "L")).reshape(8, 8, channels)
    data = encoded(image, form, **options)
    read = decode("a", data, Form(8, channels)).pixels
    np.testing.assert_array_equal(read, expected.transpose(2, 0, 1))
    assert is_coloured("a", data, whole=True) == (image.mode not in ("1", "L"))


def test_what_is_transparent_shows_white():
    colour = np.full((8, 8, 4), (100, 50, 200, 0), np.uint8)
    colour[4:, :, 3] = 255
    colour[0, :, 3] = 51  # a fifth
    read = decode("a", encoded(Image.fromarray(colour)), SQUARE).pixels[:, :, 0]
    np.testing.assert_array_equal(read[:, 1], [255, 255, 255])
    np.testing.assert_array_equal(read[:, 5], [100, 50, 200])
    np.testing.assert_array_equal(read[:, 0], [224, 214, 244])
    grey = Image.fromarray(np.stack([np.full((8, 8), 9), np.eye(8) * 255], -1).astype(np.uint8))
    read = decode("a", encoded(grey), Form(8, 1)).pixels
    np.testing.assert_array_equal(read[0], np.where(np.eye(8), 9, 255))


def test_a_palette_with_a_transparent_entry():
    image = GREY.quantize(4)
    data = encoded(image, transparency=0)
    hole = np.asarray(image) == 0
    read = decode("a", data, SQUARE).pixels
    assert (read[:, hole] == 255).all()
    np.testing.assert_array_equal(
        read[:, ~hole], np.asarray(image.convert("RGB")).transpose(2, 0, 1)[:, ~hole]
    )


def test_of_an_animation_the_first_frame_counts():
    frames = [Image.new("L", (8, 8), value) for value in (10, 200)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (decode("a", data, Form(8, 1)).pixels == 10).all()


@pytest.mark.parametrize(("kind", "form"), [(np.uint16, "PNG"), (np.float32, "TIFF")])
def test_values_of_unknown_scale_are_refused(kind: type, form: str):
    data = encoded(Image.fromarray(np.ones((8, 8), kind)), form)
    with pytest.raises(DataError, match=r"image deep.x has values of unknown scale .* 8 bits"):
        decode("deep.x", data, SQUARE)


@pytest.mark.parametrize("limit", [16, 63])
def test_a_decompression_bomb_is_named(monkeypatch: pytest.MonkeyPatch, limit: int):
    """Pillow warns above its limit and refuses above twice that; both are refused here."""
    data = encoded(pixels(8, 8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(BrokenImageError, match=r"bomb.png cannot be read \(Image size \(64 pixels"):
        decode("bomb.png", data, SQUARE)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_an_image_cut_short_is_broken(form: str):
    data = cut(encoded(pixels(40, 40), form))
    with pytest.raises(BrokenImageError, match=r"the image a.x cannot be read"):
        decode("a.x", data, SQUARE)
    with pytest.raises(BrokenImageError):
        is_coloured("a.x", data, whole=True)


def test_other_kinds_of_files_are_not_opened():
    """Of PostScript, for one, Pillow would start an interpreter."""
    for data in (b"", b"GIF", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"):
        with pytest.raises(BrokenImageError, match=r"it is none of BMP, GIF, JPEG"):
            decode("a.jpg", data, SQUARE)


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP"]),
    st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=8),
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow, at what it can mend
def test_damage_is_reported_or_harmless(form: str, changes: list[tuple[float, int]]):
    data = bytearray(encoded(pixels(16, 16), form))
    for place, value in changes:
        data[int(place * len(data))] = value
    try:
        read = decode("a", bytes(data), SQUARE)
    except DataError:
        return
    assert read.pixels.shape == (3, 8, 8)
