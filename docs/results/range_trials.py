"""Short multi-rate runs on dSprites that vary one thing: why MIG is flat in beta.

Run from the project's root: ``python docs/results/range_trials.py --seeds 0 --steps 1500``. Prints
the rows of the table in ``dsprites-mig.md``, but for its annealed runs, which the configuration of
a multi-rate run refuses. What is done already is not done again.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from mrtc.experiments import RunConfig, evaluate, preset, run
from mrtc.rates import BetaRange


def trials(steps: int) -> dict[str, RunConfig]:
    """The preset, and what differs from it in one thing or two."""
    default = preset("dsprites", "quick", "tcvae")
    default = replace(default, training=replace(default.training, steps=steps))
    plain_rate = preset("dsprites", "quick", "beta")
    four = replace(default.objective, groups=4)
    heads = replace(default, model=replace(default.model, gated="all"))
    return {
        "default": default,
        "four-betas": replace(default, objective=four),
        "beta-per-example": replace(
            default, objective=replace(default.objective, groups="example")
        ),
        "gated-heads": heads,
        "gated-heads-four-betas": replace(heads, objective=four),
        "beta-vae": replace(plain_rate, training=default.training),
        "low-range": replace(default, betas=BetaRange(0.1, 0.5)),
    }


def main() -> None:
    """Trains and evaluates what is missing, one after another, each on one thread."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/range-trials"))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="+", help="names of trials; all if left out")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name, config in trials(options.steps).items():
        for seed in options.seeds if name in (options.only or [name]) else []:
            checkpoint = options.folder / f"{name}-{options.steps}-{seed}.pt"
            run(replace(config, seed=seed), checkpoint, device="cpu", resume=True)
            results = evaluate(
                checkpoint,
                checkpoint.with_suffix(".h5"),
                betas=np.geomspace(config.betas.low, config.betas.high, 5),
                examples=10_000,
                device="cpu",
            )
            columns = ["beta", "rate", "distortion", "elbo", "active_units", "mig_chen"]
            print(f"{name}, seed {seed}")
            print(results.table()[columns].round(3).to_string(index=False))


if __name__ == "__main__":
    main()
