"""The drawings, zipped and packed, against each other; and their shrinking against areas."""

import hashlib
import inspect
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mrtc.datasets import omniglot_28 as module
from mrtc.datasets.download import RemoteFile
from mrtc.datasets.drawings import read_packed, read_zip
from mrtc.datasets.omniglot_28 import FILES, load, shrink
from mrtc.errors import DataError

INK = np.random.default_rng(0).random((4, 105, 105)) < 0.1
PACKED = np.packbits(INK.reshape(4, -1), axis=1)
NAMES = [
    f"images_background/{place}.png"
    for place in (
        "Balinese/character01/0108_01",
        "Balinese/character02/0109_01",
        "Greek/character01/0394_01",
        "Greek/character01/0394_02",
    )
]
ZIP = "images_background.zip"


def png(ink: np.ndarray, mode: str = "1") -> bytes:
    file = io.BytesIO()
    Image.fromarray(~ink).convert(mode).save(file, "PNG")
    return file.getvalue()


ENTRIES = {name: png(ink) for name, ink in zip(NAMES, INK, strict=True)}


def pack(folder: Path, entries: Mapping[str, bytes] = ENTRIES) -> Path:
    with zipfile.ZipFile(folder / ZIP, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in reversed(entries.items()):  # the order of names is what counts
            archive.writestr(name, data)
    return folder / ZIP


def save_packed(folder: Path, **changed: np.ndarray) -> Path:
    alphabets = np.array(["Balinese", "Balinese", "Greek", "Greek"])
    arrays = {"images_background_bits": PACKED, "images_background_alphabet": alphabets}
    np.savez(folder / "omniglot_105_packed.npz", **(arrays | changed))
    return folder / "omniglot_105_packed.npz"


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where the training part is four drawings of two alphabets."""
    monkeypatch.setitem(module.POPULATION, "train", 4)
    monkeypatch.setitem(module.ALPHABETS, "train", 2)
    return tmp_path


def share_of_ink(ink: np.ndarray, row: int, column: int) -> Fraction:
    """By the definition: the area of drawn pixels within one new pixel, in exact fractions."""
    side = Fraction(105, 28)
    total = Fraction(0)
    for y in range(105):
        height = min((row + 1) * side, y + 1) - max(row * side, y)
        if height <= 0:
            continue
        for x in np.flatnonzero(ink[y]).tolist():
            width = min((column + 1) * side, x + 1) - max(column * side, x)
            total += height * max(width, Fraction(0))
    return total / side**2


def test_a_pixel_is_the_share_of_its_area_that_is_ink(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "ROWS", 3)  # two pieces, the last one shorter
    small = shrink(PACKED)
    assert small.shape == (4, 28, 28)
    for drawing, row, column in [(0, 0, 0), (1, 27, 27), (2, 5, 22), (3, 13, 2), (3, 14, 14)]:
        exact = 255 * share_of_ink(INK[drawing], row, column)
        assert abs(int(small[drawing, row, column]) - exact) <= Fraction(1, 2)


def test_all_pixels_by_drawing_each_four_times_as_large():
    """105 x 4 is 28 x 15, so areas are means of squares of 15 x 15."""
    large = INK.repeat(4, axis=1).repeat(4, axis=2)
    mean = large.reshape(4, 28, 15, 28, 15).mean((2, 4))
    np.testing.assert_array_equal(shrink(PACKED), np.floor(255 * mean + 0.5))


def test_paper_stays_white_and_ink_black():
    ends = np.stack([np.zeros(105 * 105, bool), np.ones(105 * 105, bool)])
    small = shrink(np.packbits(ends, axis=1))
    assert (small[0] == 0).all()
    assert (small[1] == 255).all()


@pytest.mark.parametrize("make", [pack, save_packed])
def test_archive_and_packed_file_give_the_same(small: Path, make):
    path = make(small)
    for place in (small, path):
        data = load(place, quiet=True)
        assert data.image_shape == (1, 28, 28)
        np.testing.assert_array_equal(data.pixels[:, 0], shrink(PACKED))


def test_the_source_says_how_it_was_checked(small: Path, monkeypatch: pytest.MonkeyPatch):
    name = "Omniglot shrunk to 28 x 28, train part"
    save_packed(small)
    assert load(small).source == f"{name}, packed drawings, of the official numbers"
    path = pack(small)
    assert load(small, quiet=True).source == (
        f"{name}, {ZIP} of the official form, but of another sha256"
    )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    file = RemoteFile(ZIP, ("http://127.0.0.1:1",), f"sha256:{digest}")
    monkeypatch.setitem(module.FILES, "train", (file,))
    monkeypatch.setenv("MRTC_CACHE", str(small))
    for place in (None, small, path):
        assert load(place, quiet=True).source == f"{name}, official {ZIP}, sha256 verified"


def test_what_is_no_drawing_is_passed_over_and_nothing_is_extracted(small: Path):
    others = {
        "images_background/": b"",
        "images_background/.DS_Store": b"x",
        "__MACOSX/images_background/Greek/character01/._0394_01.png": b"x",
        "images_background/Greek/character01/notes.txt": b"x",
        "top.png": b"x",
    }
    outside = {f"../../{name}": data for name, data in ENTRIES.items()}
    drawings = read_zip(pack(small, others | outside), advice="", quiet=True)
    np.testing.assert_array_equal(drawings.packed, PACKED)
    assert drawings.alphabets == {"Balinese", "Greek"}
    assert [path.name for path in small.iterdir()] == [ZIP]


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_black_is_ink_in_any_kind_of_png(small: Path, mode: str):
    path = pack(small, {NAMES[0]: png(INK[0], mode)})
    np.testing.assert_array_equal(read_zip(path, advice="", quiet=True).packed, PACKED[:1])


WHOLE = ENTRIES[NAMES[2]]


def chunk(kind: bytes, data: bytes) -> bytes:
    ends = struct.pack(">I", len(data)), struct.pack(">I", zlib.crc32(kind + data))
    return ends[0] + kind + data + ends[1]


def with_a_broken_chunk() -> bytes:
    """The drawing's data in two chunks, of which the second is of no kind there is."""
    at = WHOLE.index(b"IDAT") - 4
    (size,) = struct.unpack(">I", WHOLE[at : at + 4])
    data = WHOLE[at + 8 : at + 8 + size]
    chunks = chunk(b"IDAT", data[: size // 2]) + chunk(b"\0\0\0\0", data[size // 2 :])
    return WHOLE[:at] + chunks + WHOLE[at + 12 + size :]


BROKEN = {
    "empty": (b"", "cannot identify"),
    "text": (b"not an image", "cannot identify"),
    "cut short": (WHOLE[: len(WHOLE) // 2], ""),
    "header only": (WHOLE[:33], ""),
    "damaged": (WHOLE[:60] + b"\xff" * 40 + WHOLE[100:], ""),
    "broken chunk": (with_a_broken_chunk(), "broken PNG file"),
    "other size": (png(INK[0][:104]), "it has 105 x 104 pixels"),
    "too large": (bytes(2**16 + 1), "it has 65537 bytes"),
}


@pytest.mark.parametrize(("data", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_png_is_named(small: Path, data: bytes, reason: str):
    path = pack(small, {**ENTRIES, NAMES[2]: data})
    message = rf"{NAMES[2]} in \S+{ZIP} is not a PNG of 105 x 105 pixels: {reason}"
    with pytest.raises(DataError, match=message) as caught:
        load(path, quiet=True)
    (file,) = FILES["train"]
    assert f"; get {ZIP} (sha256 {file.digest[7:]}) from " in str(caught.value)


def test_a_gif_is_no_png(small: Path):
    file = io.BytesIO()
    Image.fromarray(INK[0]).save(file, "GIF")
    with pytest.raises(DataError, match=r"is not a PNG .*cannot identify"):
        load(pack(small, {**ENTRIES, NAMES[0]: file.getvalue()}), quiet=True)


@pytest.mark.parametrize("make", [pack, save_packed])
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_file_cut_short_is_refused(small: Path, make, kept: float):
    path = make(small)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(DataError, match=rf"{path.name} cannot be read: .*; get {ZIP}"):
        load(path, quiet=True)


def test_another_number_is_refused(small: Path):
    path = pack(small, {name: ENTRIES[name] for name in NAMES[1:]})
    with pytest.raises(DataError, match="4 drawings of 2 alphabets, but holds 3 of 2; get"):
        load(path, quiet=True)
    path = save_packed(small, images_background_alphabet=np.array(["Greek"] * 4))
    with pytest.raises(DataError, match="4 drawings of 2 alphabets, but holds 4 of 1; get"):
        load(path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"images_background_bits": PACKED[:, 1:]}, r"4 x 1379 bytes, but is uint8 of .*\(4, 137"),
        ({"images_background_bits": PACKED[:3]}, r"shape \(3, 1379\)"),
        ({"images_background_bits": PACKED * 1.0}, "but is float64 of shape"),
        ({"images_background_alphabet": np.array([{}] * 4)}, "cannot be read: Object arrays"),
    ],
)
def test_a_packed_file_of_another_form_is_refused(
    small: Path, changed: dict[str, np.ndarray], message: str
):
    with pytest.raises(DataError, match=message):
        load(save_packed(small, **changed))


def test_an_empty_folder_is_told(small: Path):
    with pytest.raises(DataError, match=rf"holds no file {ZIP} or omniglot_105_packed.npz; get "):
        load(small)


def test_progress_is_shown_unless_quiet(small: Path, capsys: pytest.CaptureFixture[str]):
    load(pack(small))
    assert capsys.readouterr().err.startswith(f"reading {ZIP}: 4/4 images")
    load(small, quiet=True)
    assert capsys.readouterr().err == ""


def test_there_are_two_parts(tmp_path: Path):
    with pytest.raises(ValueError, match="the parts are train, test, got 'background'"):
        inspect.unwrap(load)(tmp_path, "background")


@pytest.mark.data
def test_the_official_split(shared_data: Path):
    """30 alphabets to train on, 20 to test on; every drawing has ink, and little of it."""
    path = shared_data / "omniglot"
    for part, size in (("train", 19_280), ("test", 13_180)):
        data = load(path, part, quiet=True)
        share = data.pixels.float().mean((1, 2, 3)) / 255
        assert len(data) == size
        assert share.min() > 0
        assert share.max() < 0.25


@pytest.mark.data
def test_an_official_archive_is_read_as_the_packed_file(shared_data: Path):
    folder = shared_data / "omniglot"
    drawings = read_zip(folder / "images_background_small1.zip", advice="", quiet=True)
    packed = folder / "omniglot_105_packed.npz"
    with np.load(packed, allow_pickle=False) as file:
        alphabets = file["images_background_alphabet"]
    whole = read_packed(packed, "images_background", advice="")
    assert len(drawings.alphabets) == 5
    rows = np.isin(alphabets, sorted(drawings.alphabets))
    np.testing.assert_array_equal(drawings.packed, whole.packed[rows])
