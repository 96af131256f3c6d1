"""The engine that training runs on: one process, or several that share every batch."""

from typing import Any

import torch
import torch.distributed as dist
from accelerate import Accelerator
from jaxtyping import Float, Shaped
from torch import Tensor

from mrtc.errors import MrtcError
from mrtc.vae import Pass


def accelerator(device: torch.device) -> Accelerator:
    """The engine for ``device``; precision is left to :mod:`mrtc.devices`."""
    return Accelerator(cpu=device.type == "cpu", mixed_precision="no")


class Share:
    """This process's part of every batch, and the way back to the whole.

    Each of W processes takes B / W consecutive examples through the networks. What comes out is
    gathered, with gradients, so every process computes the loss of the whole batch: estimates of
    q(z) see all of it, and W processes train as one would.

    Args:
        engine: Of this process.
        batch: Examples in a step, over all processes.

    Raises:
        MrtcError: If the processes cannot share a batch equally.
    """

    def __init__(self, engine: Accelerator, batch: int) -> None:
        self._engine, self._processes = engine, engine.num_processes
        if batch % self._processes:
            raise MrtcError(
                f"a batch of {batch} cannot be shared by {self._processes} processes; choose a "
                "--batch that they divide"
            )
        own = batch // self._processes
        self._rows = slice(engine.process_index * own, (engine.process_index + 1) * own)
        self._batch = batch

    def of(self, whole: Shaped[Tensor, "batch *axes"]) -> Shaped[Tensor, "share *axes"]:
        """This process's rows."""
        return whole[self._rows]

    def of_groups(self, beta: Float[Tensor, " group"]) -> Float[Tensor, " own_group"]:
        """The betas of this process's examples: one for each of equal groups of them."""
        if self._processes == 1:
            return beta
        examples = self._batch // len(beta)
        own = self.of(beta.repeat_interleave(examples))
        if len(beta) % self._processes == 0:
            return own[::examples]
        return own[:1] if self._processes % len(beta) == 0 else own

    def gather(self, out: Pass) -> Pass:
        """The passes of all processes, in the order of the batch."""
        if self._processes == 1:
            return out
        # torch gives apply() no type.
        return Pass(*(_AllRows.apply(part.contiguous()) for part in out))  # type: ignore[no-untyped-call]

    def any(self, *asked: bool) -> list[bool]:
        """Whether any process says yes, to each question: all go on from the same answers."""
        if self._processes == 1:
            return list(asked)
        flags = torch.tensor(asked, dtype=torch.float32, device=self._engine.device)
        return [bool(flag) for flag in self._engine.reduce(flags, "sum") > 0]


class _AllRows(torch.autograd.Function):
    """The rows of all processes; a gradient of any process reaches the rows of every other."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:  # noqa: ANN401 -- torch gives it no type
        parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, rows)
        ctx.own = slice(len(rows) * dist.get_rank(), len(rows) * (dist.get_rank() + 1))
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # noqa: ANN401 -- as above
        total = grad.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total[ctx.own]
