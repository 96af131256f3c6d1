"""LSTMs over documents of several lengths, without a step on padding."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from mrtc.layers.gate import RateGate
from mrtc.randomness import torch_stream

State = tuple[Float[Tensor, "document hidden"], Float[Tensor, "document hidden"]]
"""The hidden state and the cell of an LSTM, for each document."""


@dataclass(frozen=True)
class Packing:
    """Where the tokens of documents stand when all padding is left out.

    First the first tokens of all documents, then the second ones, and so on; within one position
    the longest document comes first. This is the order of torch's ``PackedSequence``.
    """

    order: Int[Tensor, " document"]
    """Documents, the longest first."""
    documents: Int[Tensor, " token"]
    """The document of each token."""
    positions: Int[Tensor, " token"]
    """The position of each token in its document, from 0."""
    counts: tuple[int, ...]
    """How many documents have a token at each position."""

    @classmethod
    def of(cls, lengths: Int[Tensor, " document"]) -> "Packing":
        """The packing of documents with that many tokens.

        Raises:
            ValueError: If a document has none.
        """
        longest_first, order = lengths.sort(descending=True, stable=True)
        if longest_first[-1] < 1:
            raise ValueError(
                f"document {int(order[-1])} has {int(longest_first[-1])} tokens to read or to "
                "predict; every row is START, words, END, then PAD"
            )
        steps = torch.arange(int(longest_first[0]), device=lengths.device)
        positions, rank = (steps[:, None] < longest_first).nonzero(as_tuple=True)
        counts = tuple(positions.bincount().tolist())
        return cls(order, order[rank], positions, counts)

    def take(self, x: Shaped[Tensor, "document position"]) -> Shaped[Tensor, " token"]:
        """What stands at the tokens' places, in this order."""
        return x[self.documents, self.positions]


def scale_rows(
    x: Float[Tensor, "row feature"],
    gate: RateGate | None,
    rate_code: Float[Tensor, " group"],
    document: Int[Tensor, " row"],
    documents: int,
) -> Float[Tensor, "row feature"]:
    """Multiplies rows by the gate of their document.

    Args:
        x: One row for each token, say, in any order.
        gate: ``None`` leaves the rows as they are.
        rate_code: One for each of equal groups of consecutive documents.
        document: The document of each row.
        documents: How many there are; a multiple of the groups.
    """
    if gate is None:
        return x
    factors = gate(rate_code).to(x.dtype)
    if len(factors) > 1:
        factors = factors.index_select(0, document // (documents // len(factors)))
    scaled: Tensor = x * factors
    return scaled


def draw_dropout(
    noise: Float[Tensor, "document noise"],
    lengths: Int[Tensor, " document"],
    packing: Packing,
    sites: Sequence[tuple[int, float]],
) -> list[Float[Tensor, "token _"]]:
    """What packed features are multiplied by: 0 where dropped, else 1 / (1 - probability).

    Each document has a stream of random numbers of its own, seeded by a hash of its row of noise.
    So the factors are the same in every batch, on any number of processes, and after a restart.

    Args:
        noise: Drawn anew for each step; at least one number a document.
        lengths: Tokens of the documents.
        packing: Of documents of these lengths.
        sites: Features of each token and the probability to drop one, for each place of dropout.
    """
    drawn: list[list[Tensor]] = [[] for _ in sites]
    for row, length in zip(noise.detach().cpu().numpy(), lengths.tolist(), strict=True):
        generator = torch_stream(0, "dropout", row.tobytes().hex(), device=noise.device)
        for factors, (features, probability) in zip(drawn, sites, strict=True):
            kept = torch.empty(length, features, device=noise.device)
            factors.append(kept.bernoulli_(1 - probability, generator=generator))
    row_of_token = (lengths.cumsum(0) - lengths)[packing.documents] + packing.positions
    return [
        torch.cat(factors)[row_of_token] / (1 - probability)
        for factors, (_, probability) in zip(drawn, sites, strict=True)
    ]


def run_lstm(
    lstm: nn.LSTM, inputs: Float[Tensor, "token feature"], packing: Packing, state: State
) -> tuple[Float[Tensor, "token hidden"], State]:
    """Runs a layer over packed tokens.

    Args:
        lstm: Of one layer and one direction.
        inputs: In the order of the packing.
        packing: Of the documents.
        state: Before the first token.

    Returns:
        The hidden states at all tokens, and the state of each document after its last one.
    """
    order = packing.order
    hidden, cell = (part.to(inputs.dtype)[order][None] for part in state)
    if inputs.device.type == "cpu":
        outputs, hidden, cell = _run_in_blocks(lstm, inputs, packing.counts, hidden, cell)
    else:
        packed = PackedSequence(inputs, torch.tensor(packing.counts))
        packed, (hidden, cell) = lstm(packed, (hidden, cell))
        outputs = packed.data
    back = order.argsort()
    return outputs, (hidden[0][back], cell[0][back])


def _run_in_blocks(
    lstm: nn.LSTM, inputs: Tensor, counts: tuple[int, ...], hidden: Tensor, cell: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """One call for each stretch of positions at which the same documents go on.

    On processors torch gives oneDNN full rectangles only, and steps through a ``PackedSequence`` by
    itself, which took 2.5 to 5 times as long.
    """
    stretches = [(count, len(list(same))) for count, same in groupby(counts)]
    blocks = torch.split(inputs, [count * steps for count, steps in stretches])
    going_on = [count for count, _ in stretches[1:]] + [0]
    outputs, ended = [], []
    for block, (count, steps), left in zip(blocks, stretches, going_on, strict=True):
        out, (hidden, cell) = lstm(block.reshape(steps, count, -1), (hidden, cell))
        outputs.append(out.flatten(0, 1))
        ended.append((hidden[:, left:], cell[:, left:]))
        hidden, cell = hidden[:, :left], cell[:, :left]
    hiddens, cells = zip(*reversed(ended), strict=True)
    return torch.cat(outputs), torch.cat(hiddens, 1), torch.cat(cells, 1)
