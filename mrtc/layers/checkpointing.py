"""Cells that keep their input alone, and compute all behind it again for the gradient."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from mrtc.errors import MrtcError


class Recomputable(nn.Module):
    """A module whose activations need not be kept, see :func:`recompute_activations`.

    Its ``forward`` takes tensors by position and draws no random numbers. It may update buffers,
    as batch normalisation does: computed again, it updates copies, which are thrown away.
    """

    recomputes = False
    """Whether a pass that has a gradient keeps the input alone."""

    def __call__(self, *inputs: Any) -> Any:  # noqa: ANN401 -- as torch has it
        """The module's output, as without recomputation, bit for bit."""
        if not (self.recomputes and torch.is_grad_enabled()):
            return super().__call__(*inputs)
        return checkpoint(
            super().__call__,
            *inputs,
            use_reentrant=False,
            preserve_rng_state=False,
            context_fn=lambda: (nullcontext(), _buffers_kept(self)),
        )


@contextmanager
def recompute_activations(model: nn.Module, *, on: bool = True) -> Iterator[None]:
    """Within, the cells of ``model`` keep their inputs alone; the gradient computes the rest again.

    Memory falls to that of one cell at a time and the inputs of all, for one more forward pass in
    each step. Weights, running statistics and gradients are the same, bit for bit on a CPU.

    Args:
        model: With modules that are :class:`Recomputable`.
        on: Whether they do so; ``False`` keeps all activations.

    Raises:
        MrtcError: If it has no such modules, and ``on`` is set.

    References:
        Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.
    """
    cells = [module for module in model.modules() if isinstance(module, Recomputable)]
    if on and not cells:
        raise MrtcError(
            "the activations of this model cannot be computed again: none of its "
            f"{sum(1 for _ in model.modules())} layers is a cell that can; leave checkpointing "
            "out, or train a hierarchy (--arch nvae)"
        )
    before = [cell.recomputes for cell in cells]
    try:
        for cell in cells:
            cell.recomputes = on
        yield
    finally:
        for cell, recomputes in zip(cells, before, strict=True):
            cell.recomputes = recomputes


@contextmanager
def _buffers_kept(module: nn.Module) -> Iterator[None]:
    """Within, what updates buffers updates copies: a batch counts once in running statistics.

    Leaving the statistics out instead would keep fewer arrays than the first pass, and torch
    matches those by their order.
    """
    kept = [
        (owner, name, buffer)
        for owner in module.modules()
        for name, buffer in owner.named_buffers(recurse=False)
    ]
    try:
        for owner, name, buffer in kept:
            setattr(owner, name, buffer.clone())
        yield
    finally:
        for owner, name, buffer in kept:
            setattr(owner, name, buffer)
