"""What chance decides of a step: its examples, their betas, and the noise of their codes."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from mrtc.datasets.examples import DrawnExamples, Examples
from mrtc.randomness import torch_stream
from mrtc.training.engine import Share
from mrtc.vae import VAE


@dataclass(frozen=True)
class Draws:
    """All of a step, or a part of it; the same on every process."""

    index: Int[Tensor, " batch"]
    seen: Shaped[Tensor, "batch *event"] | None
    """Examples that are drawn anew at each step; ``None`` where they are fixed."""
    beta: Float[Tensor, " group"]
    """One for each of equal groups of consecutive examples."""
    noise: Float[Tensor, "batch code"]

    @classmethod
    def at(
        cls,
        step: int,
        index: Int[Tensor, " batch"],
        examples: Examples,
        vae: VAE,
        *,
        betas: int,
        seed: int,
    ) -> "Draws":
        """Those of ``step``, which depend on it and on the seed alone.

        Args:
            step: Counted from 0.
            index: Of its examples, on the device.
            examples: The dataset.
            vae: Whose codes and betas are drawn.
            betas: Of the batch.
            seed: Of the run.
        """

        def stream(name: str) -> torch.Generator:
            return torch_stream(seed, name, step, device=index.device)

        shape = len(index), vae.codes
        return cls(
            index,
            examples.draw(index, stream("draw")) if isinstance(examples, DrawnExamples) else None,
            vae.betas.draw(betas, stream("beta")),
            torch.randn(shape, generator=stream("posterior"), device=index.device),
        )

    def parts(self, count: int) -> Iterator["Draws"]:
        """Equal parts, of consecutive examples each."""
        batch = len(self.index)
        size = batch // count
        for first in range(0, batch, size):
            rows = slice(first, first + size)
            yield Draws(
                self.index[rows],
                None if self.seen is None else self.seen[rows],
                self._betas_of(rows),
                self.noise[rows],
            )

    def examples(self, examples: Examples, share: Share) -> Shaped[Tensor, "share *event"]:
        """A process's share of them."""
        if self.seen is not None:
            return share.of(self.seen)
        return examples.images(share.of(self.index))

    def _betas_of(self, rows: slice) -> Float[Tensor, " own_group"]:
        size, of_one = rows.stop - rows.start, len(self.index) // len(self.beta)
        own = self.beta.repeat_interleave(of_one)[rows]
        if size % of_one == 0:
            return own[::of_one]
        return own[:1] if of_one % size == 0 else own
