"""CelebA in small, with every fault its files can have; and images of the real one."""

import gzip
import inspect
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mrtc.datasets import celeba
from mrtc.datasets.celeba import load
from mrtc.errors import DataError
from tests.datasets.image_files import cut, encoded, pixels, save, save_zip

NAMES = [f"{at:06}.jpg" for at in range(1, 21)]
LABELS = np.random.default_rng(0).integers(2, size=(22, 40))
COLUMNS = [f"A{at}" for at in range(40)]
ATTRIBUTES, PARTITION = "list_attr_celeba.txt", "list_eval_partition.txt"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MRTC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def attribute_list() -> bytes:
    """With two rows more than there are images."""
    rows = [f"{at + 1:06}.jpg {'  '.join(map(str, row))}" for at, row in enumerate(2 * LABELS - 1)]
    return "\n".join([str(len(rows)), " ".join(COLUMNS) + " ", *rows, ""]).encode()


def partition_list(part_of: list[int]) -> bytes:
    return "".join(f"{at + 1:06}.jpg {part}\n" for at, part in enumerate(part_of)).encode()


MIXED = partition_list([0] * 12 + [1] * 5 + [2] * 5)


def images(size: tuple[int, int] = (178, 218)) -> dict[str, bytes]:
    width, height = size
    return {
        f"img_align_celeba/{name}": encoded(pixels(height, width, seed=at), "JPEG")
        for at, name in enumerate(NAMES)
    }


def make(folder: Path, files: dict[str, bytes] | None = None, **lists: bytes) -> Path:
    save_zip(
        save(folder, {}) / "img_align_celeba.zip" if folder.is_dir() else _made(folder),
        images() if files is None else files,
    )
    return save(
        folder,
        {
            ATTRIBUTES: lists.get("attributes", attribute_list()),
            PARTITION: lists.get("parts", MIXED),
        },
    )


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder / "img_align_celeba.zip"


def face(data: bytes) -> np.ndarray:
    """As torchvision's Crop and Resize do with Pillow's images, and ToTensor after them."""
    image = Image.open(io.BytesIO(data)).crop((15, 40, 163, 188))
    image = image.resize((64, 64), Image.Resampling.BILINEAR)
    return np.asarray(image).transpose(2, 0, 1) / np.float32(255)


def test_the_official_parts_have_their_images_and_attributes(tmp_path: Path):
    folder, files = make(tmp_path / "in"), list(images().values())
    for part, index in (("train", range(12)), ("valid", range(12, 17)), ("test", range(17, 20))):
        data = load(folder, part, quiet=True)
        assert data.image_shape == (3, 64, 64)
        np.testing.assert_array_equal(
            data.images(torch.arange(len(data))), np.stack([face(files[at]) for at in index])
        )
        np.testing.assert_array_equal(data.attributes(np.arange(len(data))), LABELS[list(index)])
        assert data.attribute_names == tuple(COLUMNS)
        assert data.source == (
            f"CelebA, 20 of 202599 images, 64 x 64, official partition, {part} part"
        )


