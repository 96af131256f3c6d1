"""DCI by a random forest against boosted trees: seconds, and how alike they rank models.

Run with ``python benchmarks/dci.py``. The models are synthetic: factors turned into each other by
rotations of growing angle, with noise of several strengths and codes that hold nothing. The
boosted trees are compared on fewer examples and classes than the forest is timed on.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import expm
from scipy.stats import spearmanr

from mrtc.metrics.dci import Dci, dci_fast, dci_gbt

DSPRITES = (3, 6, 40, 32, 32)
PARTS = ("disentanglement", "completeness", "informativeness")
SCORES: dict[str, Callable[..., Dci]] = {"boosted": dci_gbt, "forest": dci_fast}
Model = tuple[Float[np.ndarray, "example code"], Int[np.ndarray, "example factor"]]


def synthetic_model(
    sizes: Sequence[int],
    examples: int,
    codes: int,
    angle: float,
    noise: float,
    rng: np.random.Generator,
) -> Model:
    """Standardised factors, turned by ``angle`` in random planes, beside codes of noise alone."""
    factors = np.stack([rng.integers(size, size=examples) for size in sizes], axis=1)
    scale = np.array([np.arange(size).std() for size in sizes])
    turn = rng.standard_normal((len(sizes), len(sizes)))
    turn = (turn - turn.T) / np.linalg.norm(turn - turn.T, 2)
    z = noise * rng.standard_normal((examples, codes))
    z[:, : len(sizes)] += (factors - factors.mean(axis=0)) / scale @ expm(angle * turn)
    return z, factors


def main() -> None:
    """Prints the time of both, a line a model, and the rank agreement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=1500, help="a model, to compare on")
    parser.add_argument("--classes", type=int, nargs="+", default=[3, 5, 8])
    parser.add_argument("--codes", type=int, default=5)
    parser.add_argument("--angles", type=float, nargs="+", default=[0, 0.1, 0.2, 0.4, 0.6, 0.8])
    parser.add_argument("--noises", type=float, nargs="+", default=[0.05, 0.2, 0.5])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-timing", action="store_true", help="leave out the large model")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the start")
    if not arguments.no_timing:
        large = synthetic_model(DSPRITES, 10_000, 10, 0.3, 0.2, rng)
        start, processor = time.perf_counter(), time.process_time()
        dci_fast(*large)
        seconds, busy = time.perf_counter() - start, time.process_time() - processor
        print(f"forest, 10,000 examples, 10 codes, 5 factors of {[*DSPRITES]}:")
        print(f"  {seconds:.1f} s ({busy:.1f} s of processor time)")

    print(
        f"{arguments.examples:,} examples, {arguments.codes} codes, factors of {arguments.classes}"
    )
    print("angle  noise" + "".join(f"  {part} (boosted, forest)" for part in PARTS))
    seconds_of = dict.fromkeys(SCORES, 0.0)
    values: dict[str, list[list[float]]] = {name: [] for name in SCORES}
    for angle in arguments.angles:
        for noise in arguments.noises:
            model = synthetic_model(
                arguments.classes, arguments.examples, arguments.codes, angle, noise, rng
            )
            for name, score in SCORES.items():
                start = time.perf_counter()
                dci = score(*model)
                seconds_of[name] += time.perf_counter() - start
                values[name].append([getattr(dci, part).value for part in PARTS])
            line = f"{angle:5.2f}  {noise:5.2f}"
            for part, slow, fast in zip(
                PARTS, values["boosted"][-1], values["forest"][-1], strict=True
            ):
                line += f"{slow:{len(part) + 12}.3f}  {fast:.3f}     "
            print(line.rstrip(), flush=True)
    for part, slow, fast in zip(
        PARTS, np.transpose(values["boosted"]), np.transpose(values["forest"]), strict=True
    ):
        print(
            f"{part}: rank agreement (Spearman) {spearmanr(slow, fast).statistic:.3f}, "
            f"mean difference {np.mean(fast - slow):+.3f}, largest {np.abs(fast - slow).max():.3f}"
        )
    models = len(values["forest"])
    print(
        f"seconds a model, of {models}: "
        + ", ".join(f"{name} {total / models:.2f}" for name, total in seconds_of.items())
    )


if __name__ == "__main__":
    main()
