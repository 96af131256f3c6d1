"""Burda's file, written by scipy in its layout: a column an image, itself column by column."""

import hashlib
import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from mrtc.datasets import omniglot as module
from mrtc.datasets.download import RemoteFile
from mrtc.datasets.omniglot import Part, load
from mrtc.errors import DataError

GREY = np.random.default_rng(0).integers(256, size=(7, 28, 28), dtype=np.uint8)
"""Four images to train on, three to test on."""


def columns(images: np.ndarray) -> np.ndarray:
    """By plain loops: pixel (row, column) stands at 28 column + row."""
    made = np.empty((784, len(images)))
    for n, image in enumerate(images):
        for row in range(28):
            for column in range(28):
                made[28 * column + row, n] = image[row, column]
    return made


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where the parts are of four and of three images."""
    monkeypatch.setitem(module.POPULATION, "train", 4)
    monkeypatch.setitem(module.POPULATION, "test", 3)
    return tmp_path


def save(folder: Path, **changed: np.ndarray) -> Path:
    arrays = {"data": columns(GREY[:4]) / 255, "testdata": columns(GREY[4:]) / 255, **changed}
    arrays |= {"target": np.zeros((50, 4)), "targetchar": np.zeros((1, 4))}
    savemat(folder / "chardata.mat", arrays, do_compression=True)
    return folder / "chardata.mat"


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("part", "rows"), [("train", slice(0, 4)), ("test", slice(4, 7))])
def test_images_stand_upright(small: Path, part: Part, rows: slice, dtype: type):
    path = save(small, data=(columns(GREY[:4]) / 255).astype(dtype))
    for place in (small, path):
        data = load(place, part)
        assert data.image_shape == (1, 28, 28)
        np.testing.assert_array_equal(data.pixels[:, 0], GREY[rows])
        assert "rounded" not in data.source
        np.testing.assert_allclose(
            data.images(torch.tensor([2])), GREY[rows][[2]][:, None] / 255, rtol=1e-6
        )


def test_other_greys_are_rounded_and_the_source_says_so(small: Path):
    values = np.random.default_rng(1).random((784, 4))
    save(small, data=values)
    data = load(small)
    assert data.source.endswith(", grey values rounded to 1/255")
    seen = columns(data.pixels[:, 0].numpy()) / 255
    assert np.abs(seen - values).max() <= 1 / 510 + 1e-12


def test_the_source_says_whether_the_bytes_are_official(
    small: Path, monkeypatch: pytest.MonkeyPatch
):
    path = save(small)
    name = "Omniglot of Burda et al., test part"
    assert load(small, "test").source == (
        f"{name}, chardata.mat of the official form, but of another md5"
    )
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    file = RemoteFile("chardata.mat", ("http://127.0.0.1:1",), f"md5:{digest}")
    monkeypatch.setattr(module, "FILE", file)
    monkeypatch.setenv("MRTC_CACHE", str(small))
    for place in (None, small, path):
        source = load(place, "test", quiet=True).source
        assert source == f"{name}, official chardata.mat, md5 verified"


WHOLE = columns(GREY[:4]) / 255
BAD = {
    "bytes": (WHOLE * 255, "data of .* should be from 0 to 1, but goes from 0.0 to 25"),
    "negative": (WHOLE - 0.1, "should be from 0 to 1, but goes from -0.1 to 0.9"),
    "not a number": (np.where(WHOLE < 1, WHOLE, np.nan), "goes from nan to nan"),
    "rows": (WHOLE.T, "an array data of 784 x 4, but holds .*data 4 x 784"),
    "fewer": (WHOLE[:, :3], "an array data of 784 x 4, but holds .*data 784 x 3"),
}


@pytest.mark.parametrize(("values", "message"), BAD.values(), ids=BAD.keys())
def test_another_form_is_refused(small: Path, values: np.ndarray, message: str):
    save(small, data=values)
    with pytest.raises(DataError, match=message) as caught:
        load(small)
    digest = module.FILE.digest[4:]
    assert f"get chardata.mat (md5 {digest}) from {module.FILE.urls[0]}, and" in str(caught.value)


def test_an_empty_folder_is_told(small: Path):
    with pytest.raises(DataError, match=r"holds no file chardata.mat; get chardata.mat \(md5 "):
        load(small)


def test_there_are_two_parts(tmp_path: Path):
    with pytest.raises(ValueError, match="the parts are train, test, got 'valid'"):
        inspect.unwrap(load)(tmp_path, "valid")
