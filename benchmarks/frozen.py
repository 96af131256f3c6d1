"""A frozen model against the plain one of its size, and against the gated one it comes from.

Aim: as fast as plain. Each turn encodes a batch and decodes draws from the prior (of documents,
computes log p(x|z)); the models take turns, and the ratios are of medians. The plain model is a
baseline, with batch normalisation where the architecture has it, which a frozen one has folded
away. Batches of 64 and more mrtc convolves by an algorithm of its own, on processors; a frozen
model has torch's convolutions alone, so there is also the plain model with these.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from math import inf
from unittest import mock

import torch
from torch import Tensor

from mrtc.architectures import ConvConfig, LSTMConfig, MLPConfig, ModelConfig, ResNetConfig
from mrtc.architectures.build import build_networks
from mrtc.datasets.vocabulary import END, NUM_SPECIAL, PAD, START
from mrtc.devices import keep_freed_memory
from mrtc.experiments import preset
from mrtc.frozen import FrozenTextVAE, FrozenVAE
from mrtc.hierarchical_vae import HierarchicalVAE
from mrtc.layers import convolution
from mrtc.rates import BetaRange
from mrtc.vae import VAE

VOCABULARY = 10_000
NVAE = preset("binarized-mnist", "quick", "beta", "nvae").model
MODELS: dict[str, tuple[tuple[int, ...], ModelConfig, ModelConfig]] = {
    name: (shape, config, plain)
    for name, shape, config, plain in (
        ("mlp", (1, 64, 64), MLPConfig(), MLPConfig(gated="none")),
        ("conv", (1, 28, 28), ConvConfig(), ConvConfig().plain()),
        ("resnet", (1, 28, 28), ResNetConfig(), ResNetConfig().plain()),
        ("nvae", (1, 28, 28), NVAE, NVAE.plain()),
        ("lstm", (VOCABULARY,), LSTMConfig(), LSTMConfig().plain(head_hidden=True)),
    )
}
"""Shape of an example, and the configurations with gates and without."""


def make(shape: tuple[int, ...], config: ModelConfig) -> VAE:
    """An untrained model; speed does not depend on the weights."""
    betas = BetaRange(4.0, 4.0) if config.is_plain else BetaRange(0.1, 10.0)
    likelihood = "tokens" if len(shape) == 1 else "bernoulli"
    if config.kind == "nvae":
        return HierarchicalVAE(*build_networks(shape, config), betas).eval()
    return VAE(*build_networks(shape, config), config.codes, betas, likelihood).eval()


def documents(count: int, generator: torch.Generator) -> Tensor:
    """Of 10 to 60 random words."""
    lengths = torch.randint(12, 63, (count, 1), generator=generator)
    x = torch.randint(NUM_SPECIAL, VOCABULARY, (count, 62), generator=generator)
    position = torch.arange(62)
    x[:, 0] = START
    return x.where(position < lengths - 1, END).where(position < lengths, PAD)


def with_beta(vae: VAE, x: Tensor, z: Tensor) -> None:
    """One turn of a model of mrtc."""
    vae.encode(x, 4.0)
    likelihood = vae.decode(z, 4.0)
    if vae.likelihood == "tokens":
        likelihood.log_prob(x)


def by_torch(vae: VAE, x: Tensor, z: Tensor) -> None:
    """The same without the convolutions of mrtc."""
    with mock.patch.object(convolution, "LEAST_BATCH", inf):
        with_beta(vae, x, z)


def without(model: FrozenVAE | FrozenTextVAE, x: Tensor, z: Tensor) -> None:
    """One turn of a frozen model."""
    model.encode(x)
    if isinstance(model, FrozenTextVAE):
        model.log_prob(x, z)
    else:
        model.decode(z)


def seconds(run: Callable[[], None]) -> float:
    """Of one turn."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    """Prints milliseconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    generator = torch.Generator().manual_seed(0)
    print(
        f"batch {arguments.batch}, {arguments.threads} of {os.cpu_count()} threads, load "
        f"{os.getloadavg()[0]:.1f}"
    )
    for name in arguments.models:
        shape, config, plain_config = MODELS[name]
        x = torch.rand(arguments.batch, *shape, generator=generator)
        if name == "lstm":
            x = documents(arguments.batch, generator)
        z = torch.randn(arguments.batch, config.codes, generator=generator)
        gated, plain = make(shape, config), make(shape, plain_config)
        runs = {
            "gated": partial(with_beta, gated, x, z),
            "plain": partial(with_beta, plain, x, z),
            "plain by torch": partial(by_torch, plain, x, z),
            "frozen": partial(without, gated.freeze(4.0), x, z),
        }
        taken: dict[str, list[float]] = {kind: [] for kind in runs}
        with torch.inference_mode():
            for turn in range(arguments.repeats + 2):
                for kind, run in runs.items():
                    spent = seconds(run)
                    if turn > 1:  # the first two are warm-up
                        taken[kind].append(spent)
        median = {kind: 1000 * statistics.median(times) for kind, times in taken.items()}
        shown = ", ".join(f"{kind} {each:.1f} ms" for kind, each in median.items())
        ratios = [f"{median['frozen'] / median[kind]:.2f} of {kind}" for kind in list(runs)[:3]]
        print(f"  {name}: {shown}\n    frozen takes {', '.join(ratios)}")


if __name__ == "__main__":
    main()
