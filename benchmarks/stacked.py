"""A step of seven MLP baselines stacked against seven steps, one after another.

Aim: on a GPU, which a step of one such model leaves idle most of the time, at most half the time of
separate steps. On a processor there is nothing to gain: the arithmetic is the same, and the larger
arrays leave its cache, so a stacked step takes up to a quarter longer. Images are random bits.

The two kinds alternate, so that other load on the machine falls on both; medians are shown.
"""

import argparse
import statistics
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from mrtc.architectures import MLPConfig, MLPDecoder, MLPEncoder
from mrtc.devices import resolve_device
from mrtc.objectives import ObjectiveConfig
from mrtc.rates import BetaRange
from mrtc.training import TrainingConfig, train, train_stacked
from mrtc.vae import VAE

BETAS = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
SHAPE = (1, 64, 64)
"""Of dSprites."""


@dataclass(frozen=True)
class RandomBits:
    """Black and white noise."""

    bits: Tensor

    def __len__(self) -> int:
        return len(self.bits)

    def images(self, index: Tensor) -> Tensor:
        """As 32 bit numbers, in {0, 1}."""
        return self.bits[index].float()


def make_models(hidden: int) -> list[VAE]:
    """Baselines of Chen et al.'s architecture, untrained."""
    config = MLPConfig(hidden=hidden, gated="none")
    return [
        VAE(MLPEncoder(SHAPE, config), MLPDecoder(SHAPE, config), config.codes, BetaRange(b, b))
        for b in BETAS
    ]


def main() -> None:
    """Prints milliseconds of a step, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--paper", action="store_true", help="1,200 units and batches of 2,048")
    parser.add_argument("--objective", choices=["beta", "tcvae"], default="tcvae")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", choices=["auto", "fp32", "bf16"], default="auto")
    parser.add_argument("--steps", type=int, default=10, help="of a run")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each kind")
    options = parser.parse_args()
    device = resolve_device(options.device)
    hidden, batch = (1200, 2048) if options.paper else (256, 256)
    objective = ObjectiveConfig(options.objective, groups=1)
    config = TrainingConfig(steps=options.steps, batch=batch)
    generator = torch.Generator(device).manual_seed(0)
    bits = torch.randint(
        2, (2 * batch, *SHAPE), generator=generator, dtype=torch.uint8, device=device
    )
    examples = RandomBits(bits)
    seeds = range(len(BETAS))
    models = make_models(hidden)

    def stacked() -> None:
        train_stacked(
            models,
            examples,
            objective,
            config,
            seeds=seeds,
            device=device,
            precision=options.precision,
            quiet=True,
        )

    def separate() -> None:
        for vae, seed in zip(models, seeds, strict=True):
            train(
                vae,
                examples,
                objective,
                config,
                seed=seed,
                device=device,
                precision=options.precision,
                quiet=True,
            )

    print(f"{device}, {torch.get_num_threads()} threads, {hidden} units, batch {batch}")
    seconds: dict[str, list[float]] = {"separate": [], "stacked": []}
    for repeat in range(options.repeats + 1):
        for name, run in (("separate", separate), ("stacked", stacked)):
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            start = time.perf_counter()
            run()
            elapsed = (time.perf_counter() - start) / options.steps
            if repeat:  # the first warms up
                seconds[name].append(elapsed)
            elif device.type == "cuda":
                print(f"{name}: peak {torch.cuda.max_memory_allocated() / 2**20:.0f} MiB")
    for name, values in seconds.items():
        print(
            f"{name}: {1000 * statistics.median(values):.1f} ms for a step of {len(BETAS)} models "
            f"({1000 * min(values):.1f} to {1000 * max(values):.1f})"
        )
    pairs = zip(seconds["separate"], seconds["stacked"], strict=True)
    print(f"separate / stacked = {statistics.median(a / b for a, b in pairs):.3f}")


if __name__ == "__main__":
    main()
