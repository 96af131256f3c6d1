"""What dSprites costs on one thread: the first rendering, the cache, a batch, and memory.

Run ``OMP_NUM_THREADS=1 python benchmarks/render_dsprites.py``. The batch is unpacked by the table
that ``DSprites.images`` uses, and by the bit shifts that it does not.
"""

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from mrtc.datasets.dsprites import DSprites, load

BATCH = 2048
REPEATS = 30


def seconds(work: Callable[[], object], repeats: int = 1) -> float:
    """The shortest of some runs: the others were disturbed."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def shifted(data: DSprites, index: Tensor) -> Tensor:
    """Unpacks by shifting bits."""
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8)
    return ((data.packed[index][..., None] >> shifts) & 1).float().reshape(-1, *data.image_shape)


def peak_mb() -> float:
    """Peak memory of this process so far, in MB; Linux counts it in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main() -> None:
    """Prints the table."""
    torch.set_num_threads(1)
    imported = peak_mb()
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        print(f"first rendering, written   {seconds(lambda: load(cache=cache)):7.2f} s")
        print(
            f"peak memory                {peak_mb():7.0f} MB, {imported:.0f} by the imports alone"
        )
        opening = seconds(lambda: load(cache=cache), repeats=3)
        print(f"opening the cache          {opening:7.2f} s")

        data = load(cache=cache)
        index = torch.randint(len(data), (BATCH,), generator=torch.Generator().manual_seed(0))
        assert torch.equal(data.images(index), shifted(data, index))
        for name, unpack in {"table": data.images, "shifts": lambda i: shifted(data, i)}.items():
            cost = seconds(lambda unpack=unpack: unpack(index), REPEATS)
            print(f"a batch of {BATCH} by {name:8s} {cost * 1e3:6.1f} ms")


if __name__ == "__main__":
    main()
