"""Why one run is behind many, and what helps: short runs of residual networks on binarised MNIST.

How gates start and how fast they learn, how much high betas weigh, and how wide the range is.

Usage: python docs/results/mnist_gate_trials.py --data FOLDER --out FOLDER [--steps 2000]

Prints distortion + beta * rate of the test part at some betas, for each set-up and seed. What is
trained already is not trained again.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from mrtc.experiments import RunConfig, evaluate, preset, run
from mrtc.experiments.presets import baseline
from mrtc.rates import BetaRange

BETAS = np.array([0.01, 0.0464, 0.1, 0.464, 1.0, 2.15, 4.64, 10.0])


def set_ups(steps: int) -> dict[str, RunConfig]:
    """By label; a batch of 64 with one beta for each example."""
    config = preset("binarized-mnist", "quick", arch="resnet")
    training = replace(config.training, steps=steps, warmup=100)
    fast = replace(config, training=training)
    slow = replace(fast, training=replace(training, gate_speed=1.0))
    return {
        "open, ten times as fast": fast,
        "open": slow,
        "paper": replace(slow, model=replace(slow.model, gate_init="paper")),
        "open, balance 0.5": replace(fast, objective=replace(fast.objective, balance=0.5)),
        "open, 0.01 to 0.1": replace(fast, betas=BetaRange(0.01, 0.1)),
        "open, 2 to 10": replace(fast, betas=BetaRange(2.0, 10.0)),
        "plain, beta 0.01": baseline(slow, 0.01),
        "plain, beta 10": baseline(slow, 10.0),
    }


def main() -> None:
    """Trains, evaluates, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    for label, config in set_ups(options.steps).items():
        for seed in range(options.seeds):
            stem = options.out / f"{label.replace(' ', '-').replace(',', '')}-seed{seed}"
            checkpoint, results = stem.with_suffix(".pt"), stem.with_suffix(".h5")
            run(replace(config, seed=seed), checkpoint, data=options.data, resume=True)
            betas = BETAS[BETAS.clip(config.betas.low, config.betas.high) == BETAS]
            table = evaluate(checkpoint, results, betas=betas, data=options.data).table()
            losses = (table.distortion + betas * table.rate).round(1).tolist()
            print(f"{label}, seed {seed}: {dict(zip(betas.tolist(), losses, strict=True))}")


if __name__ == "__main__":
    main()
