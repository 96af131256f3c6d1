"""CelebA: 202,599 faces with 40 attributes, cut out and scaled as most publications do.

Its authors let nobody else pass it on, and a program cannot fetch it from where they keep it, so
the user does. It is converted once, to a file in the cache that is read by memory map.

Where all images at hand lie in one part of the official partition, as a subset by number does,
they are split by number instead: the last tenth is for testing, the one before for validation.
"""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Int64

from mrtc.datasets.conversion import Facts, Sizes, cached, convert
from mrtc.datasets.decoding import Form
from mrtc.datasets.download import find
from mrtc.datasets.image_sources import ImageSource, digest, open_images, state_of
from mrtc.datasets.stored import StoredImages
from mrtc.datasets.tables import FileTable, table_of
from mrtc.errors import DataError

Part = Literal["train", "valid", "test"]
"""In the order of the official numbers 0, 1 and 2."""

POPULATION = 202_599
ATTRIBUTES = 40

SIZE = (178, 218)
"""Width and height of the official aligned images."""

BOX = (15, 40, 163, 188)
"""Left, upper, right and lower edge of the face in them: 148 x 148, in the middle."""

PAGE = "http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"

MD5 = {
    "img_align_celeba.zip": "00d2c5bc6d35e252742224ab0c1e8fcb",
    "list_attr_celeba.txt": "75e246fa4810816ffd6ee81facbd244c",
    "list_eval_partition.txt": "d32c9cbf5e040fd4025c592c306e6668",
}
"""Of the official files, as torchvision checks them."""

ADVICE = (
    f"get {', '.join(f'{name} (md5 {md5})' for name, md5 in MD5.items())} from {PAGE}, put them "
    "into one folder, and give it with --data FOLDER"
)


def load(
    path: Path | None = None, part: Part = "train", *, quiet: bool = False, size: int = 64
) -> StoredImages:
    """Opens one part of CelebA; the first time, converts it (some minutes for the whole).

    Args:
        path: The zip of aligned images, or a folder that holds it or the images; the lists of
            attributes and of the partition lie beside the zip, in the folder, or beside that,
            plain or gzipped. The images may also be smaller or larger than the official ones.
        part: Of the official partition, or of a split by number (see above).
        quiet: Show no progress.
        size: Rows and columns of the images, in pixels.

    Raises:
        DataError: If a file is missing or damaged, or images and lists do not fit together.
        OutputError: If the cache cannot be written.

    References:
        Liu, Luo, Wang, Tang, "Deep Learning Face Attributes in the Wild", ICCV 2015.
        Larsen et al., "Autoencoding beyond pixels using a learned similarity metric", ICML 2016
        (64 x 64 pixels of the face).
    """
    if part not in get_args(Part):
        raise ValueError(f"the parts are {', '.join(get_args(Part))}, got {part!r}")
    if path is None:
        raise DataError(f"CelebA cannot be downloaded by a program; {ADVICE}")
    place = _place(path)
    source = open_images(place)
    attributes = _list("list_attr_celeba.txt", place)
    partition = _list("list_eval_partition.txt", place)
    states = source.fingerprint, *map(state_of, (attributes, partition))

    def make(file: Path) -> None:
        _convert(file, source, _attributes(attributes), _partition(partition), size, quiet=quiet)

    return cached(f"celeba-{size}-{digest(states)}", part, make)


def _place(path: Path) -> Path:
    """The zip or the folder of the images."""
    if not path.is_dir():
        if path.exists():
            return path
        raise DataError(f"cannot read {path}: there is no such file; {ADVICE}")
    folder = path / "img_align_celeba"
    if folder.is_dir():
        return folder
    zips = sorted(path.glob("img_align_celeba*.zip"))
    if len(zips) > 1:
        names = ", ".join(file.name for file in zips)
        raise DataError(f"{path} holds several zips of CelebA ({names}); give one of them")
    return zips[0] if zips else path


def _list(name: str, images: Path) -> Path:
    """A list beside the zip, in the folder of the images, or beside that."""
    if images.is_dir():
        try:
            return find((name,), images, advice=ADVICE)
        except DataError:
            pass  # what is said of the folder below is as true, and likelier to help
    return find((name,), images.absolute().parent, advice=ADVICE)


def _convert(
    file: Path,
    source: ImageSource,
    attributes: FileTable,
    partition: FileTable,
    size: int,
    *,
    quiet: bool,
) -> None:
    numbers = [name.rpartition("/")[2] for name in source.names]
    rows = attributes.of(numbers)
    official = partition.of(numbers).values[:, 0]
    part_of, split = _split(official)

    def describe(sizes: Sizes) -> str:
        widths = sorted({f"{width} x {height}" for width, height in sizes})
        scaled = "" if set(sizes) == {SIZE} else f" from {' to '.join(widths)} with the box scaled"
        return f"CelebA, {len(numbers)} of {POPULATION} images, {size} x {size}{scaled}, {split}"

    form = Form(size, channels=3, box=BOX, box_of=SIZE)
    facts = Facts(get_args(Part), part_of.astype(np.uint8), rows)
    convert(file, source, source.names, form, facts, describe, advice=ADVICE, quiet=quiet)


def _split(official: Int64[np.ndarray, " example"]) -> tuple[Int64[np.ndarray, " example"], str]:
    """The part of each image, and in words what they are from."""
    seen = np.unique(official)
    if len(seen) > 1:
        return official, "official partition"
    # 0 for the first eight tenths, then 1, then 2.
    tenth = 10 * np.arange(len(official)) // len(official)
    by_number = np.maximum(tenth - 7, 0)
    return by_number, f"official {get_args(Part)[seen[0]]} part split by number 8:1:1"


def _attributes(path: Path) -> FileTable:
    """The list of attributes: their number of rows, their names, and the rows of -1 and 1."""
    lines = _lines(path)
    count, names = next(lines, []), tuple(next(lines, []))
    if len(count) != 1 or not count[0].isdecimal() or len(names) != ATTRIBUTES:
        raise DataError(
            f"{path} should begin with a line for the number of images and one of {ATTRIBUTES} "
            f"names, got lines of {len(count)} and {len(names)} words; {ADVICE}"
        )
    table = table_of(str(path), names, lines, first_line=3)
    if len(table.values) != int(count[0]):
        raise DataError(
            f"{path} should have {count[0]} rows, as its first line says, but has "
            f"{len(table.values)}; {ADVICE}"
        )
    _require(path, table, (-1, 1))
    return FileTable(table.place, names, table.row_of, (table.values + 1) // 2)


def _partition(path: Path) -> FileTable:
    """The list of parts, 0, 1 or 2."""
    table = table_of(str(path), ("part",), _lines(path), first_line=1)
    _require(path, table, (0, 1, 2))
    return table


def _require(path: Path, table: FileTable, allowed: tuple[int, ...]) -> None:
    wrong = ~np.isin(table.values, allowed)
    if wrong.any():
        raise DataError(
            f"{path} should hold {' and '.join(map(str, allowed))} only, but has "
            f"{table.values[wrong][0]}; {ADVICE}"
        )


def _lines(path: Path) -> Iterator[list[str]]:
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
            for line in file:
                yield line.split()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}; {ADVICE}") from error
