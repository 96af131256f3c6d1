"""The conversion of CelebA: seconds, images a second and memory; and how fast batches are read.

Claims: 10,000 images of half size take well under a minute on 2 cores; all 202,599 take less than
4 GB of memory, which does not grow with their number; a random batch of 128 takes about 1 ms. The
202,599 are simulated: as many synthetic images go the way of decoded ones, into a file of 2.5 GB.
"""

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import torch

from mrtc.datasets import celeba
from mrtc.datasets.conversion import Facts, convert, write
from mrtc.datasets.decoding import Form, decode
from mrtc.datasets.image_batches import for_each
from mrtc.datasets.image_sources import open_images
from mrtc.datasets.stored import open_stored
from mrtc.datasets.tables import Attributes

FORM = Form(64, 3, celeba.BOX, celeba.SIZE)
SHAPE = (3, 64, 64)


def peak_mb() -> tuple[float, float]:
    """Of this process so far, and of the largest process that it has ended; in megabytes."""
    people = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    own, child = (resource.getrusage(who).ru_maxrss * 1024 / 1e6 for who in people)
    return own, child


def synthetic(population: int) -> Iterator[np.ndarray]:
    """Images of noise, of which a thousand differ."""
    images = np.random.default_rng(0).integers(256, size=(1000, *SHAPE), dtype=np.uint8)
    for at in range(population):
        yield images[at % 1000]


def batch_ms(path: Path) -> float:
    """Milliseconds of a random batch of 128, median of 200, once the file is in memory."""
    data, generator = open_stored(path), np.random.default_rng(0)
    seconds = []
    for _ in range(300):
        index = torch.from_numpy(generator.integers(len(data), size=128))
        start = time.perf_counter()
        data.images(index)
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds[100:])


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    shared = Path(__file__).parents[2] / "shared" / "data" / "celeba"
    parser.add_argument("--data", type=Path, default=shared, help="zip or folder, as celeba.load")
    parser.add_argument("--simulate", type=int, default=celeba.POPULATION)
    options = parser.parse_args()
    print(f"{joblib.cpu_count()} cores; at first {peak_mb()[0]:.0f} MB")
    images = options.data if options.data.is_file() else next(options.data.glob("*.zip"))
    source = open_images(images)
    facts = Facts(("all",), np.zeros(len(source.names), np.uint8))
    with tempfile.TemporaryDirectory() as folder:
        start, processor = time.perf_counter(), time.process_time()
        for _ in for_each(partial(decode, form=FORM), source, source.names, 0, workers=1):
            pass
        seconds, cost = time.perf_counter() - start, time.process_time() - processor
        print(f"decoding, 1 process: {seconds:.1f} s, {cost:.1f} s of processor time")
        for workers in (1, 2):
            start = time.perf_counter()
            path = Path(folder, f"{workers}.h5")
            convert(
                path,
                source,
                source.names,
                FORM,
                facts,
                str,
                advice="get it again",
                workers=workers,
                quiet=True,
            )
            seconds = time.perf_counter() - start
            own, child = peak_mb()
            print(
                f"{len(source.names)} images, {workers} processes: {seconds:.1f} s, "
                f"{len(source.names) / seconds:.0f} images/s, peak {own:.0f} MB, in a process "
                f"beside {child:.0f} MB"
            )
        print(f"a batch of 128 of {len(source.names)}: {batch_ms(path):.2f} ms")
        rows = np.zeros((options.simulate, celeba.ATTRIBUTES), np.int64)
        names = tuple(f"a{at}" for at in range(celeba.ATTRIBUTES))
        facts = Facts(("all",), np.zeros(options.simulate, np.uint8), Attributes(names, rows))
        start = time.perf_counter()
        write(path, synthetic(options.simulate), SHAPE, facts, lambda: "noise")
        print(
            f"{options.simulate} synthetic images written: {time.perf_counter() - start:.1f} s, "
            f"peak {peak_mb()[0]:.0f} MB, file {path.stat().st_size / 1e9:.2f} GB"
        )
        print(f"a batch of 128 of {options.simulate}: {batch_ms(path):.2f} ms")


if __name__ == "__main__":
    main()
