"""Batches, parts and attributes of a file of images; and what is no such file."""

import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from mrtc.datasets.conversion import Facts, write
from mrtc.datasets.stored import StoredImages, open_stored
from mrtc.datasets.tables import Attributes
from mrtc.errors import DataError

SHAPE = (3, 4, 5)
PIXELS = np.random.default_rng(0).integers(256, size=(7, *SHAPE), dtype=np.uint8)
ROWS = Attributes(("a", "b"), np.arange(14).reshape(7, 2) * 50 - 3)
FACTS = Facts(("train", "test"), np.array([0, 0, 1, 0, 1, 0, 0], np.uint8), ROWS)


def a_test() -> str:
    return "a test"


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    write(tmp_path / "a.h5", iter(PIXELS), SHAPE, FACTS, a_test)
    return tmp_path / "a.h5"


def everything(data: StoredImages) -> np.ndarray:
    return data.images(torch.arange(len(data))).numpy()


def test_images_are_in_the_order_of_the_index(stored: Path):
    data = open_stored(stored)
    index = torch.tensor([3, 0, 3])
    np.testing.assert_array_equal(data.images(index), PIXELS[[3, 0, 3]].astype(np.float32) / 255)
    assert data.images(torch.empty(0, dtype=torch.int64)).shape == (0, *SHAPE)


def test_parts_are_views(stored: Path):
    train, test = open_stored(stored, "train"), open_stored(stored, "test")
    assert (train.source, test.source) == ("a test, train part", "a test, test part")
    np.testing.assert_array_equal(everything(test), PIXELS[[2, 4]].astype(np.float32) / 255)
    np.testing.assert_array_equal(test.attributes(np.arange(2)), ROWS.values[[2, 4]])
    last = train.subset(np.array([4, 1]), "two")
    np.testing.assert_array_equal(everything(last), PIXELS[[6, 1]].astype(np.float32) / 255)
    np.testing.assert_array_equal(last.attributes(np.arange(2)), ROWS.values[[6, 1]])
    sums = {data.checksum for data in (open_stored(stored), train, test, last)}
    assert len(sums) == 4
    assert open_stored(stored, "train").checksum == train.checksum
    with pytest.raises(DataError, match=r"no images in a part 'valid'; .* train of 5, test of 2"):
        open_stored(stored, "valid")


def test_it_goes_to_another_process_without_its_pixels(tmp_path: Path):
    images = np.zeros((100, 3, 64, 64), np.uint8)
    facts = Facts(("all",), np.zeros(100, np.uint8))
    write(tmp_path / "a.h5", images, (3, 64, 64), facts, a_test)
    data = open_stored(tmp_path / "a.h5")
    before = everything(data)
    sent = pickle.dumps(data)
    assert len(sent) < 10_000
    np.testing.assert_array_equal(everything(pickle.loads(sent)), before)
    assert data.attribute_names == ()
    assert data.attributes(np.arange(3)).shape == (3, 0)


def test_batches_go_to_a_device(stored: Path):
    data = open_stored(stored).to("meta")
    assert data.images(torch.tensor([1, 2])).is_meta
    assert data.source == "a test"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_images_are_the_same_on_a_gpu(stored: Path):
    data, index = open_stored(stored), torch.tensor([3, 6, 0, 3])
    images = data.to("cuda").images(index.to("cuda"))
    assert images.is_cuda
    torch.testing.assert_close(images.cpu(), data.images(index))


def spoil(path: Path, **attributes: object) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs.update(attributes)


SPOILT = {
    "missing": (lambda p: p.unlink(), "there is no such file"),
    "text": (lambda p: p.write_text("images"), "is damaged, or no file of images"),
    "cut short": (lambda p: os.truncate(p, 300), "is damaged, or no file of images"),
    "incomplete": (lambda p: spoil(p, complete=False), "is damaged"),
    "foreign": (lambda p: spoil(p, format="mrtc-runs"), "its format is 'mrtc-runs'"),
    "newer": (lambda p: spoil(p, version=2), "of version 2, newer than 1.* update mrtc"),
}


@pytest.mark.parametrize(("change", "message"), SPOILT.values(), ids=SPOILT.keys())
def test_another_file_is_refused(change, message: str, stored: Path):
    change(stored)
    with pytest.raises(DataError, match=message):
        open_stored(stored)
