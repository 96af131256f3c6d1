"""A training step on documents: the full softmax against one over a sample of the words.

Run with ``python benchmarks/text_softmax.py``. Both train the same gated networks on the same
documents, whose words follow a Zipf law; the whole step is timed, the optimiser's included, whose
work grows with the vocabulary too.
"""

import argparse
import os
import time
from dataclasses import replace
from statistics import median

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mrtc.architectures.lstm import LSTMConfig, LSTMDecoder, LSTMEncoder
from mrtc.datasets.vocabulary import END, NUM_SPECIAL, START
from mrtc.devices import keep_freed_memory
from mrtc.distributions import DiagonalGaussian


def documents(
    count: int, words: int, vocabulary: int, generator: torch.Generator
) -> Int[Tensor, "document position"]:
    """Of so many words each, the most frequent ones first in the vocabulary."""
    known = vocabulary - NUM_SPECIAL
    uniform = torch.rand(count, words, generator=generator, dtype=torch.float64)
    drawn = ((known + 1) ** uniform).long().clamp(1, known) - 1 + NUM_SPECIAL
    start, end = (torch.full((count, 1), token) for token in (START, END))
    return torch.cat([start, drawn, end], 1)


class Timed:
    """One model, its optimiser, and the seconds of its steps."""

    def __init__(self, vocabulary: int, config: LSTMConfig) -> None:
        self.encoder, self.decoder = (
            LSTMEncoder(vocabulary, config),
            LSTMDecoder(vocabulary, config),
        )
        parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        self.adam = torch.optim.Adam(parameters, lr=1e-3, fused=True)
        self.seconds: list[float] = []

    def step(self, x: Tensor, noise: Float[Tensor, "document code"]) -> None:
        """A step of training."""
        start = time.perf_counter()
        rate_code = torch.zeros(1)
        posterior = DiagonalGaussian(*self.encoder(x, rate_code))
        likelihood = self.decoder(posterior.draw(noise), rate_code)
        log_prob = likelihood.with_dropout(noise).log_prob(x)
        (posterior.rate().sum(1) - log_prob).mean().backward()
        self.adam.step()
        self.adam.zero_grad()
        self.seconds.append(time.perf_counter() - start)


def main() -> None:
    """Prints the median seconds of a step and their ratio, for each vocabulary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vocabularies", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--sampled", type=int, default=1_000, help="words (%(default)s)")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--words", type=int, default=60, help="of a document (%(default)s)")
    parser.add_argument("--steps", type=int, default=3, help="of each kind (%(default)s)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()  # as training does
    print(f"batch {arguments.batch} of {arguments.words} words, {arguments.threads} of", end=" ")
    print(f"{os.cpu_count()} threads, load {os.getloadavg()[0]:.1f}")
    for vocabulary in arguments.vocabularies:
        generator = torch.Generator().manual_seed(arguments.seed)
        config = LSTMConfig()
        models = {}
        for name, sampled in {"full": None, "sampled": arguments.sampled}.items():
            torch.manual_seed(arguments.seed)
            models[name] = Timed(vocabulary, replace(config, sampled_words=sampled))
        for _ in range(arguments.steps + 1):
            x = documents(arguments.batch, arguments.words, vocabulary, generator)
            noise = torch.randn(len(x), config.codes, generator=generator)
            for model in models.values():
                model.step(x, noise)
        # The first step is warm-up.
        full, sampled = (median(model.seconds[1:]) for model in models.values())
        print(f"vocabulary {vocabulary:,}: full {full:.3f} s a step,", end=" ")
        print(f"{arguments.sampled:,} sampled {sampled:.3f} s, {full / sampled:.1f} times as fast")


if __name__ == "__main__":
    main()
