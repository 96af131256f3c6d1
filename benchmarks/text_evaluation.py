"""20 betas of a model of documents in one sweep, against 20 evaluations, and beside the floor.

Run with ``python benchmarks/text_evaluation.py --data my.txt``, or on documents that are drawn. The
model has the sizes of Bae et al. and random weights, on which time does not depend. Times are of
the processor, not of the wall, so that other work on the machine counts for little.

The floor is the matrix products, and the exponentials of the softmax, alone. Nothing that depends
on beta can be shared: gates multiply the embeddings, so already the first product of either network
is another one at each beta, and so is each hidden state that enters the softmax. What can be shared
is the reading of the data, the order by length and the look-up of tokens. Several betas can go
through one batch, which makes the products larger; how much that gains is printed too.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from mrtc.architectures.lstm import LSTMConfig, LSTMDecoder, LSTMEncoder
from mrtc.datasets.documents import Documents
from mrtc.datasets.text import TextConfig
from mrtc.datasets.vocabulary import PAD
from mrtc.devices import keep_freed_memory, resolve_device
from mrtc.evaluation.encode import CHUNK
from mrtc.experiments import evaluate, load_vae, preset, run
from mrtc.experiments.data import load_for
from mrtc.layers.recurrent import Packing, run_lstm
from mrtc.token_sequences import BLOCK_CELLS, FIRST_SAID, token_log_prob
from mrtc.vae import VAE


def write_documents(path: Path, count: int, vocabulary: int, rng: np.random.Generator) -> None:
    """Lines of random words, log-normal in length with a mean of about 78."""
    lengths = np.exp(rng.normal(4.1, 0.7, count)).astype(int).clip(1, 200)
    drawn = (rng.integers(0, vocabulary, size) for size in lengths)
    path.write_text("\n".join(" ".join(f"w{word}" for word in words) for words in drawn) + "\n")


def seconds(function: Callable[[], object], turns: int) -> float:
    """Of the processor, the least of some calls after one to warm up."""
    taken = []
    for _ in range(turns + 1):
        start = time.process_time()
        function()
        taken.append(time.process_time() - start)
    return min(taken[1:])


@torch.inference_mode()
def parts(
    vae: VAE, x: Int[Tensor, "document position"], turns: int
) -> dict[str, tuple[float, float]]:
    """Seconds of each part of one beta, and of what it cannot do without."""
    encoder, decoder = vae.encoder, vae.decoder
    if not isinstance(encoder, LSTMEncoder) or not isinstance(decoder, LSTMDecoder):
        raise TypeError("this benchmark is for LSTMs")
    rate_code, documents = torch.zeros(1), len(x)
    z = torch.randn(documents, vae.codes, generator=torch.Generator().manual_seed(0))
    lengths = (x != PAD).sum(1)
    read, said_packing = Packing.of(lengths), Packing.of(lengths - 1)
    embedded = torch.randn(len(read.documents), encoder.lstm.input_size)
    inputs = torch.randn(len(said_packing.documents), decoder.lstm.input_size)
    said = said_packing.take(x[:, 1:]) - FIRST_SAID
    zero = torch.zeros(documents, encoder.lstm.hidden_size)
    first = torch.zeros(documents, decoder.lstm.hidden_size)
    hidden, _ = run_lstm(decoder.lstm, inputs, said_packing, (first, first))
    output = decoder.output

    def lstm_products(
        lstm: torch.nn.LSTM, rows: Float[Tensor, "token feature"], packing: Packing
    ) -> None:
        of_inputs, of_states, *_ = lstm.all_weights[0]
        functional.linear(rows, of_inputs)
        state = torch.ones(documents, lstm.hidden_size)
        for count in packing.counts:
            functional.linear(state[:count], of_states)

    rows = max(1, BLOCK_CELLS["cpu"] // output.out_features)
    logits = torch.randn(rows, output.out_features)

    def exponentials() -> None:
        for _ in range(len(hidden) // rows):
            logits.exp()

    def softmax_products() -> None:
        for block in torch.split(hidden, rows):
            functional.linear(block, output.weight)

    timed = {
        "encoder, LSTM": (
            lambda: run_lstm(encoder.lstm, embedded, read, (zero, zero)),
            lambda: lstm_products(encoder.lstm, embedded, read),
        ),
        "decoder, LSTM": (
            lambda: run_lstm(decoder.lstm, inputs, said_packing, (first, first)),
            lambda: lstm_products(decoder.lstm, inputs, said_packing),
        ),
        "softmax": (
            lambda: token_log_prob(hidden, output.weight, output.bias, said),
            softmax_products,
        ),
        "exponentials in the softmax": (exponentials, exponentials),
        "packing and look-up": (
            lambda: (
                encoder.embedding(Packing.of(lengths).take(x)),
                decoder.embedding(Packing.of(lengths - 1).take(x[:, :-1])),
            ),
            lambda: None,
        ),
        "whole": (
            lambda: (encoder(x, rate_code), decoder(z, rate_code).log_prob(x)),
            lambda: None,
        ),
    }
    return {
        name: (seconds(all_, turns), seconds(some, turns)) for name, (all_, some) in timed.items()
    }


def operations(vae: VAE, tokens: int, documents: int) -> dict[str, float]:
    """Multiplications and additions of the matrix products of one beta."""
    encoder, decoder = vae.encoder, vae.decoder
    assert isinstance(encoder, LSTMEncoder)
    assert isinstance(decoder, LSTMDecoder)

    def of(lstm: torch.nn.LSTM, steps: int) -> float:
        return 2.0 * steps * 4 * lstm.hidden_size * (lstm.input_size + lstm.hidden_size)

    said = tokens - documents
    return {
        "encoder, LSTM": of(encoder.lstm, tokens),
        "decoder, LSTM": of(decoder.lstm, said),
        "softmax": 2.0 * said * decoder.output.weight.numel(),
    }


@torch.inference_mode()
def stacked(
    vae: VAE, x: Int[Tensor, "document position"], betas: Float[Tensor, " beta"], turns: int
) -> tuple[float, float]:
    """Several betas one after another against all in one batch: their ratio, and the difference.

    The difference is the largest of a document's log p(x|z), in nats.
    """
    z = torch.randn(len(betas) * len(x), vae.codes, generator=torch.Generator().manual_seed(0))

    def one_by_one() -> Tensor:
        pairs = zip(betas, torch.split(z, len(x)), strict=True)
        return torch.cat([_both(vae, x, codes, beta[None]) for beta, codes in pairs])

    def at_once() -> Tensor:
        return _both(vae, x.repeat(len(betas), 1), z, betas)

    difference = float((one_by_one() - at_once()).abs().max())
    return seconds(one_by_one, turns) / seconds(at_once, turns), difference


def _both(vae: VAE, x: Tensor, z: Tensor, betas: Tensor) -> Tensor:
    vae.encode(x, betas)
    return vae.decode(z, betas).log_prob(x)


@torch.inference_mode()
def softmax_rows(vae: VAE, counts: tuple[int, ...], turns: int) -> dict[int, float]:
    """Microseconds a row of the softmax's product, by the rows that it has."""
    assert isinstance(vae.decoder, LSTMDecoder)
    output = vae.decoder.output
    most = torch.randn(max(counts), output.in_features)
    found = {}
    for count in counts:
        blocks = torch.split(most, count)

        def products(blocks: tuple[Tensor, ...] = blocks) -> None:
            for block in blocks:
                functional.linear(block, output.weight)

        found[count] = seconds(products, turns) / len(most) * 1e6
    return found


