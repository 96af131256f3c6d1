"""What images tell of a factor: closed forms, scikit-learn, and the symmetries of dSprites."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from mrtc.datasets.dsprites import DSprites
from mrtc.metrics.ceiling import image_keys, information_ceiling
from mrtc.metrics.score import Score


def parts(score: Score) -> np.ndarray:
    assert score.per_factor is not None
    return score.per_factor


@pytest.mark.oracle("information_ceiling")
def test_classes_in_pairs() -> None:
    """Eight angles, of which opposite ones look alike: log 4 of log 8; the place is seen whole."""
    angle, place = (part.ravel() for part in np.indices((8, 5)))
    keys = 7 * (angle % 4) + 100 * place
    got = information_ceiling(keys, np.stack([angle, place, 0 * place], 1))
    np.testing.assert_allclose(parts(got), [np.log(4), np.log(5), np.nan])
    assert got.value == pytest.approx((np.log(4) + np.log(5)) / 2)
    assert got.parameters["images"] == 20
    assert got.parameters["entropy"] == pytest.approx((np.log(8), np.log(5), 0))


@pytest.mark.oracle("information_ceiling")
def test_all_alike_and_all_different() -> None:
    factor = np.array([[0], [0], [0], [9]])
    entropy = -0.75 * np.log(0.75) - 0.25 * np.log(0.25)
    assert information_ceiling(np.arange(4), factor).value == pytest.approx(entropy, rel=1e-15)
    assert information_ceiling(np.zeros(4, int), factor).value == pytest.approx(0, abs=1e-15)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 200), st.integers(1, 50))
@pytest.mark.oracle("information_ceiling")
def test_is_the_mutual_information_of_image_and_factor(seed: int, size: int, images: int) -> None:
    """By scikit-learn, on classes with gaps; any function of the image knows no more."""
    rng = np.random.default_rng(seed)
    keys = rng.integers(-images, images, size)
    factors = 3 * rng.integers(0, 6, (size, 2))
    got = information_ceiling(keys, factors).per_factor
    assert got is not None
    for k in range(2):
        if len(set(factors[:, k])) > 1:
            expected = mutual_info_score(factors[:, k], keys)
            assert got[k] == pytest.approx(expected, abs=1e-12)
            assert mutual_info_score(factors[:, k], keys % 3) <= got[k] + 1e-12
        else:
            assert np.isnan(got[k])


def test_keys_are_equal_for_identical_images_only() -> None:
    rng = np.random.default_rng(0)
    distinct = rng.integers(0, 256, (200, 16), dtype=np.uint8)
    distinct[1] = distinct[0]
    distinct[1, -1] ^= 128  # one pixel
    index = rng.integers(0, 200, 1_000)
    keys = image_keys(torch.from_numpy(distinct[index]))
    _, first, expected = np.unique(index, return_index=True, return_inverse=True)
    np.testing.assert_array_equal(keys, np.argsort(np.argsort(first))[expected])
    np.testing.assert_array_equal(image_keys(np.asfortranarray(distinct[index])), keys)


@pytest.mark.oracle("information_ceiling")
def test_squares_look_alike_at_several_angles(dsprites: DSprites) -> None:
    """The first and last angle are one for every shape; small squares have more such pairs."""
    everything = dsprites.grid.classes(np.arange(len(dsprites)))
    ceilings = []
    for shape in range(3):
        # The smallest sprites, at every eighth place along x and y
        chosen = np.flatnonzero(
            (everything[:, 0] == shape)
            & (everything[:, 1] == 0)
            & (everything[:, 3:] % 8 == 0).all(axis=1)
        )
        images = [bytes(image) for image in dsprites.packed.numpy()[chosen]]
        got = information_ceiling(
            image_keys(dsprites.packed[torch.from_numpy(chosen)]), everything[chosen]
        )
        expected = mutual_info_score(everything[chosen, 2], [images.index(i) for i in images])
        assert parts(got)[2] == pytest.approx(expected)
        np.testing.assert_allclose(parts(got)[3:], np.log(4))
        ceilings.append(parts(got)[2])
    ends_alike = np.log(40) - 2 / 40 * np.log(2)
    square, ellipse, heart = ceilings
    assert square < ellipse < heart <= ends_alike + 1e-12


@pytest.mark.slow
@pytest.mark.oracle("information_ceiling")
def test_all_of_dsprites(dsprites: DSprites) -> None:
    """Only orientation is not seen whole: against the images themselves, sprite by sprite."""
    got = information_ceiling(
        image_keys(dsprites.packed), dsprites.grid.classes(np.arange(len(dsprites)))
    )
    hidden = 0.0  # H(orientation | image), from each group of identical images
    for sprite in np.split(dsprites.packed.numpy(), 18):
        copies = Counter(bytes(image) for image in sprite)
        hidden += sum(count * np.log(count) for count in copies.values()) / len(dsprites)
    expected = np.log(dsprites.grid.sizes) - np.array([0, 0, hidden, 0, 0])
    np.testing.assert_allclose(parts(got), expected, atol=1e-9)
    assert parts(got)[2] == pytest.approx(3.64803, abs=1e-5)  # as rendered here; log 40 = 3.68888


def test_where_there_is_no_ceiling() -> None:
    got = information_ceiling(np.arange(3), np.zeros((3, 2), int))
    assert got.reason == "no factor varies"
    assert information_ceiling(np.arange(1), np.ones((1, 1), int)).reason == "no factor varies"
    assert information_ceiling(np.zeros(0, int), np.zeros((0, 1), int)).reason is not None


@pytest.mark.parametrize(
    ("keys", "factors", "message"),
    [
        (np.zeros(3), np.zeros((3, 1), int), r"whole numbers.*got the shape \(3,\).*float64"),
        (np.zeros((3, 1), int), np.zeros((3, 1), int), r"got the shape \(3, 1\)"),
        (np.zeros(3, int), np.zeros((4, 1), int), "got 3 and 4"),
        (np.zeros(3, int), np.full((3, 1), np.nan), "class indices"),
    ],
)
def test_bad_input(keys: np.ndarray, factors: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        information_ceiling(keys, factors)


@pytest.mark.parametrize("images", [np.zeros((2, 8)), np.zeros((2, 8, 8), np.uint8)])
def test_images_are_packed(images: np.ndarray) -> None:
    with pytest.raises(ValueError, match="pack them"):
        image_keys(images)