def test_it_is_converted_once(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    folder = make(tmp_path / "in")
    assert len(load(folder, quiet=True)) == 12
    monkeypatch.setattr(celeba, "convert", None)
    assert len(load(folder / "img_align_celeba.zip", "test", quiet=True)) == 3
    assert len([*cache.glob("celeba-64-*.h5")]) == 1
    with pytest.raises(TypeError):
        load(folder, size=32, quiet=True)


@pytest.mark.parametrize("place", ["nested", "beside", "inside", "twice"])
def test_a_folder_of_images_is_as_good_as_the_zip(place: str, tmp_path: Path):
    expected = load(make(tmp_path / "zip"), quiet=True)
    folder = {"twice": "in/img_align_celeba"}.get(place, "in")
    save(tmp_path / folder, images())
    lists = {
        f"{ATTRIBUTES}.gz": gzip.compress(attribute_list()),
        f"{PARTITION}.gz": gzip.compress(MIXED),
    }
    inner = tmp_path / folder / "img_align_celeba"
    save(inner if place == "inside" else tmp_path / "in", lists)
    given = inner if place in ("beside", "inside") else tmp_path / "in"
    data = load(given, quiet=True)
    assert data.checksum == expected.checksum


def test_parts_are_by_number_where_the_official_ones_do_not_tell(tmp_path: Path):
    folder = make(tmp_path / "in", parts=partition_list([0] * 22))
    seen = []
    for part, count in (("train", 16), ("valid", 2), ("test", 2)):
        data = load(folder, part, quiet=True)
        assert len(data) == count
        assert data.source.endswith(f"official train part split by number 8:1:1, {part} part")
        seen += data.attributes(np.arange(count)).tolist()
    assert seen == LABELS[:20].tolist()


def test_images_of_half_the_size_have_their_box_halved(tmp_path: Path):
    large = {
        name: Image.fromarray(pixels(27, 22, seed=3)).resize((178, 218), Image.Resampling.BICUBIC)
        for name in images()
    }
    small = {name: image.resize((89, 109), Image.Resampling.BOX) for name, image in large.items()}
    data = [
        load(make(tmp_path / name, {k: encoded(v, "BMP") for k, v in files.items()}), quiet=True)
        for name, files in (("large", large), ("small", small))
    ]
    assert "64 x 64 from 89 x 109 with the box scaled," in data[1].source
    difference = data[0].images(torch.tensor([0])) - data[1].images(torch.tensor([0]))
    shifted = data[0].images(torch.tensor([0])) - data[1].images(torch.tensor([0])).roll(1, -1)
    assert difference.abs().mean() < 0.2 * shifted.abs().mean()


def without(text: bytes, row: bytes) -> bytes:
    return b"".join(line for line in text.splitlines(keepends=True) if not line.startswith(row))


FAULTS = {
    "an image without a row": (
        {"files": images() | {"img_align_celeba/000099.jpg": encoded(pixels(218, 178), "JPEG")}},
        "list_attr_celeba.txt has no row for the image 000099.jpg",
    ),
    "an image without a part": (
        {"parts": without(MIXED, b"000007")},
        "list_eval_partition.txt has no row for the image 000007.jpg",
    ),
    "a cut list": (
        {"attributes": without(attribute_list(), b"000022")},
        "should have 22 rows, as its first line says, but has 21",
    ),
    "a column too few": (
        {"attributes": attribute_list().replace(b" A7 ", b" ")},
        "one of 40 names, got lines of 1 and 39 words",
    ),
    "a row too short": (
        {
            "attributes": attribute_list()
            .replace(b"000003.jpg -1", b"000003.jpg")
            .replace(b"000003.jpg 1", b"000003.jpg")
        },
        "line 5: .* 40 whole numbers .*, got 39 after '000003.jpg'",
    ),
    "no header": ({"attributes": attribute_list().split(b"\n", 2)[2]}, "should begin with a line"),
    "an empty list": ({"attributes": b""}, "got lines of 0 and 0 words"),
    "attributes of 0 and 1": (
        {"attributes": attribute_list().replace(b" -1", b" 0")},
        "should hold -1 and 1 only, but has 0",
    ),
    "a fourth part": ({"parts": MIXED.replace(b" 2", b" 3")}, "hold 0 and 1 and 2 only, .* 3;"),
    "a list of two columns": ({"parts": MIXED.replace(b" 2", b" 2 2")}, "line 18: .* got 2 after"),
    "not text": ({"parts": b"\xff\xfe"}, "list_eval_partition.txt cannot be read: "),
    "another size": (
        {"files": {k: encoded(pixels(64, 64), "JPEG") for k in images()}},
        "image img_align_celeba/000001.jpg should be of 178 x 218 pixels.* got 64 x 64",
    ),
    "a broken image": (
        {"files": images() | {f"img_align_celeba/{NAMES[4]}": cut(encoded(pixels(9, 9), "JPEG"))}},
        "image img_align_celeba/000005.jpg cannot be read .* the 4 of 20 images before it",
    ),
}


@pytest.mark.parametrize(("changes", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_faults_are_named(changes: dict, message: str, tmp_path: Path, cache: Path):
    folder = make(tmp_path / "in", changes.pop("files", None), **changes)
    with pytest.raises(DataError, match=message):
        load(folder, quiet=True)
    assert not [*cache.glob("*.h5")]


def test_a_zip_cut_short_is_named(tmp_path: Path):
    folder = make(tmp_path / "in")
    path = folder / "img_align_celeba.zip"
    path.write_bytes(cut(path.read_bytes()))
    with pytest.raises(DataError, match=r"img_align_celeba.zip is no zip, or is cut short"):
        load(folder, quiet=True)


def test_a_part_without_images_is_named(tmp_path: Path):
    folder = make(tmp_path / "in", parts=partition_list([0] * 12 + [1] * 10))
    with pytest.raises(DataError, match=r"no images in a part 'test'; .* valid of 8, test of 0"):
        load(folder, "test", quiet=True)


def test_without_a_path_it_is_said_where_it_comes_from(tmp_path: Path):
    missing = [None, tmp_path / "missing", save(tmp_path / "in", images())]
    for path in missing:
        with pytest.raises(DataError, match=r"--data FOLDER") as caught:
            load(path)
        for word in (celeba.PAGE, *celeba.MD5, *celeba.MD5.values()):
            assert word in str(caught.value)


def test_two_zips_are_too_many(tmp_path: Path):
    folder = make(tmp_path / "in")
    save_zip(folder / "img_align_celeba_2.zip", {})
    with pytest.raises(DataError, match=r"several zips .*celeba.zip, img_align_celeba_2.zip"):
        load(folder)


def test_only_the_three_parts_exist(tmp_path: Path):
    with pytest.raises(ValueError, match="the parts are train, valid, test, got 'all'"):
        inspect.unwrap(load)(tmp_path, "all")


@pytest.mark.data
def test_the_real_images(shared_data: Path, tmp_path: Path):
    """The first 300, at half size, beside the whole lists."""
    real = shared_data / "celeba"
    lists = {f.name: f.read_bytes() for f in real.glob("*.txt.gz")}
    with zipfile.ZipFile(real / "img_align_celeba_half_10k.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()[:300]}
    folder = save(tmp_path / "in", lists | files)
    data = load(folder, quiet=True)
    assert len(data) == 240
    assert data.source == (
        "CelebA, 300 of 202599 images, 64 x 64 from 89 x 109 with the box scaled, official train "
        "part split by number 8:1:1, train part"
    )
    for at in (0, 77, 239):
        image = Image.open(io.BytesIO(files[f"img_align_celeba/{at + 1:06}.jpg"]))
        # Twice as large by repetition, the box has whole edges: the same face, but for rounding.
        twice = np.asarray(image).repeat(2, 0).repeat(2, 1)
        near = Image.fromarray(twice).crop((15, 40, 163, 188))
        expected = np.asarray(near.resize((64, 64), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
        difference = data.images(torch.tensor([at]))[0].numpy() * 255 - expected
        assert np.abs(difference).mean() < 1.5  # of 255
        assert abs(difference.mean()) < 0.1

    lines = gzip.decompress(lists[f"{ATTRIBUTES}.gz"]).decode().splitlines()
    assert data.attribute_names == tuple(lines[1].split())
    expected = [[int(value) == 1 for value in line.split()[1:]] for line in lines[2:242]]
    np.testing.assert_array_equal(data.attributes(np.arange(240)), expected)
