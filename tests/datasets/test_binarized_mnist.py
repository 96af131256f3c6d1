"""The official texts, against other readers and against MNIST; and what is none is refused."""

import gzip
import hashlib
import inspect
from pathlib import Path

import numpy as np
import pytest
import torch

from mrtc.datasets import binarized_mnist as module
from mrtc.datasets.binarized_mnist import BinarizedMNIST, Part, load
from mrtc.datasets.examples import Examples
from mrtc.errors import DataError

PIXELS = np.random.default_rng(0).integers(2, size=(5, 784))
TEXT = "".join(" ".join(map(str, row)) + "\n" for row in PIXELS.tolist()).encode()
NAME = "binarized_mnist_train.amat"


@pytest.fixture
def _in_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.POPULATION, "train", 5)
    monkeypatch.setitem(module.SHA256, "train", hashlib.sha256(TEXT).hexdigest())
    monkeypatch.setattr(module, "LINES", 2)  # three pieces, the last one shorter


def save(path: Path, text: bytes = TEXT) -> Path:
    path.write_bytes(text)
    return path


def save_gz(path: Path, text: bytes = TEXT) -> Path:
    with gzip.open(path, "wb") as file:
        file.write(text)
    return path


def pixels(data: BinarizedMNIST) -> np.ndarray:
    return data.images(torch.arange(len(data))).reshape(-1, 784).numpy()


def assert_read(data: BinarizedMNIST) -> None:
    np.testing.assert_array_equal(pixels(data), PIXELS)
    assert data.source == "binarized MNIST, train part, official text, sha256 verified"


@pytest.mark.usefixtures("_in_small")
@pytest.mark.parametrize("make", [save, save_gz])
def test_a_text_is_read_plain_or_zipped(make, tmp_path: Path):
    path = make(tmp_path / (NAME if make is save else f"{NAME}.gz"))
    assert_read(load(path))
    assert_read(load(tmp_path, "train", quiet=True))


@pytest.mark.usefixtures("_in_small")
def test_without_a_path_it_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MRTC_CACHE", str(tmp_path))
    save(tmp_path / NAME)
    assert_read(load(None, quiet=True))


def test_without_a_cache_it_is_looked_for_at_the_official_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MRTC_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "ADDRESS", "http://127.0.0.1:1")  # a port for nobody to listen on
    with pytest.raises(DataError, match=r"http://127.0.0.1:1/binarized_mnist_valid.amat: "):
        load(part="valid", quiet=True)


def test_images_are_in_the_order_of_the_index():
    packed = torch.from_numpy(np.packbits(PIXELS.astype(np.uint8), axis=1))
    data = BinarizedMNIST(packed, "test")
    images = data.images(torch.tensor([3, 0, 3]))
    assert images.dtype == torch.float32
    assert images.shape == (3, *BinarizedMNIST.image_shape)
    np.testing.assert_array_equal(images, PIXELS[[3, 0, 3]].reshape(3, 1, 28, 28))
    assert data.images(torch.empty(0, dtype=torch.int64)).shape == (0, 1, 28, 28)


def test_it_is_what_training_asks_of_a_dataset():
    data = BinarizedMNIST(torch.zeros(4, 98, dtype=torch.uint8), "test")
    assert isinstance(data, Examples)
    assert len(data) == 4


def test_the_checksum_is_that_of_the_bits():
    """ "123456789" is what the CRC-32 catalogues give the check value cbf43926 for."""
    known = torch.tensor([list(b"123456789")], dtype=torch.uint8)  # the usual example of a CRC
    assert BinarizedMNIST(known, "test").checksum == "crc32:cbf43926"


def test_it_moves_to_a_device():
    data = BinarizedMNIST(torch.zeros(4, 98, dtype=torch.uint8), "test").to("meta")
    assert data.images(torch.tensor([1, 2])).is_meta
    assert data.source == "test"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_images_are_the_same_on_a_gpu():
    packed = torch.randint(256, (10, 98), dtype=torch.uint8, generator=torch.manual_seed(0))
    data, index = BinarizedMNIST(packed, "test"), torch.tensor([3, 9, 0, 3])
    images = data.to("cuda").images(index)
    assert images.is_cuda
    assert torch.equal(images.cpu(), data.images(index))


def changed(at: int, character: bytes) -> bytes:
    return TEXT[:at] + character + TEXT[at + 1 :]


def folder(path: Path) -> Path:
    path.mkdir()
    return path.parent


def flipped(path: Path) -> Path:
    whole = path.read_bytes()
    return save(path, whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:])  # in the stored checksum


