"""What is written is read back; a full disk, Ctrl-C or a broken image leaves nothing half."""

import errno
import gc
import os
import signal
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrtc.datasets.conversion import Facts, cached, write
from mrtc.datasets.examples import Examples
from mrtc.datasets.stored import StoredImages, open_stored
from mrtc.datasets.tables import Attributes
from mrtc.errors import OutputError

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


def test_what_is_written_is_read_back(stored: Path):
    data = open_stored(stored)
    assert isinstance(data, Examples)
    assert (len(data), data.image_shape, data.source) == (7, SHAPE, "a test")
    np.testing.assert_array_equal(everything(data), PIXELS.astype(np.float32) / 255)
    assert data.checksum == f"crc32:{zlib.crc32(PIXELS.tobytes()):08x}"
    assert data.attribute_names == ("a", "b")
    np.testing.assert_array_equal(data.attributes(np.array([6, 0])), ROWS.values[[6, 0]])
    assert data.attributes(np.array([6])).dtype == np.int64


def test_the_file_is_hdf5_for_others(stored: Path):
    with h5py.File(stored) as file:
        np.testing.assert_array_equal(file["images"], PIXELS)
        assert file["images"].chunks is None
        np.testing.assert_array_equal(file["attributes"], ROWS.values)
        assert file["attributes"].dtype.itemsize < 8
        assert dict(file.attrs) == {
            "format": "mrtc-images",
            "version": 1,
            "complete": True,
            "source": b"a test",
            "checksum": open_stored(stored).checksum.encode(),
        }


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace", "zlib.crc32"])
def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str):
    with monkeypatch.context() as patch:
        patch.setattr(call, full)
        with pytest.raises(OutputError, match=r"a.h5: No space left on device; the disk is full"):
            write(tmp_path / "a.h5", iter(PIXELS), SHAPE, FACTS, a_test)
    assert not [*tmp_path.iterdir()]


def test_pixels_are_written_past_the_real_end_of_space(tmp_path: Path):
    """As the operating system sees it: a limit on the size of files, instead of a full disk."""
    resource = pytest.importorskip("resource")
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    images = (np.zeros((3, 64, 64), np.uint8) for _ in range(100))
    facts = Facts(("all",), np.zeros(100, np.uint8))
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, limits[1]))
        with pytest.raises(OutputError, match=r"cannot write .*a.h5: File too large; choose"):
            write(tmp_path / "a.h5", images, (3, 64, 64), facts, a_test)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert not [*tmp_path.iterdir()]


def test_an_interrupted_conversion_leaves_nothing_and_can_be_had_again(tmp_path: Path):
    def interrupted() -> Iterator[np.ndarray]:
        yield from PIXELS[:3]
        assert len([*tmp_path.iterdir()]) == 1  # the temporary file
        raise KeyboardInterrupt

    path = tmp_path / "a.h5"
    with pytest.raises(KeyboardInterrupt):
        write(path, interrupted(), SHAPE, FACTS, a_test)
    assert not [*tmp_path.iterdir()]
    write(path, iter(PIXELS), SHAPE, FACTS, a_test)
    assert len(open_stored(path)) == 7


def test_an_interrupted_conversion_keeps_the_old_file(stored: Path):
    def interrupted() -> Iterator[np.ndarray]:
        yield PIXELS[0]
        raise KeyboardInterrupt

    before = stored.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        write(stored, interrupted(), SHAPE, FACTS, a_test)
    assert stored.read_bytes() == before


@pytest.mark.parametrize(
    ("count", "shape", "message"),
    [
        (8, SHAPE, "8 images were announced, got 7"),
        (6, SHAPE, r"6 images of shape .* got one of \(3, 4, 5\) after 6"),
        (7, (3, 5, 4), r"of shape \(3, 5, 4\) were announced, got one of \(3, 4, 5\) after 0"),
    ],
)
def test_what_was_announced_must_come(count: int, shape: tuple, message: str, tmp_path: Path):
    facts = Facts(("all",), np.zeros(count, np.uint8))
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "a.h5", iter(PIXELS), shape, facts, a_test)
    assert not [*tmp_path.iterdir()]
    with pytest.raises(ValueError, match="2 images need one row of attributes each, got 7"):
        Facts(("all",), np.zeros(2, np.uint8), ROWS)


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 300),
    st.integers(0, 9),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=300),
)
def test_any_head_fits_before_the_images(population: int, columns: int, text: str):
    images = np.random.default_rng(1).integers(256, size=(population, 1, 2, 3), dtype=np.uint8)
    rows = Attributes(tuple("abcdefghi"[:columns]), np.full((population, columns), 9))
    facts = Facts(("all",), np.zeros(population, np.uint8), rows if columns else None)
    with TemporaryDirectory() as folder:
        write(Path(folder, "a.h5"), images, (1, 2, 3), facts, lambda: text)
        data = open_stored(Path(folder, "a.h5"))
        np.testing.assert_array_equal(everything(data), images.astype(np.float32) / 255)
        assert data.source == text
        assert data.attribute_names == rows.names
        np.testing.assert_array_equal(data.attributes(np.arange(population)), rows.values)


def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path):
    """As many as CelebA has, of 4 x 4 pixels: only the byte of each that says its part, twice."""
    peaks = []
    for population in (2_000, 202_599):
        facts = Facts(("all",), np.zeros(population, np.uint8))
        images = (np.full((1, 4, 4), at % 251, np.uint8) for at in range(population))
        gc.collect()
        tracemalloc.start()
        write(tmp_path / "a.h5", images, (1, 4, 4), facts, a_test)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2.2 * 202_599  # of 16 bytes each
    data = open_stored(tmp_path / "a.h5")
    index = torch.tensor([0, 1, 250, 251, 202_598])
    assert (data.images(index)[:, 0, 0, 0] * 255).round().tolist() == [0, 1, 250, 0, 41]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MRTC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_file_is_made_once_and_made_again_if_it_is_damaged(cache: Path):
    made = []

    def make(path: Path) -> None:
        made.append(path)
        write(path, iter(PIXELS), SHAPE, FACTS, a_test)

    assert len(cached("x", "train", make)) == 5
    assert len(cached("x", "test", make)) == 2
    assert made == [cache / "x-1.h5"]
    os.truncate(made[0], 100)
    assert len(cached("x", "test", make)) == 2
    assert len(made) == 2


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MRTC_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(OutputError, match=r"cannot write .*x-1.h5: Not a directory.*MRTC_CACHE"):
        cached("x", "train", lambda _: None)
