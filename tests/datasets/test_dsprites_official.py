"""The official file, in small: read as it is, and refused for a reason when it is not."""

import io
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from mrtc.datasets import official
from mrtc.datasets.dsprites import DSprites, load
from mrtc.datasets.official import OFFICIAL
from mrtc.errors import DataError
from mrtc.factors import FactorGrid

GRID = FactorGrid(names=DSprites.grid.names, sizes=(3, 2, 4, 2, 2))
IMAGES = np.random.default_rng(0).integers(2, size=(96, 64, 64), dtype=np.uint8)
CLASSES = np.array([(0, *row) for row in np.ndindex(GRID.sizes)])


@pytest.fixture(autouse=True)
def _in_small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(DSprites, "grid", GRID)
    monkeypatch.setattr(official, "ROWS", 40)  # three pieces, the last one shorter
    monkeypatch.chdir(tmp_path)


def member(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=False)
    return file.getvalue()


def pickled(*shape: int) -> bytes:
    """An array of objects; unpickled, it creates a file in the current folder."""
    file = io.BytesIO()
    header = {"descr": "|O", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + b"cbuiltins\nopen\n(S'unpickled'\nS'w'\ntR."


def save_npz(path: Path, compression: int = zipfile.ZIP_DEFLATED, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def save_hdf5(path: Path, chunks: tuple[int, ...] | None = None, **members: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        for name, content in members.items():
            file.create_dataset(name.replace("__", "/"), data=content, chunks=chunks)
    return path


def assert_read(data: DSprites) -> None:
    assert data.source == "dSprites, official file"
    np.testing.assert_array_equal(data.packed, np.packbits(IMAGES.reshape(96, -1), axis=1))


@pytest.mark.parametrize("name", [f"{OFFICIAL}.npz", "dsprites.npz"])
def test_npz_is_read_and_its_pickle_is_not(tmp_path: Path, name: str):
    path = save_npz(
        tmp_path / name,
        metadata=pickled(),
        imgs=member(IMAGES),
        latents_classes=member(CLASSES),
        latents_values=member(CLASSES.astype(float)),
    )
    assert_read(load(path, quiet=False))
    assert_read(load(tmp_path, quiet=True))
    assert not Path("unpickled").exists()


@pytest.mark.parametrize("chunks", [None, (7, 8, 8), (96, 2, 4)])
def test_hdf5_is_read(tmp_path: Path, chunks: tuple[int, ...] | None):
    path = save_hdf5(tmp_path / f"{OFFICIAL}.hdf5", chunks, imgs=IMAGES)
    with h5py.File(path, "a") as file:
        file["latents/classes"] = CLASSES
    assert_read(load(path, quiet=False))
    assert_read(load(tmp_path, quiet=True))


def test_the_classes_may_be_absent(tmp_path: Path):
    assert_read(load(save_npz(tmp_path / "only.npz", imgs=member(IMAGES))))


def cut(path: Path) -> Path:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def flip(path: Path) -> Path:
    whole = path.read_bytes()
    middle = whole.index(IMAGES[50].tobytes())
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    return path


def text(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def with_a_two() -> np.ndarray:
    images = IMAGES.copy()
    images[77, 3, 5] = 2
    return images


STORED = zipfile.ZIP_STORED
BAD = {
    "missing": (lambda p: p / "no.npz", r"is missing: there is no \S+no.npz;"),
    "empty folder": (lambda p: p, r"there is no \S+64x64.npz or \S+64x64.hdf5 or \S+dsprites.npz"),
    "web page": (
        lambda p: text(p / "d.npz", "\n<!DOCTYPE html><html>"),
        r"d.npz is a web page: it starts with b'\\n<!DOCTYPE",
    ),
    "text": (
        lambda p: text(p / "d.npz", "version https://"),
        "is neither .npz nor .hdf5: it starts",
    ),
    "empty": (lambda p: text(p / "d.npz", ""), "is neither .npz nor .hdf5"),
    "npz cut short": (
        lambda p: cut(save_npz(p / "d.npz", imgs=member(IMAGES))),
        "is neither .npz nor .hdf5: it starts with b'PK",
    ),
    "npz damaged": (
        lambda p: flip(save_npz(p / "d.npz", STORED, imgs=member(IMAGES))),
        "cannot be read as dSprites: Bad CRC-32",
    ),
    "npz with a short member": (
        lambda p: save_npz(p / "d.npz", imgs=member(IMAGES)[:-5000]),
        "cannot be read as dSprites: cannot reshape",
    ),
    "npz with foreign members": (
        lambda p: save_npz(p / "d.npz", imgs=b"not an array"),
        "cannot be read as dSprites: the magic string is not correct",
    ),
    "npz of a later version": (
        lambda p: save_npz(p / "d.npz", imgs=b"\x93NUMPY\x09\x00" + member(IMAGES)[8:]),
        r"cannot be read as dSprites: \(9, 0\)",
    ),
    "hdf5 cut short": (
        lambda p: cut(save_hdf5(p / "d.hdf5", imgs=IMAGES)),
        "cannot be read as dSprites: .*truncated",
    ),
    "npz of something else": (
        lambda p: save_npz(p / "d.npz", pictures=member(IMAGES)),
        "holds no array imgs",
    ),
    "hdf5 of something else": (lambda p: save_hdf5(p / "d.hdf5", imgs__a=IMAGES), "no array imgs"),
    "shape": (
        lambda p: save_npz(p / "d.npz", imgs=member(IMAGES[:95])),
        r"should be uint8 of shape \(96, 64, 64\), but is uint8 of shape \(95, 64, 64\)",
    ),
    "type": (lambda p: save_hdf5(p / "d.hdf5", imgs=IMAGES / 2), "but is float64 of shape"),
    "column order": (
        lambda p: save_npz(p / "d.npz", imgs=member(np.asfortranarray(IMAGES))),
        "imgs is stored column by column",
    ),
    "values": (
        lambda p: save_npz(p / "d.npz", imgs=member(with_a_two())),
        "should be 0 or 1 everywhere, but has 2 among images 40 to 79",
    ),
    "pickled images": (
        lambda p: save_npz(p / "d.npz", imgs=pickled(96, 64, 64)),
        "imgs in .* is a pickled array",
    ),
    "pickled classes": (
        lambda p: save_npz(p / "d.npz", imgs=member(IMAGES), latents_classes=pickled(96, 6)),
        "the classes in .* do not run through the grid",
    ),
    "order": (
        lambda p: save_npz(p / "d.npz", imgs=member(IMAGES), latents_classes=member(CLASSES[::-1])),
        r"do not run through the grid of \('shape',",
    ),
    "classes without colour": (
        lambda p: save_npz(
            p / "d.npz", imgs=member(IMAGES), latents_classes=member(CLASSES[:, 1:])
        ),
        "do not run through the grid",
    ),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD.keys())
def test_what_is_not_the_official_file_is_refused(make, message: str, tmp_path: Path):
    with pytest.raises(DataError, match=message) as caught:
        load(make(tmp_path), quiet=True)
    assert "get dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz from https://" in str(caught.value)
    assert not Path("unpickled").exists()
