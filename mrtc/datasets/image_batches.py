"""Work on many image files, in processes, with few of them in memory at a time."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import joblib

from mrtc.datasets.decoding import BrokenImageError
from mrtc.datasets.image_sources import ImageSource

T = TypeVar("T")

BATCH, BATCH_BYTES = 1024, 64 * 2**20
"""Images in memory at a time, and about how many bytes they may take."""

PAYS = 8192
"""Images from which on processes are worth their start of about a second."""

_Batch = list[tuple[str, bytes | BrokenImageError]]


def for_each(
    function: Callable[[str, bytes], T],
    source: ImageSource,
    names: Sequence[str],
    held: int,
    workers: int | None = None,
) -> Iterator[T | BrokenImageError]:
    """What ``function`` makes of the name and the bytes of each image, in their order.

    Args:
        function: May raise BrokenImageError, which is then passed on as a value.
        source: Where the images lie.
        names: Which of them.
        held: Bytes that a value takes, about.
        workers: Processes. Left out, one for each core where there are many images.
    """
    if workers is None:
        workers = joblib.cpu_count() if len(names) >= PAYS else 1
    with joblib.Parallel(n_jobs=workers) as parallel:
        for batch in _batches(source, names, held):
            length = -(-len(batch) // workers)
            pieces = [batch[start : start + length] for start in range(0, len(batch), length)]
            for values in parallel(joblib.delayed(_apply)(function, piece) for piece in pieces):
                yield from values


def _batches(source: ImageSource, names: Sequence[str], held: int) -> Iterator[_Batch]:
    batch, size = _Batch(), 0
    for name in names:
        data = _attempt(source.read, name)
        batch.append((name, data))
        size += held + (len(data) if isinstance(data, bytes) else 0)
        if len(batch) == BATCH or size > BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _apply(function: Callable[[str, bytes], T], batch: _Batch) -> list[T | BrokenImageError]:
    return [
        data if isinstance(data, BrokenImageError) else _attempt(function, name, data)
        for name, data in batch
    ]


def _attempt(function: Callable[..., T], *arguments: str | bytes) -> T | BrokenImageError:
    try:
        return function(*arguments)
    except BrokenImageError as error:
        return error
