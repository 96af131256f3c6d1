"""CIFAR-10's binary form, archived and unpacked; pickles are refused unread."""

import hashlib
import inspect
import io
import pickle
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from mrtc.datasets import cifar as module
from mrtc.datasets.cifar import load
from mrtc.datasets.download import RemoteFile
from mrtc.errors import DataError

NAMES = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
LABELS = np.random.default_rng(0).integers(10, size=(6, 3, 1), dtype=np.uint8)
PHOTOS = np.random.default_rng(1).integers(256, size=(6, 3, 3, 32, 32), dtype=np.uint8)
"""Of six batches of three."""

BATCHES = {
    name: np.concatenate([LABELS[i], PHOTOS[i].reshape(3, -1)], axis=1).tobytes()
    for i, name in enumerate(NAMES)
}
ARCHIVE = "cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"
ADVICE = f"get {ARCHIVE} (sha256 {module.ARCHIVE.digest[7:]}) from {module.ARCHIVE.urls[0]}, and"


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where a batch is three images."""
    monkeypatch.setattr(module, "RECORDS", 3)
    return tmp_path


def pack(path: Path, files: Mapping[str, bytes] = BATCHES, folder: str = FOLDER) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in reversed(files.items()):  # the order of names is what counts
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def unpack(folder: Path, files: Mapping[str, bytes] = BATCHES) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def changed(name: str, data: bytes) -> dict[str, bytes]:
    return {**BATCHES, name: data}


PLACES = {
    "archive": lambda p: pack(p / ARCHIVE),
    "folder of the archive": lambda p: pack(p / ARCHIVE).parent,
    "batches": lambda p: unpack(p),
    "folder of their folder": lambda p: unpack(p / FOLDER).parent,
}


@pytest.mark.parametrize("make", PLACES.values(), ids=PLACES.keys())
def test_images_and_labels_are_read_from_archive_and_folder(small: Path, make):
    place = make(small)
    train, test = load(place, quiet=True), load(place, "test")
    assert train.image_shape == (3, 32, 32)
    np.testing.assert_array_equal(train.pixels, PHOTOS[:5].reshape(15, 3, 32, 32))
    np.testing.assert_array_equal(train.labels, LABELS[:5].ravel())
    np.testing.assert_array_equal(test.pixels, PHOTOS[5])
    np.testing.assert_array_equal(test.labels, LABELS[5].ravel())


def test_the_source_says_how_it_was_checked(small: Path, monkeypatch: pytest.MonkeyPatch):
    unpack(small / FOLDER)
    unverified = "CIFAR-10, test part, unpacked batches, of the official form"
    assert load(small, "test").source == unverified
    path = pack(small / ARCHIVE)
    other = f"CIFAR-10, test part, {ARCHIVE} of the official form, but of another sha256"
    assert load(small, "test").source == other
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    file = RemoteFile(ARCHIVE, ("http://127.0.0.1:1",), f"sha256:{digest}")
    monkeypatch.setattr(module, "ARCHIVE", file)
    monkeypatch.setenv("MRTC_CACHE", str(small))
    for place in (None, small, path):
        source = load(place, "test", quiet=True).source
        assert source == f"CIFAR-10, test part, official {ARCHIVE}, sha256 verified"


SHORT = BATCHES["data_batch_2.bin"][:-1]
LONG = BATCHES["data_batch_2.bin"] + b"\0"
CLASS = b"\x0a"
SECOND = BATCHES["data_batch_4.bin"][:3073]
BAD = {
    "cut short": (changed("data_batch_2.bin", SHORT), "should be 3 records of 3073 bytes, but has"),
    "too long": (changed("data_batch_2.bin", LONG), r"data_batch_2.bin should be .* \(9220 bytes"),
    "a class ten": (
        changed("data_batch_4.bin", SECOND + CLASS + BATCHES["data_batch_4.bin"][3074:]),
        "data_batch_4.bin should have labels from 0 to 9, but that of record 2 is 10",
    ),
}


@pytest.mark.parametrize("make", [pack, unpack])
@pytest.mark.parametrize(("files", "message"), BAD.values(), ids=BAD.keys())
def test_damaged_batches_are_named(small: Path, files: Mapping[str, bytes], message: str, make):
    place = make(small / (ARCHIVE if make is pack else FOLDER), files)
    with pytest.raises(DataError, match=message) as caught:
        load(place)
    assert ADVICE in str(caught.value)


def test_missing_batches_are_named(small: Path):
    files = {name: BATCHES[name] for name in NAMES[:3]}
    with pytest.raises(DataError, match=r"not hold data_batch_4.bin, data_batch_5.bin; get"):
        load(pack(small / ARCHIVE, files))
    with pytest.raises(DataError, match=r"cannot be read: .*No such file.*data_batch_4.bin"):
        load(unpack(small / FOLDER, files))


@pytest.mark.parametrize("kept", [0.0, 0.2, 0.9])
def test_an_archive_cut_short_is_refused(small: Path, kept: float):
    path = pack(small / ARCHIVE)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(DataError, match=rf"{ARCHIVE} cannot be read: .*; get "):
        load(small)


def test_what_is_no_archive_is_refused(small: Path):
    (small / ARCHIVE).write_bytes(b"<!DOCTYPE html>")
    with pytest.raises(DataError, match="cannot be read: not a gzip file"):
        load(small)


def test_links_in_an_archive_are_not_followed(small: Path):
    with tarfile.open(small / ARCHIVE, "w:gz") as archive:
        link = tarfile.TarInfo(f"{FOLDER}/test_batch.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(DataError, match=r"does not hold test_batch.bin; get"):
        load(small, "test")


class _Bomb:
    """Fails the test if anyone unpickles it."""

    def __reduce__(self) -> tuple:
        return pytest.fail, ("a pickle was read",)


PICKLES = {
    "archive": lambda p, data: pack(p / "cifar-10-python.tar.gz", data, "cifar-10-batches-py"),
    "its folder": lambda p, data: pack(p / "cifar-10-python.tar.gz", data).parent,
    "batches": unpack,
    "their folder's folder": lambda p, data: unpack(p / "cifar-10-batches-py", data).parent,
    "archive by another name": lambda p, data: pack(p / ARCHIVE, data),
}


@pytest.mark.parametrize("make", PICKLES.values(), ids=PICKLES.keys())
def test_the_pickled_version_is_refused(small: Path, make):
    data = {name.removesuffix(".bin"): pickle.dumps(_Bomb()) for name in NAMES}
    with pytest.raises(DataError, match="is pickled: reading it could run code") as caught:
        load(make(small, data))
    assert ADVICE in str(caught.value)


def test_an_empty_folder_is_told(small: Path):
    with pytest.raises(DataError, match=f"holds no file {ARCHIVE}; get {ARCHIVE} "):
        load(small)
    with pytest.raises(DataError, match=r"cannot read .*nowhere: No such file"):
        load(small / "nowhere")


def test_there_are_two_parts(tmp_path: Path):
    with pytest.raises(ValueError, match="the parts are train, test, got 'valid'"):
        inspect.unwrap(load)(tmp_path, "valid")
