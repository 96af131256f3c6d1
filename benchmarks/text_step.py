"""A training step on documents: buckets without padding against padded batches in file order.

Run with ``python benchmarks/text_step.py --data yahoo.train.txt``; lengths are those of the file,
one document a line, or else drawn; words are drawn always. Both train the same gated networks. The
plain step pads to the longest document of the batch, computes all logits at once and takes torch's
cross entropy; it is timed in file order, and in the buckets too. The plain encoder reads padding:
that is wrong, and as fast as it can be on a processor. Tokens are those that are predicted.
"""

import argparse
import gzip
import os
import time
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from mrtc.architectures.lstm import LSTMConfig, LSTMDecoder, LSTMEncoder
from mrtc.datasets.vocabulary import END, NUM_SPECIAL, PAD, START
from mrtc.devices import keep_freed_memory
from mrtc.distributions import DiagonalGaussian
from mrtc.token_sequences import FIRST_SAID
from mrtc.training.buckets import BucketOrder


def document_lengths(path: Path | None, generator: torch.Generator) -> Int[Tensor, " document"]:
    """Tokens of each document, START and END counted."""
    if path is None:
        drawn = torch.randn(20_000, generator=generator).mul(0.7).add(4.1).exp()  # mean 78
        return drawn.long().clamp(1, 400) + 2
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        return torch.tensor([len(line.split()) + 2 for line in lines])


def documents(
    lengths: Int[Tensor, " document"], vocabulary: int, generator: torch.Generator
) -> Int[Tensor, "document position"]:
    """Of random words, padded to the longest."""
    size = (len(lengths), int(lengths.max()))
    x = torch.randint(NUM_SPECIAL, vocabulary, size, generator=generator)
    position = torch.arange(size[1])
    x[:, 0] = START
    x[position == lengths[:, None] - 1] = END
    x[position >= lengths[:, None]] = PAD
    return x


class Plain:
    """The same networks on padded rectangles."""

    def __init__(self, encoder: LSTMEncoder, decoder: LSTMDecoder) -> None:
        self.encoder, self.decoder = encoder, decoder

    def moments(self, x: Tensor, rate_code: Tensor) -> tuple[Tensor, Tensor]:
        """Of the posterior, from the state after the padding."""
        encoder = self.encoder
        embedded = encoder.embedding(x.T) * encoder.embedding_gate(rate_code)
        _, (hidden, cell) = encoder.lstm(embedded)
        state = torch.cat([hidden[0], cell[0]], 1) * encoder.state_gate(rate_code)
        return encoder.mean(state, rate_code), encoder.log_sigma(state, rate_code)

    def log_prob(
        self, x: Tensor, z: Tensor, rate_code: Tensor, *, dropout: bool = True
    ) -> Float[Tensor, " document"]:
        """Of each document, with torch's dropout."""
        decoder, config = self.decoder, self.decoder.config
        embedded = decoder.embedding(x[:, :-1].T) * decoder.embedding_gate(rate_code)
        embedded = functional.dropout(embedded, config.dropout_in, training=dropout)
        inputs = torch.cat([embedded, z.expand(len(embedded), -1, -1)], 2)
        hidden, cell = decoder.first_state(z, rate_code).chunk(2, dim=1)
        outputs, _ = decoder.lstm(inputs, (hidden[None].contiguous(), cell[None].contiguous()))
        outputs = functional.dropout(outputs, config.dropout_out, training=dropout)
        loss = functional.cross_entropy(
            decoder.output(outputs).flatten(0, 1),
            (x[:, 1:].T - FIRST_SAID).flatten(),
            ignore_index=PAD - FIRST_SAID,
            reduction="none",
        )
        return -loss.view(outputs.shape[:2]).sum(0)


def main() -> None:
    """Prints tokens a second, their ratios, and the largest difference of values."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a text file, one document a line, or gzipped")
    parser.add_argument("--vocabulary", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=10, help="of each kind (%(default)s)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()  # as training does
    generator = torch.Generator().manual_seed(arguments.seed)
    torch.manual_seed(arguments.seed)
    lengths = document_lengths(arguments.data, generator)
    config = LSTMConfig()
    encoder = LSTMEncoder(arguments.vocabulary, config)
    decoder = LSTMDecoder(arguments.vocabulary, config)
    plain = Plain(encoder, decoder)
    rate_code = torch.zeros(1)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    adam = torch.optim.Adam(parameters, lr=1e-3)

    def own_log_prob(x: Tensor, z: Tensor, noise: Tensor) -> Tensor:
        return decoder(z, rate_code).with_dropout(noise).log_prob(x)

    def step(index: Tensor, *, is_ours: bool) -> tuple[int, float]:
        """Tokens that are predicted, and seconds."""
        x = documents(lengths[index], arguments.vocabulary, generator)
        noise = torch.randn(len(x), config.codes, generator=generator)
        start = time.perf_counter()
        moments = encoder(x, rate_code) if is_ours else plain.moments(x, rate_code)
        posterior = DiagonalGaussian(*moments)
        z = posterior.draw(noise)
        log_prob = own_log_prob(x, z, noise) if is_ours else plain.log_prob(x, z, rate_code)
        (posterior.rate().sum(1) - log_prob).mean().backward()
        adam.step()
        adam.zero_grad()
        return int((x[:, 1:] != PAD).sum()), time.perf_counter() - start

    buckets = BucketOrder(lengths, arguments.batch, arguments.seed)
    in_file = torch.arange(len(lengths) // arguments.batch * arguments.batch)
    in_file = in_file.view(-1, arguments.batch)
    kinds = {
        "plain, in file order": (in_file.__getitem__, False),
        "plain, in buckets": (buckets.batch_at, False),
        "ours, in buckets": (buckets.batch_at, True),
    }
    print(f"{len(lengths):,} documents of {float(lengths.float().mean()):.1f} tokens on average,")
    print(f"vocabulary {arguments.vocabulary:,}, batch {arguments.batch},", end=" ")
    print(f"{arguments.threads} of {os.cpu_count()} threads, load {os.getloadavg()[0]:.1f}")
    total = {name: torch.zeros(2, dtype=torch.float64) for name in kinds}
    for turn in range(arguments.steps + 1):
        for name, (batch_at, is_ours) in kinds.items():
            result = torch.tensor(step(batch_at(turn), is_ours=is_ours), dtype=torch.float64)
            total[name] += result if turn else 0  # the first is warm-up
    speed = {name: float(tokens / seconds) for name, (tokens, seconds) in total.items()}
    for name, (_, seconds) in total.items():
        print(
            f"  {name}: {speed[name]:,.0f} tokens/s, {1000 * seconds / arguments.steps:,.0f} ms a "
            f"step, {speed[name] / speed['plain, in file order']:.2f} times"
        )
    x = documents(lengths[in_file[0]], arguments.vocabulary, generator)
    z = torch.randn(len(x), config.codes, generator=generator)
    with torch.no_grad():
        ours = decoder(z, rate_code).log_prob(x)
        theirs = plain.log_prob(x, z, rate_code, dropout=False)
    print(f"largest difference of a document's value: {float((ours - theirs).abs().max()):.1e} of")
    print(f"  {float(-ours.min()):,.0f} nats")


if __name__ == "__main__":
    main()
