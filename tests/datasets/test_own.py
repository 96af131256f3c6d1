"""Any images: mixed, broken, with tables; arrays in every layout; and what is refused."""

import inspect
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from mrtc.datasets import image_arrays, own
from mrtc.datasets.decoding import Form, decode
from mrtc.datasets.examples import Examples
from mrtc.datasets.own import ArrayImages, load
from mrtc.datasets.stored import StoredImages
from mrtc.errors import DataError
from tests.datasets.image_files import cut, encoded, pixels, save, save_zip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MRTC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def everything(data: Examples) -> np.ndarray:
    return data.images(torch.arange(len(data))).numpy()


def grey(count: int, size: int = 8) -> dict[str, bytes]:
    return {f"{at:02}.png": encoded(pixels(size, size, 1, seed=at)) for at in range(count)}


def expected(files: dict[str, bytes], index: list[int], channels: int, size: int = 8) -> np.ndarray:
    form, data = Form(size, channels), [*files.values()]
    return np.stack([decode("", data[at], form).pixels for at in index]) / np.float32(255)


TRAIN = [at for at in range(25) if at not in (9, 19)]


@pytest.mark.parametrize("is_zip", [False, True])
def test_every_tenth_image_is_for_testing(is_zip: bool, tmp_path: Path, cache: Path):
    files = grey(25)
    path = save_zip(tmp_path / "my.zip", files) if is_zip else save(tmp_path / "my.zip", files)
    for part, index in (("train", TRAIN), ("test", [9, 19])):
        data = load(path, part, size=8, quiet=True)
        assert data.image_shape == (1, 8, 8)
        np.testing.assert_array_equal(everything(data), expected(files, index, 1))
        assert data.source == (
            f"own images my.zip, 25 of 8 x 8, cut to squares and scaled to 8 x 8, {part} part"
        )
    assert len([*cache.glob("own-8-*.h5")]) == 1


def test_mixed_sizes_and_modes_become_one(tmp_path: Path):
    files = grey(3, 16) | {
        "p.gif": encoded(Image.fromarray(pixels(8, 12)).quantize(9), "GIF"),
        "q.jpg": encoded(Image.fromarray(pixels(20, 9)).convert("CMYK"), "JPEG"),
        "r.webp": encoded(Image.fromarray(pixels(9, 9, 4)), "WEBP"),
        "s.tif": encoded(Image.fromarray(pixels(30, 40)[..., 0]).convert("1"), "TIFF"),
        "t.bmp": encoded(pixels(5, 5), "BMP"),
        "u.png": encoded(pixels(9, 9, 1)),  # grey again, after those with colour
    }
    data = load(save(tmp_path / "my", files), size=8, quiet=True)
    assert data.image_shape == (3, 8, 8)
    np.testing.assert_array_equal(everything(data), expected(files, [*range(9)], 3))
    assert "9 of 5 x 5 to 40 x 30, cut to squares" in data.source


def test_the_cache_is_of_what_is_there(tmp_path: Path):
    folder = save(tmp_path / "my", grey(5))
    assert len(load(folder, quiet=True)) == 5
    assert load(folder, quiet=True, size=16).image_shape == (1, 16, 16)
    save(folder, grey(7))
    assert len(load(folder, quiet=True)) == 7


def broken(tmp_path: Path) -> Path:
    files = grey(12) | {"05.jpg": cut(encoded(pixels(40, 40), "JPEG")), "11.png": b"text"}
    return save(tmp_path / "my", files)


def test_a_broken_image_is_named(tmp_path: Path, cache: Path):
    folder = broken(tmp_path)
    with pytest.raises(
        DataError, match=r"11.png cannot .*; 12 of 13 images come before it; .*--skip-b"
    ):
        load(folder, quiet=True)  # seen by its head
    (folder / "11.png").unlink()
    with pytest.raises(
        DataError, match=r"05.jpg cannot .*truncated.*; the 5 of 12 .*--skip-broken"
    ):
        load(folder, quiet=True)  # seen when it was decoded
    assert not [*cache.glob("*.h5")]


def test_broken_images_are_left_out_on_request(tmp_path: Path, capsys: pytest.CaptureFixture):
    folder = broken(tmp_path)
    data = load(folder, skip_broken=True, size=8)
    assert len(data) == 10  # of eleven, the tenth is for testing
    assert (
        ", 11 of 8 x 8, cut to squares and scaled to 8 x 8, 2 broken ones left out," in data.source
    )
    said = capsys.readouterr().err
    assert "left out 2 of 13 images: 05.jpg (" in said
    assert "), 11.png (" in said
    with pytest.raises(DataError, match="cannot be read"):  # the cache is not mistaken for all
        load(folder, quiet=True, size=8)


def test_none_but_broken_images(tmp_path: Path):
    folder = save(tmp_path / "my", {"a.png": b"", "b.png": b"text"})
    with pytest.raises(DataError, match=r"none of its 2 images can be read; the first is a.png"):
        load(folder, skip_broken=True, quiet=True)


