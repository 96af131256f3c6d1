"""Batches of documents of similar length, so that little of a batch is filling."""

import torch
from jaxtyping import Int
from torch import Tensor

from mrtc.randomness import torch_stream

POOL = 50
"""Batches that are sorted together. Of a batch of 32 Yahoo documents, 2.4 % is then filling,
against 56 % in file order; twice the pool would save 1 % more, and mix documents less."""


class BucketOrder:
    """Which documents make up a step: as ``ExampleOrder``, with like lengths in one batch.

    In every epoch all documents are shuffled and the short rest is left out, whatever its lengths.
    Each ``POOL`` batches of them are sorted by length and cut into batches anew, and those of all
    pools shuffled; within a batch the order is random too, since consecutive documents may share
    a beta, which should not go with their length.

    Args:
        lengths: Of all documents, in tokens.
        batch: Documents in a step.
        seed: Of the shuffles; with the step, all that the order depends on.
        pool: Batches that are sorted together; 1 is an order without regard to length.

    Raises:
        ValueError: If there are fewer documents than a batch has, or the pool is empty.
    """

    def __init__(
        self, lengths: Int[Tensor, " document"], batch: int, seed: int, *, pool: int = POOL
    ) -> None:
        if batch > len(lengths):
            raise ValueError(f"a batch of {batch} needs as many documents, got {len(lengths)}")
        if pool < 1:
            raise ValueError(f"a pool holds at least one batch, got {pool}")
        self._lengths, self._batch, self._seed, self._pool = lengths.cpu(), batch, seed, pool
        self._epoch = -1

    def batch_at(self, step: int) -> Int[Tensor, " batch"]:
        """Indices of the documents of ``step``."""
        epoch, position = divmod(step, len(self._lengths) // self._batch)
        if epoch != self._epoch:
            self._batches = self._shuffled(epoch)
            self._epoch = epoch
        return self._batches[position]

    def _shuffled(self, epoch: int) -> Int[Tensor, "step batch"]:
        generator = torch_stream(self._seed, "order", epoch)
        steps, population = len(self._lengths) // self._batch, len(self._lengths)
        chosen = torch.randperm(population, generator=generator)[: steps * self._batch]
        lengths = self._lengths[chosen]
        pool = torch.arange(len(chosen)) // (self._pool * self._batch)
        by_length = (pool * (lengths.max() + 1) + lengths).argsort(stable=True)
        batches = chosen[by_length].view(steps, self._batch)
        batches = batches[torch.randperm(steps, generator=generator)]
        within = torch.rand(batches.shape, generator=generator).argsort(1)
        return batches.gather(1, within)