ONE = changed(0, bytes([TEXT[0] ^ 1]))
FORM = "should be lines of 784 digits 0 or 1 with blanks between, but"
SIZE = "should be 5 lines of 1568 bytes, but has"
BAD = {
    "missing": (lambda p: p / "no" / NAME, f"cannot read .*{NAME}: No such file"),
    "empty folder": (lambda p: p, f"holds no file {NAME} or {NAME}.gz"),
    "other part": (
        lambda p: save(p / NAME.replace("train", "test")),
        f"binarized_mnist_test.amat is not called {NAME} or {NAME}.gz",
    ),
    "folder of that name": (lambda p: folder(p / NAME), f"{NAME} cannot be read: .*directory"),
    "empty": (lambda p: save(p / NAME, b""), rf"{SIZE} 0 lines \(0 bytes\)"),
    "web page": (
        lambda p: save(p / NAME, b"<!DOCTYPE html><html>"),
        f"{FORM} line 1 has b'<!DOCTYPE html><html' at column 1;",
    ),
    "a grey value": (
        lambda p: save(p / NAME, changed(3 * 1568 + 10, b"2")),
        rf"{FORM} line 4 has b'2 \S .*' at column 11;",
    ),
    "a missing blank": (
        lambda p: save(p / NAME, changed(1568 + 3, b"1")),
        rf"{FORM} line 2 has b'1\S .*' at column 4;",
    ),
    "commas": (lambda p: save(p / NAME, TEXT.replace(b" ", b",")), "line 1 .* at column 2;"),
    "line ends of Windows": (
        lambda p: save(p / NAME, TEXT.replace(b"\n", b"\r\n")),
        r"line 1 has b'\\r\\n.*' at column 1568;",
    ),
    "cut short": (
        lambda p: save(p / NAME, TEXT[: 2 * 1568 + 784]),
        rf"{SIZE} 2.5 lines \(3920 bytes\)",
    ),
    "cut short, zipped": (
        lambda p: save_gz(p / f"{NAME}.gz", TEXT[:-1568]),
        rf"{SIZE} 4 lines \(6272 bytes\)",
    ),
    "without its last line end": (lambda p: save(p / NAME, TEXT[:-1]), r"\(7839 bytes\)"),
    "one line more": (lambda p: save(p / NAME, TEXT + TEXT[:1568]), f"{SIZE} 6 lines"),
    "another pixel": (
        lambda p: save(p / NAME, ONE),
        f"is not the official text: its sha256, unzipped, is {hashlib.sha256(ONE).hexdigest()};",
    ),
    "zip cut short": (
        lambda p: save(p / f"{NAME}.gz", save_gz(p / "whole").read_bytes()[:300]),
        "cannot be read: Compressed file ended before",
    ),
    "zip with a wrong checksum": (
        lambda p: flipped(save_gz(p / f"{NAME}.gz")),
        "cannot be read: CRC check failed",
    ),
    "zip damaged inside": (
        lambda p: save(p / f"{NAME}.gz", gzip.compress(b"")[:10] + b"\xff" * 50),
        "cannot be read: Error -3",
    ),
    "text named as a zip": (lambda p: save(p / f"{NAME}.gz"), "cannot be read: Not a gzipped"),
}


@pytest.mark.usefixtures("_in_small")
@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD.keys())
def test_what_is_not_the_official_text_is_refused(make, message: str, tmp_path: Path):
    with pytest.raises(DataError, match=message) as caught:
        load(make(tmp_path), quiet=True)
    assert f"get {NAME} (sha256 {hashlib.sha256(TEXT).hexdigest()}) from " in str(caught.value)
    assert f"http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/{NAME}" in str(
        caught.value
    )


def test_only_the_three_parts_exist(tmp_path: Path):
    unchecked = inspect.unwrap(load)  # without the type checks of the tests, as users have it
    with pytest.raises(ValueError, match="the parts are train, valid, test, got 'validation'"):
        unchecked(tmp_path, "validation")


def official(shared_data: Path, part: Part) -> bytes:
    return gzip.decompress(
        (shared_data / "binarized_mnist" / f"binarized_mnist_{part}.amat.gz").read_bytes()
    )


@pytest.mark.data
@pytest.mark.parametrize(("part", "size"), [("train", 50_000), ("valid", 10_000), ("test", 10_000)])
def test_the_official_texts_are_read_as_others_read_them(shared_data: Path, part: Part, size: int):
    data = load(shared_data / "binarized_mnist", part, quiet=True)
    assert len(data) == size
    text = official(shared_data, part)
    lines = text.splitlines()
    index = [*range(20), size // 2, 999, 1000, 1001, *range(size - 20, size)]
    expected = np.loadtxt([lines[i].decode() for i in index])
    np.testing.assert_array_equal(data.images(torch.tensor(index)).reshape(-1, 784), expected)
    assert pixels(data).sum(dtype=np.float64) == text.count(b"1")


def idx(path: Path, header: int) -> np.ndarray:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


@pytest.mark.data
def test_pixels_were_drawn_with_the_probability_of_their_grey_value(shared_data: Path):
    """The test part holds MNIST's test images sorted by digit, otherwise in their order."""
    mnist = shared_data / "mnist"
    labels = idx(mnist / "t10k-labels-idx1-ubyte.gz", 8)
    grey = idx(mnist / "t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    grey = grey[np.argsort(labels, kind="stable")]
    ink = pixels(load(shared_data / "binarized_mnist", "test", quiet=True))

    assert not ink[grey == 0].any()
    assert ink[grey == 255].all()
    p = grey / 255
    variance = (p * (1 - p)).sum(0)
    z = (ink - p).sum(0)[variance > 1] / np.sqrt(variance[variance > 1])
    assert 0.9 < np.sqrt(np.mean(z**2)) < 1.1  # over some 500 pixels, so its deviation is 0.03


@pytest.mark.data
def test_training_and_validation_are_mnists_training_images(shared_data: Path):
    """By the share of ink in all 60,000, of which the draws leave a deviation of 2e-5."""
    parts: tuple[Part, ...] = ("train", "valid")
    ink = sum(
        pixels(load(shared_data / "binarized_mnist", part)).sum(dtype=float) for part in parts
    )
    grey = idx(shared_data / "mnist" / "train-images-idx3-ubyte.gz", 16)
    assert ink / grey.size == pytest.approx(grey.mean() / 255, abs=8e-5)
