"""SVHN's form, written by scipy as the authors' MATLAB wrote it."""

import hashlib
import inspect
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from mrtc.datasets import svhn as module
from mrtc.datasets.download import RemoteFile
from mrtc.datasets.svhn import FILES, load
from mrtc.errors import DataError

PHOTOS = np.random.default_rng(0).integers(256, size=(4, 32, 32, 3), dtype=np.uint8)
LABELS = np.array([[1], [9], [10], [10]], np.uint8)
NAME = "train_32x32.mat"


def save(path: Path, *, compressed: bool = False, **changed: np.ndarray) -> Path:
    arrays = {"X": PHOTOS.transpose(1, 2, 3, 0), "y": LABELS, **changed}
    savemat(path, arrays, do_compression=compressed)
    return path


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where the training part is four images."""
    monkeypatch.setitem(module.POPULATION, "train", 4)
    return tmp_path


@pytest.mark.parametrize("compressed", [False, True])
def test_images_are_read_and_ten_is_the_digit_zero(small: Path, compressed: bool):
    path = save(small / NAME, compressed=compressed)
    for place in (small, path):
        data = load(place)
        assert data.image_shape == (3, 32, 32)
        np.testing.assert_array_equal(data.pixels.permute(0, 2, 3, 1), PHOTOS)
        assert data.labels.tolist() == [1, 9, 0, 0]


def test_the_source_says_whether_the_bytes_are_official(
    small: Path, monkeypatch: pytest.MonkeyPatch
):
    path = save(small / NAME)
    other = "SVHN, train part, train_32x32.mat of the official form, but of another sha256"
    assert load(small).source == other
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    file = RemoteFile(NAME, ("http://127.0.0.1:1",), f"sha256:{digest}")
    monkeypatch.setitem(module.FILES, "train", (file,))
    official = "SVHN, train part, official train_32x32.mat, sha256 verified"
    assert load(small).source == official
    monkeypatch.setenv("MRTC_CACHE", str(small))
    assert load(None, quiet=True).source == official


BAD = {
    "fewer images": ({"X": PHOTOS[:3].transpose(1, 2, 3, 0)}, "X of 32 x 32 x 3 x 4, but holds X "),
    "image first": ({"X": PHOTOS}, "X of 32 x 32 x 3 x 4, but holds X 4 x 32 x 32 x 3, y 4 x 1"),
    "a row of labels": ({"y": LABELS.T}, "an array y of 4 x 1, but holds .*y 1 x 4"),
    "a label 0": (
        {"y": LABELS % 10},
        "labels y of .* should be from 1 to 10, but that of image 3 is 0",
    ),
    "half a label": ({"y": LABELS / 2}, "that of image 1 is 0.5"),
    "floats": (
        {"X": PHOTOS.transpose(1, 2, 3, 0) / 255},
        "X of .* should be bytes, but is float64",
    ),
    "text": ({"y": np.array([["a"], ["b"], ["c"], ["d"]], object)}, "should be numbers, but is of"),
}


@pytest.mark.parametrize(("changed", "message"), BAD.values(), ids=BAD.keys())
def test_another_form_is_refused(small: Path, changed: dict[str, np.ndarray], message: str):
    save(small / NAME, **changed)
    with pytest.raises(DataError, match=message) as caught:
        load(small)
    (file,) = FILES["train"]
    assert f"get {NAME} (sha256 {file.digest[7:]}) from {file.urls[0]}, and" in str(caught.value)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kept", [0.0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.999])
def test_a_file_cut_short_is_refused(small: Path, kept: float, compressed: bool):
    whole = save(small / NAME, compressed=compressed).read_bytes()
    (small / NAME).write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(DataError, match=r"cannot be read as a MATLAB file|should hold an array"):
        load(small)


def test_a_web_page_is_refused(small: Path):
    (small / NAME).write_bytes(b"<!DOCTYPE html><html>" + b" " * 500)
    with pytest.raises(DataError, match="cannot be read as a MATLAB file: Unknown mat file type"):
        load(small)


def test_other_names_are_not_read(small: Path):
    save(small / "test_32x32.mat")
    with pytest.raises(DataError, match=r"holds no file train_32x32.mat; get train_32x32.mat"):
        load(small)


def test_there_are_two_parts(tmp_path: Path):
    with pytest.raises(ValueError, match="the parts are train, test, got 'extra'"):
        inspect.unwrap(load)(tmp_path, "extra")
