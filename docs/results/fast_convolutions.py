"""Whether the fast convolutions learn what torch's learn: equal steps, several seeds of each.

Usage: python docs/results/fast_convolutions.py --data FOLDER --out FOLDER [--steps 600]

Prints distortion + beta * rate of the test part of binarised MNIST, for each way and seed, and the
difference of the two ways seed by seed, with its standard error. What is trained already is not
trained again.
"""

import argparse
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from math import inf
from pathlib import Path
from unittest import mock

import numpy as np

from mrtc.experiments import evaluate, preset, run
from mrtc.experiments.config import RunConfig
from mrtc.layers import convolution

BETAS = np.array([0.01, 0.1, 1.0, 10.0])


def losses(config: RunConfig, stem: Path, data: Path, way: AbstractContextManager) -> np.ndarray:
    """Of one run, at each beta; evaluated the same way for both."""
    checkpoint = stem.with_suffix(".pt")
    with way:
        run(config, checkpoint, data=data, resume=True, quiet=True)
    table = evaluate(checkpoint, stem.with_suffix(".h5"), betas=BETAS, data=data, quiet=True)
    return (table.metric("distortion") + BETAS * table.metric("rate")).round(2)


def main() -> None:
    """Trains, evaluates, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    config = preset("binarized-mnist", "quick", arch="resnet")
    config = replace(config, training=config.training.with_steps(options.steps))
    found: dict[str, list[np.ndarray]] = {"fast": [], "torch": []}
    for seed in range(options.seeds):
        for kind, values in found.items():
            ours = nullcontext()
            way = ours if kind == "fast" else mock.patch.object(convolution, "LEAST_BATCH", inf)
            stem = options.out / f"{kind}-seed{seed}"
            values.append(losses(replace(config, seed=seed), stem, options.data, way))
            print(f"{kind}, seed {seed}: {values[-1].tolist()}", flush=True)
    difference = np.subtract(found["fast"], found["torch"])
    spread = np.std(found["torch"], axis=0, ddof=1)
    error = difference.std(axis=0, ddof=1) / np.sqrt(options.seeds)
    print(f"at beta {BETAS.tolist()}")
    print(f"fast less torch, mean: {difference.mean(0).round(2)}, standard error {error.round(2)}")
    print(f"standard deviation over seeds, torch: {spread.round(2)}")


if __name__ == "__main__":
    main()