def test_a_bomb_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = save(tmp_path / "my", grey(2) | {"z.png": encoded(pixels(30, 30))})
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 800)
    with pytest.raises(DataError, match=r"image z.png .*900 pixels\) exceeds limit of 800"):
        load(folder, quiet=True)
    assert len(load(folder, skip_broken=True, quiet=True)) == 2


@pytest.mark.parametrize("is_zip", [False, True])
def test_a_table_gives_each_image_its_row(is_zip: bool, tmp_path: Path):
    files = grey(12)
    rows = [f"{name},{at},{-at}" for at, name in enumerate(files)]
    table = "\n".join(["file,shape,x", *rows[::-1]]).encode()
    files["labels.csv"] = table
    path = save_zip(tmp_path / "my.zip", files) if is_zip else save(tmp_path / "my", files)
    data = load(path, "test", quiet=True)
    assert data.attribute_names == ("shape", "x")
    assert data.attributes(np.array([0])).tolist() == [[9, -9]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["00.png,1", "01.png,1"], r"no row for the image 02.png: it has 2 rows.* 3 images"),
        (
            [f"0{at}.png,1" for at in range(4)],
            r"attributes.csv has 4 rows, and there are 3 images; there is none for .*'03.png'",
        ),
        (["00.png,red"], "attributes.csv, line 2: '00.png' should be followed by whole numbers"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(rows: list[str], message: str, tmp_path: Path):
    table = "\n".join(["file,x", *rows]).encode()
    with pytest.raises(DataError, match=message):
        load(save(tmp_path / "my", grey(3) | {"attributes.csv": table}), quiet=True)


def test_without_a_path_it_is_said_how_to_give_one(tmp_path: Path):
    with pytest.raises(DataError, match="--data PATH"):
        load(None)
    with pytest.raises(ValueError, match="the parts are train, test, got 'valid'"):
        inspect.unwrap(load)(tmp_path, "valid")


# Arrays.

BYTES = pixels(25, 6, 15).reshape(25, 6, 5, 3)  # example, row, column, channel
LABELS = np.arange(50).reshape(25, 2) * 7


def save_array(path: Path, **arrays: np.ndarray) -> Path:
    if path.suffix == ".npz":
        np.savez_compressed(path, **arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array.astype("S") if array.dtype.kind == "U" else array
    return path


LAYOUTS = {
    "rows first": (BYTES, BYTES.transpose(0, 3, 1, 2)),
    "channels first": (BYTES.transpose(0, 3, 1, 2), BYTES.transpose(0, 3, 1, 2)),
    "no channels": (BYTES[..., 0], BYTES[:, None, :, :, 0]),
    "one channel last": (BYTES[..., :1], BYTES[:, None, :, :, 0]),
    "real": (BYTES / 255, BYTES.transpose(0, 3, 1, 2)),
    "half": ((BYTES[..., 0] / 255).astype(np.float16), BYTES[:, None, :, :, 0]),
    "boolean": (BYTES[..., 0] > 99, 255 * (BYTES[:, None, :, :, 0] > 99)),
}


@pytest.mark.parametrize("ending", [".npz", ".h5", ".hdf5"])
@pytest.mark.parametrize(("array", "images"), LAYOUTS.values(), ids=LAYOUTS.keys())
def test_arrays_are_read_in_every_layout(
    ending: str, array: np.ndarray, images: np.ndarray, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(image_arrays, "BLOCK_BYTES", 700)  # several blocks, the last one shorter
    path = save_array(tmp_path / f"a{ending}", images=array, labels=LABELS[:, 0])
    for part, index in (("train", TRAIN), ("test", [9, 19])):
        data = load(path, part)
        assert isinstance(data, Examples)
        assert data.image_shape == images.shape[1:]
        np.testing.assert_array_equal(everything(data), (images[index] / 255).astype(np.float32))
        assert data.attributes(np.arange(len(index))).tolist() == LABELS[index, :1].tolist()
        assert data.attribute_names == ("labels_0",)
        assert data.source == f"own images a{ending}, {part} part"
    pixels_there = np.ascontiguousarray(images[[9, 19]].astype(np.uint8))
    assert data.checksum == f"crc32:{zlib.crc32(pixels_there):08x}"
    assert data.to("meta").images(torch.tensor([0])).is_meta
    assert data.to("meta").attribute_names == ("labels_0",)


@pytest.mark.parametrize("ending", [".npz", ".h5"])
def test_factors_have_names(ending: str, tmp_path: Path):
    names = np.array(["shape", "x"])
    path = save_array(tmp_path / f"a{ending}", any=BYTES, factors=LABELS, factor_names=names)
    data = load(path, "test")
    assert data.attribute_names == ("shape", "x")
    assert data.attributes(np.array([1])).tolist() == [LABELS[19].tolist()]


def test_arrays_that_are_large_go_through_the_cache(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    path = save_array(tmp_path / "a.npz", images=BYTES, labels=LABELS)
    small = load(path)
    monkeypatch.setattr(own, "IN_MEMORY", BYTES.size - 1)
    large = load(path)
    assert isinstance(small, ArrayImages)
    assert isinstance(large, StoredImages)
    np.testing.assert_array_equal(everything(large), everything(small))
    np.testing.assert_array_equal(large.attributes(np.arange(23)), small.attributes(np.arange(23)))
    assert large.source == small.source
    assert len([*cache.glob("own-*.h5")]) == 1


def test_without_labels_there_are_no_attributes(tmp_path: Path):
    data = load(save_array(tmp_path / "a.npz", images=BYTES))
    assert data.attribute_names == ()
    assert data.attributes(np.arange(3)).shape == (3, 0)


class Harmful:
    def __reduce__(self) -> tuple:
        return pytest.fail, ("this was unpickled",)


REFUSED = {
    "no images": ({"x": BYTES[0, 0]}, "not just one of bytes .* but x uint8"),
    "two of them": ({"a": BYTES, "b": BYTES}, r"no array called images or imgs.*a uint8.*b uint8"),
    "integers": ({"images": BYTES.astype(int)}, "images is int64 of shape"),
    "complex": ({"images": BYTES * 1j}, "images is complex128"),
    "objects": ({"images": np.array([[[Harmful()]]])}, "holds Python objects, which are never"),
    "not a number": ({"images": np.full((2, 4, 4), np.nan)}, r"lie in \[0, 1\], got nan to nan"),
    "above one": ({"images": BYTES / 128}, r"lie in \[0, 1\], got 0 to 1.99"),
    "below zero": ({"images": BYTES / 255 - 0.5}, r"lie in \[0, 1\], got -0.5 to 0.5"),
    "zero and one": ({"images": BYTES % 2}, "a highest value of 1; store black .* as booleans"),
    "two axes": ({"images": BYTES[0, 0]}, r"images has the shape \(5, 3\)"),
    "five channels": ({"images": BYTES[..., [0, 1, 2, 0, 1]]}, "no axis, or more than one"),
    "two axes of three": ({"images": BYTES[:, :3]}, "no axis, or more than one"),
    "none": ({"images": BYTES[:0]}, r"uint8 of shape \(0, 6, 5, 3\)"),
    "labels too few": (
        {"images": BYTES, "labels": LABELS[:20]},
        "labels has 20 rows, and there are 25 images",
    ),
    "labels that are real": (
        {"images": BYTES, "labels": LABELS / 2},
        "labels should be whole numbers .* got float64",
    ),
    "names too few": (
        {"images": BYTES, "factors": LABELS, "factor_names": np.array(["x"])},
        "factors has 2 columns, but 1 factor_names",
    ),
}


@pytest.mark.parametrize("ending", [".npz", ".h5"])
@pytest.mark.parametrize(("arrays", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_other_arrays_are_refused(ending: str, arrays: dict, message: str, tmp_path: Path):
    if ending == ".h5" and arrays.get("images", BYTES).dtype.hasobject:
        pytest.skip("HDF5 holds no Python objects")
    with pytest.raises(DataError, match=message):
        load(save_array(tmp_path / f"a{ending}", **arrays))


@pytest.mark.parametrize("ending", [".npz", ".h5"])
def test_a_damaged_file_is_named(ending: str, tmp_path: Path):
    path = save_array(tmp_path / f"a{ending}", images=BYTES)
    whole = path.read_bytes()
    for data in (whole[: len(whole) // 2], b"", b"text"):
        path.write_bytes(data)
        with pytest.raises(DataError, match=f"a{ending} is damaged, or no {ending} file"):
            load(path)
    with pytest.raises(DataError, match="there is no such file"):
        load(tmp_path / f"b{ending}")


def test_an_array_shorter_than_its_head_says_is_named(tmp_path: Path):
    path = save_array(tmp_path / "a.npz", images=BYTES)
    with zipfile.ZipFile(path) as archive:
        data = archive.read("images.npy")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", data[:-100])
    with pytest.raises(DataError, match=r"a.npz is damaged: .*; make it anew"):
        load(path)


def test_columns_of_fortran_are_named(tmp_path: Path):
    path = save_array(tmp_path / "a.npz", images=np.asfortranarray(BYTES))
    with pytest.raises(DataError, match=r"stored column by column; save np.ascontiguousarray"):
        load(path)


def test_too_few_for_a_test_part(tmp_path: Path):
    path = save_array(tmp_path / "a.npz", images=BYTES[:9])
    with pytest.raises(DataError, match="every tenth image is for testing, and there are 9"):
        load(path, "test")
    with pytest.raises(DataError, match=r"no images in a part 'test'; .* train of 9, test of 0"):
        load(save(tmp_path / "my", grey(9)), "test", quiet=True)
