"""The dense evaluation of a paper-sized MLP on all of dSprites, part by part, beside its floor.

Claim: `mrtc eval-mig` at 50 betas on all 737,280 images takes at most 12 minutes on 2 cores. The
floor counts multiplications alone, at the speed that one large matrix product reaches in the same
run: the first layer once, the rest of the encoder at every beta. The MIG is added as measured.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import torch

from mrtc.experiments import evaluate, preset, run
from mrtc.experiments.run import load_vae

EXAMPLES = 737_280


def flops_per_second() -> float:
    """What a product of the size of the encoder's second layer reaches, in float32."""
    a, b = torch.randn(4096, 1200), torch.randn(1200, 1200)
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - start)
    return 2 * 4096 * 1200 * 1200 / min(seconds[2:])


def timed(function: Callable, seconds: list[float]) -> Callable:
    """``function``, which notes how long each call takes."""

    def wrapped(*args: object, **kwargs: object) -> object:
        start = time.perf_counter()
        result = function(*args, **kwargs)
        seconds.append(time.perf_counter() - start)
        return result

    return wrapped


def main() -> None:
    """Prints the seconds of each part, and the whole for 50 betas."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--betas", type=int, default=50)
    parser.add_argument("--checkpoint", type=Path, help="a few steps are trained if left out")
    options = parser.parse_args()
    device = torch.device("cpu")
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = options.checkpoint or Path(folder) / "ckpt.pt"
        if options.checkpoint is None:
            config = preset("dsprites", "paper", "tcvae")
            config = replace(config, training=replace(config.training, steps=60))
            run(config, checkpoint, device=device, quiet=True)
        hidden = load_vae(checkpoint)[1].model.hidden
        speed = flops_per_second()
        print(f"{torch.get_num_threads()} threads, {speed / 1e9:.0f} GFLOP/s in float32")
        parts: dict[str, list[float]] = {
            "first layer": [],
            "moments": [],
            "distortion": [],
            "mig": [],
        }
        flat = import_module("mrtc.evaluation.flat")
        for owner, name, part in (
            (flat.PosteriorEncoder, "moments", "moments"),
            (flat.PosteriorDecoder, "distortion", "distortion"),
            (flat, "PosteriorEncoder", "first layer"),
            (flat, "information_values", "mig"),
        ):
            setattr(owner, name, timed(getattr(owner, name), parts[part]))
        start = time.perf_counter()
        evaluate(
            checkpoint,
            Path(folder) / "results.h5",
            betas=np.geomspace(0.1, 10, options.betas),
            device=device,
            quiet=False,
        )
        whole = time.perf_counter() - start
    for part, seconds in parts.items():
        print(f"{part}: {statistics.median(seconds):.2f} s, {len(seconds)} times")
    once = 2 * EXAMPLES * 4096 * hidden / speed
    each = 2 * EXAMPLES * (hidden * hidden + hidden * 20) / speed
    floor = once + options.betas * (each + statistics.median(parts["mig"]))
    print(f"floor: {once:.1f} s once, {each:.2f} s at each beta, and the MIG: {floor / 60:.1f} min")
    print(f"{options.betas} betas: {whole / 60:.1f} min, {whole / floor:.2f} times the floor")


if __name__ == "__main__":
    main()