def main() -> None:
    """Prints the ratio of one sweep to separate evaluations, and where the time goes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a text file, one document a line")
    parser.add_argument("--documents", type=int, default=200, help="to evaluate (%(default)s)")
    parser.add_argument("--vocabulary", type=int, default=10_000)
    parser.add_argument("--betas", type=int, default=20)
    parser.add_argument("--turns", type=int, default=3, help="of each part (%(default)s)")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()  # as an evaluation does
    betas = np.geomspace(0.01, 10, arguments.betas)
    with tempfile.TemporaryDirectory() as folder:
        data, checkpoint = arguments.data or Path(folder) / "documents.txt", Path(folder) / "t.pt"
        if arguments.data is None:
            rng = np.random.default_rng(0)
            write_documents(data, 10 * arguments.documents, arguments.vocabulary, rng)
        config = preset("text", "quick")
        config = replace(
            config,
            model=LSTMConfig(),
            text=TextConfig(vocabulary_size=arguments.vocabulary),
            training=replace(config.training, steps=1, warmup=0),
        )
        run(config, checkpoint, data=data, device="cpu", quiet=True)
        vae, config, loaded = load_vae(checkpoint)
        documents = load_for(
            *(config, data, resolve_device("cpu")),
            part="test",
            vocabulary=loaded.vocabulary,
            quiet=True,
        )
        assert isinstance(documents, Documents)
        count = min(arguments.documents, len(documents))

        def evaluation(name: str, grid: Float[np.ndarray, " beta"]) -> tuple[float, np.ndarray]:
            start = time.process_time()
            with redirect_stderr(StringIO()):
                results = evaluate(
                    *(checkpoint, Path(folder) / name),
                    betas=grid,
                    data=data,
                    examples=count,
                    device="cpu",
                )
            return time.process_time() - start, results.metric("elbo")

        evaluation("warm.h5", betas[:1])
        once, values = evaluation("all.h5", betas)
        separate, others = zip(
            *(evaluation(f"{at}.h5", betas[at : at + 1]) for at in range(len(betas))), strict=True
        )
    difference = float(np.abs(values - np.concatenate(others)).max())
    vae.eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():  # gates start open; moved, they differ from beta to beta
        for weight in vae.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.03)
    x = documents.images(torch.arange(min(count, CHUNK)))
    tokens = int((x != PAD).sum())
    print(f"{count} documents of {tokens / len(x):.1f} tokens, vocabulary {config.tokens:,},")
    print(f"{arguments.threads} of {os.cpu_count()} threads, load {os.getloadavg()[0]:.1f}")
    print(
        f"{len(betas)} betas: one sweep {once:.1f} s, separate evaluations {sum(separate):.1f} s,"
    )
    print(f"  ratio {sum(separate) / once:.2f}; ELBOs differ by {difference:.1e} nats at most")
    found, flops = parts(vae, x, arguments.turns), operations(vae, tokens, len(x))
    whole = found.pop("whole")[0]
    floor = sum(least for _, least in found.values())
    print(f"one beta of {len(x)} documents: {whole:.2f} s, floor {floor:.2f} s:")
    for name, (all_, least) in found.items():
        speed = f", {flops[name] / least / 1e9:.0f} GFLOP/s" if name in flops else ""
        share = f", {flops[name] / sum(flops.values()):.0%} of operations" if name in flops else ""
        print(f"  {name}: {all_:.3f} s, floor {least:.3f} s{speed}{share}")
    print(f"  were all else free, it would be {whole / floor:.2f} times as fast")
    for few in (10, 100):
        ratio, difference = stacked(
            vae, x[:few], torch.tensor([0.1, 0.5, 1.0, 5.0]), arguments.turns
        )
        print(f"four betas in one batch, {few} documents: {ratio:.2f} times as fast,")
        print(f"  values differ by {difference:.1e} nats at most")
    rows = softmax_rows(vae, (26, 104, 416, 1664, 6656), arguments.turns)
    shown = ", ".join(f"{count} rows {micro:.1f}" for count, micro in rows.items())
    print(f"softmax, microseconds a row in one product: {shown}")


if __name__ == "__main__":
    main()
