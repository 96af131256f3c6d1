"""Turns image files into one file of pixels, as a stream: memory does not grow with their number.

HDF5 lays out a head in memory, in which the images come last; they are written as to any file, so
that a full disk is reported in the operating system's words, and then the head before them. The
file gets to its place when it is whole; an interrupted conversion leaves nothing, and the next one
starts again.
"""

import io
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BufferedWriter
from pathlib import Path

import h5py
import numpy as np
from filelock import FileLock
from jaxtyping import UInt8

from mrtc.datasets.decoding import BrokenImageError, Decoded, Form, decode
from mrtc.datasets.download import cache_folder
from mrtc.datasets.image_batches import for_each
from mrtc.datasets.image_sources import ImageSource
from mrtc.datasets.stored import FORMAT, VERSION, StoredImages, open_stored
from mrtc.datasets.tables import Attributes
from mrtc.errors import DataError, OutputError
from mrtc.files import replacing, reporting
from mrtc.progress import Progress


@dataclass(frozen=True, eq=False)
class Facts:
    """What a file of images says of each."""

    parts: tuple[str, ...]
    """Of the split."""

    part_of: UInt8[np.ndarray, " example"] = field(repr=False)
    """Which part each image belongs to, by position in ``parts``."""

    attributes: Attributes | None = field(default=None, repr=False)
    """What else is known."""

    def __post_init__(self) -> None:
        if self.attributes is not None and len(self.attributes.values) != len(self.part_of):
            raise ValueError(
                f"{len(self.part_of)} images need one row of attributes each, got "
                f"{len(self.attributes.values)}; give both in the order of the images"
            )


LONGEST = 1000
"""Bytes of a text that says where images come from."""

TEXT = h5py.string_dtype("utf-8", LONGEST)

Sizes = tuple[tuple[int, int], tuple[int, int]]
"""Width and height of the smallest and the largest image that was read."""


def cached(stem: str, part: str, make: Callable[[Path], None]) -> StoredImages:
    """One part of a file in the cache; ``make`` writes it, in one process only, if it is not there.

    Args:
        stem: Of the file's name; it should change with all that the file depends on.
        part: Of its split.
        make: Writes it to the path that it is given.

    Raises:
        DataError: As ``make`` does, or if the file has no such part.
        OutputError: If the cache cannot be written.
    """
    path = cache_folder() / f"{stem}-{VERSION}.h5"
    try:
        with reporting(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_suffix(".lock")):
                if not _is_whole(path):
                    make(path)
    except OutputError as error:
        raise OutputError(
            f"{error}; the environment variable MRTC_CACHE names the folder of such files"
        ) from error
    return open_stored(path, part)


def convert(
    path: Path,
    source: ImageSource,
    names: Sequence[str],
    form: Form,
    facts: Facts,
    describe: Callable[[Sizes], str],
    *,
    advice: str,
    workers: int | None = None,
    quiet: bool = False,
) -> None:
    """Writes some images of a source to a file, all in one form.

    Args:
        path: The file to write.
        source: Where the images lie.
        names: Which of them, in the order of the file.
        form: Theirs in the file.
        facts: What to say of each.
        describe: Where they come from in words, from the sizes of the smallest and the largest.
        advice: What to do about an image that cannot be read, to end the message with.
        workers: Processes that decode. Left out, one for each core where there are many images.
        quiet: Show no progress.

    Raises:
        DataError: If an image cannot be read.
        OutputError: If the file cannot be written.
    """
    shape = (form.channels, form.size, form.size)

    def pixels() -> Iterator[UInt8[np.ndarray, "channel row column"]]:
        reader = partial(decode, form=form)
        title = f"converting {source.path.name}"
        total = len(names)
        held = int(np.prod(shape))
        with Progress(title, total, unit="image", quiet=quiet) as progress:
            for done, read in enumerate(for_each(reader, source, names, held, workers)):
                if isinstance(read, BrokenImageError):
                    raise DataError(
                        f"{source.path}: {read}; the {done} of {total} images before it were "
                        f"read; {advice}"
                    ) from read
                sizes.append(read)
                yield read.pixels
                progress.advance()

    sizes = _SizeRange()
    write(path, pixels(), shape, facts, lambda: describe(sizes.range))


