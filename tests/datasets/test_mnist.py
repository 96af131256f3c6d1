"""MNIST against a plain reading of its bytes; and what is not MNIST is refused."""

import gzip
import hashlib
import inspect
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from mrtc.datasets import mnist as module
from mrtc.datasets.download import RemoteFile
from mrtc.datasets.examples import Examples
from mrtc.datasets.mnist import FILES, Part, load
from mrtc.errors import DataError

GREY = np.random.default_rng(0).integers(256, size=(5, 28, 28), dtype=np.uint8)
DIGITS = np.array([3, 1, 4, 1, 5], np.uint8)
IMAGES = struct.pack(">4B3I", 0, 0, 8, 3, 5, 28, 28) + GREY.tobytes()
LABELS = struct.pack(">4BI", 0, 0, 8, 1, 5) + DIGITS.tobytes()
NAME, LABELS_NAME = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where MNIST is five images."""
    monkeypatch.setitem(module.POPULATION, "train", 5)
    monkeypatch.setitem(module.UNZIPPED_SHA256, "train", (sha256(IMAGES), sha256(LABELS)))
    return tmp_path


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_images_and_labels_are_read_plain_or_zipped(small: Path, ending: str):
    zipped = gzip.compress if ending else bytes
    (small / f"{NAME}{ending}").write_bytes(zipped(IMAGES))
    (small / f"{LABELS_NAME}{ending}").write_bytes(zipped(LABELS))
    for path in (small, small / f"{NAME}{ending}"):
        data = load(path)
        assert isinstance(data, Examples)
        assert data.image_shape == (1, 28, 28)
        assert data.source == "MNIST, train part, official files, sha256 verified"
        np.testing.assert_array_equal(data.pixels[:, 0], GREY)
        np.testing.assert_array_equal(data.labels, DIGITS)
        expected = GREY[[4, 0]].astype(np.float32)[:, None] / 255
        np.testing.assert_allclose(data.images(torch.tensor([4, 0])), expected, rtol=1e-6)


def test_labels_may_be_absent(small: Path):
    (small / NAME).write_bytes(IMAGES)
    assert load(small).labels is None
    assert load(small).to("cpu").labels is None


def test_labels_move_with_the_images(small: Path):
    (small / NAME).write_bytes(IMAGES)
    (small / LABELS_NAME).write_bytes(LABELS)
    moved = load(small).to("meta")
    assert moved.pixels.is_meta
    assert moved.labels.is_meta
    assert moved.source == load(small).source


def test_without_a_path_it_comes_from_the_cache(small: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MRTC_CACHE", str(small))
    files = []
    for name, data in ((NAME, IMAGES), (LABELS_NAME, LABELS)):
        zipped = gzip.compress(data)
        (small / f"{name}.gz").write_bytes(zipped)
        files.append(RemoteFile(f"{name}.gz", ("http://127.0.0.1:1",), f"sha256:{sha256(zipped)}"))
    monkeypatch.setitem(module.FILES, "train", tuple(files))
    np.testing.assert_array_equal(load(None, quiet=True).labels, DIGITS)


OTHER = IMAGES[:-1] + bytes([IMAGES[-1] ^ 1])
BAD = {
    "empty": (b"", r"should begin with b'\\x00\\x00\\x08\\x03', .* 3 axes .* begins with b''"),
    "web page": (b"<!DOCTYPE html>", "but begins with b'<!DO'"),
    "labels": (LABELS, r"begins with b'\\x00\\x00\\x08\\x01'"),
    "floats": (b"\0\0\x0d\x03" + IMAGES[4:], r"begins with b'\\x00\\x00\\r\\x03'"),
    "header cut": (IMAGES[:10], "should hold 5 x 28 x 28 values, but its header says nothing"),
    "other part": (
        struct.pack(">4B3I", 0, 0, 8, 3, 4, 28, 28) + GREY[:4].tobytes(),
        "should hold 5 x 28 x 28 values, but its header says 4 x 28 x 28",
    ),
    "cut short": (IMAGES[:-7], "should be 3936 bytes, but has 3929"),
    "too long": (IMAGES + b"\0", "should be 3936 bytes, but goes on after them"),
    "another pixel": (
        OTHER,
        f"right form, but is not the official .* is {sha256(OTHER)}, not {sha256(IMAGES)}; get",
    ),
}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(("data", "message"), BAD.values(), ids=BAD.keys())
def test_what_is_not_mnist_is_refused(small: Path, data: bytes, message: str, zipped: bool):
    path = small / (f"{NAME}.gz" if zipped else NAME)
    path.write_bytes(gzip.compress(data) if zipped else data)
    with pytest.raises(DataError, match=message) as caught:
        load(small)
    images, _ = FILES["train"]
    assert f"get {NAME}.gz (sha256 {images.digest[7:]}) from https://ossci" in str(caught.value)


def test_wrong_labels_are_refused(small: Path):
    (small / NAME).write_bytes(IMAGES)
    (small / LABELS_NAME).write_bytes(LABELS[:-1] + b"\x09")
    with pytest.raises(DataError, match=rf"{LABELS_NAME} has the right form, but"):
        load(small)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (f"{NAME}.gz", gzip.compress(IMAGES)[:-300], "cannot be read: Compressed file ended"),
        (f"{NAME}.gz", IMAGES, "cannot be read: Not a gzipped file"),
        ("t10k-images-idx3-ubyte", IMAGES, f"holds no file {NAME} or {NAME}.gz; get {NAME}.gz"),
    ],
)
def test_damaged_and_missing_files_are_told(small: Path, name: str, data: bytes, message: str):
    (small / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        load(small)


def test_there_are_two_parts(tmp_path: Path):
    with pytest.raises(ValueError, match="the parts are train, test, got 'valid'"):
        inspect.unwrap(load)(tmp_path, "valid")


@pytest.mark.data
@pytest.mark.parametrize(
    ("part", "prefix", "counts"),
    [
        ("train", "train", [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]),
        ("test", "t10k", [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
    ],
)
def test_the_official_files_are_read_to_the_byte(
    shared_data: Path, part: Part, prefix: str, counts: list[int]
):
    """The counts of digits are those of the literature; the bytes those after the header."""
    data = load(shared_data / "mnist", part, quiet=True)
    with gzip.open(shared_data / "mnist" / f"{prefix}-images-idx3-ubyte.gz") as file:
        expected = np.frombuffer(file.read(), np.uint8, offset=16)
    np.testing.assert_array_equal(data.pixels.flatten(), expected)
    assert data.labels.bincount().tolist() == counts