def write(
    path: Path,
    images: Iterable[UInt8[np.ndarray, "channel row column"]],
    shape: tuple[int, int, int],
    facts: Facts,
    describe: Callable[[], str],
) -> None:
    """Writes a file of images, one after another.

    Args:
        path: The file; it appears when it is whole.
        images: In the order of the file.
        shape: Of one image.
        facts: What to say of each; announces their number.
        describe: Where they come from in words; called when all are written.

    Raises:
        OutputError: If the file cannot be written.
        ValueError: If the images are not of that number and shape.
    """
    population = len(facts.part_of)
    with replacing(path) as file:
        _, start = _head(shape, facts, source="", checksum="")
        file.seek(start)
        checksum = _fill(file, images, population, shape)
        head, same_start = _head(shape, facts, describe(), f"crc32:{checksum:08x}")
        if same_start != start or len(head) > start:
            raise RuntimeError(f"HDF5 laid out a head of {len(head)} bytes before {same_start}")
        file.seek(0)
        file.write(head)


class _SizeRange:
    """The smallest and the largest size seen."""

    def __init__(self) -> None:
        self._seen = set[tuple[int, int]]()

    def append(self, read: Decoded) -> None:
        self._seen.add(read.size)
        if len(self._seen) > 2:
            self._seen = set(self.range)

    @property
    def range(self) -> Sizes:
        by_area = sorted(self._seen, key=lambda size: (size[0] * size[1], size))
        return by_area[0], by_area[-1]


def _head(
    shape: tuple[int, int, int], facts: Facts, source: str, checksum: str
) -> tuple[bytes, int]:
    """All of the file but the images, and where they begin; neither length depends on the texts."""
    create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    create.set_layout(h5py.h5d.CONTIGUOUS)
    create.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    create.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    memory = io.BytesIO()  # not made larger by room that nothing is written to
    with h5py.File(memory, "w") as file:
        file.attrs.update({"format": FORMAT, "version": VERSION, "complete": True})
        file.attrs["source"] = np.array(source.encode(errors="replace")[:LONGEST], TEXT)
        file.attrs["checksum"] = np.array(checksum.encode(), TEXT)
        file["part"] = facts.part_of
        file["part"].attrs["names"] = list(facts.parts)
        if facts.attributes is not None:
            values = facts.attributes.values
            dtype = np.result_type(*map(np.min_scalar_type, (values.min(), values.max())))
            file["attributes"] = values.astype(dtype)
            file["attributes"].attrs["names"] = list(facts.attributes.names)
        file.flush()
        space = h5py.h5s.create_simple((len(facts.part_of), *shape))
        images = h5py.h5d.create(file.id, b"images", h5py.h5t.STD_U8LE, space, create)
        start = int(images.get_offset())
    return memory.getvalue(), start


def _fill(
    file: BufferedWriter,
    images: Iterable[UInt8[np.ndarray, "channel row column"]],
    population: int,
    shape: tuple[int, int, int],
) -> int:
    """Writes images where the file stands; returns their CRC-32."""
    checksum = written = 0
    for image in images:
        if image.shape != shape or written == population:
            raise ValueError(
                f"{population} images of shape {shape} were announced, got one of {image.shape} "
                f"after {written}; announce what comes"
            )
        data = np.ascontiguousarray(image).data
        file.write(data)
        checksum = zlib.crc32(data, checksum)
        written += 1
    if written < population:
        raise ValueError(f"{population} images were announced, got {written}; announce what comes")
    return checksum


def _is_whole(path: Path) -> bool:
    try:
        open_stored(path)
    except DataError:
        return False
    return True
