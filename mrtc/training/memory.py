"""What a training step will need of memory, known before the first."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import astuple, dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mrtc.devices import Precision, autocast, resolve_device
from mrtc.distributions import DiagonalGaussian
from mrtc.layers.checkpointing import recompute_activations
from mrtc.objectives import ObjectiveConfig, objective_terms
from mrtc.training.phantoms import Ledger, Phantom
from mrtc.vae import VAE


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes in use at the fullest moment of a training step, by what they hold."""

    weights: int
    """With the statistics of normalisation."""
    gradients: int
    """Of weights: those that there are at that moment, as most replace activations."""
    optimizer: int
    """Its moments of the gradients."""
    activations: int
    """Kept from the forward pass for the gradient, the batch among them."""
    temporary: int
    """All else: what operations work on at that moment."""

    @property
    def total(self) -> int:
        """All of them."""
        return sum(astuple(self))

    def __str__(self) -> str:
        parts = ("weights", "gradients", "optimiser", "activations", "temporary arrays")
        shown = ", ".join(
            f"{_gib(size)} of {part}"
            for part, size in zip(parts, astuple(self), strict=True)
            if size >= 2**30 / 100
        )
        return f"a step needs about {_gib(self.total)} GiB: {shown}"


def estimate_memory(
    vae: VAE,
    batch: int,
    shape: tuple[int, ...],
    *,
    optimizer: Callable[[VAE], torch.optim.Optimizer],
    objective: ObjectiveConfig | None = None,
    precision: Precision = "auto",
    accumulate: int = 1,
    checkpointing: bool = False,
    device: torch.device | str = "cpu",
) -> MemoryEstimate:
    """The memory of a training step, found by going through one without its arithmetic.

    A copy of the model whose weights have no numbers takes the step, and every array that it would
    allocate or free is booked. Not seen are most workspaces inside of operations, and what the
    process has before it trains: libraries, the dataset, and on a GPU its context. On a processor
    the holes between arrays come on top, which the C library's heap has: a tenth to a half of it,
    and with ``checkpointing`` up to as much again.

    Args:
        vae: The model; it stays as it is, and may be on any device.
        batch: Examples in a step, of this process.
        shape: Of one example.
        optimizer: Makes that of a model, as training does.
        objective: What is minimised; the beta-VAE's where it is left out.
        precision: Of matrix products.
        accumulate: Equal parts of the batch that go through the networks one after another.
        checkpointing: Whether activations are computed again, see :func:`recompute_activations`.
        device: Where it is trained.

    Raises:
        MrtcError: If the device is not there, or ``checkpointing`` is not for this model.
        TypeError: If the examples are documents: their lengths, which differ, are what counts.
        ValueError: If the batch cannot be cut into so many parts.
    """
    if vae.likelihood == "tokens":
        raise TypeError(
            "the memory of a step on documents depends on their lengths, which differ from step "
            "to step, so there is no estimate; measure a step with the longest"
        )
    if accumulate < 1 or batch < 1 or batch % accumulate:
        raise ValueError(
            f"a batch of {batch} cannot be cut into {accumulate} equal parts; choose a number of "
            "parts that divides it"
        )
    device = torch.empty(0, device=resolve_device(device)).device  # with its number
    ledger = Ledger()
    copy = _phantom_copy(vae, ledger, device).train()
    weights = _blocks((*copy.parameters(), *copy.buffers()))
    part = batch // accumulate
    x, noise, beta = (
        ledger.empty(part, *sizes, device=device) for sizes in (shape, (vae.codes,), ())
    )
    # torch's own normalisation needs what cuDNN's needs, but for which there are no meta tensors.
    with (
        torch.enable_grad(),
        torch.backends.cudnn.flags(enabled=False),
        recompute_activations(copy, on=checkpointing),
    ):
        with autocast(precision, device):
            out = copy(x, beta, noise)
        terms = objective_terms(
            objective or ObjectiveConfig("beta"),
            distortion=out.distortion,
            posterior=DiagonalGaussian(out.mean, out.log_sigma),
            z=out.z,
            beta=beta,
            population=part,
        )
        loss = terms["objective"].mean()
        kept = set(_in_use(ledger.events))
        # torch gives backward() no type.
        loss.backward()  # type: ignore[no-untyped-call]
    del out, terms, loss
    gradients = _blocks(p.grad for p in copy.parameters() if p.grad is not None)
    updates = optimizer(copy)
    updates.step()
    state = _blocks(
        entry
        for entries in updates.state.values()
        for entry in entries.values()
        if isinstance(entry, Tensor)
    )
    # From the second part of a batch on there are the gradients of those before it.
    in_use = _fullest(ledger, always=state if accumulate == 1 else state | gradients)

    def total(role: set[int]) -> int:
        return sum(in_use[block] for block in role & in_use.keys())

    first = weights | gradients | state
    return MemoryEstimate(
        weights=total(weights),
        gradients=total(gradients),
        optimizer=total(state),
        activations=total(kept - first),
        temporary=total(set(in_use) - first - kept),
    )


def _phantom_copy(vae: VAE, ledger: Ledger, device: torch.device) -> VAE:
    """The model without numbers; weights that are shared stay so."""
    phantoms: dict[int, Tensor] = {}
    for tensor in (*vae.parameters(), *vae.buffers()):
        phantom: Tensor = ledger.phantom_of(tensor, device)
        if isinstance(tensor, nn.Parameter):
            phantom = nn.Parameter(phantom, requires_grad=tensor.requires_grad)
        phantoms[id(tensor)] = phantom
    # What is in the memory of a deep copy counts as copied.
    return deepcopy(vae, phantoms)


def _fullest(ledger: Ledger, always: set[int]) -> dict[int, int]:
    """The blocks in use when most memory is, with their bytes.

    Args:
        ledger: Of a step.
        always: Blocks that are there from the start, as the optimiser's are in all steps but the
            first, to the end.
    """
    early = [(block, size) for block, size in ledger.events if block in always and size > 0]
    events = early + [event for event in ledger.events if event[0] not in always]
    last = int(np.cumsum([size for _, size in events]).argmax())
    return _in_use(events[: last + 1])


def _in_use(events: list[tuple[int, int]]) -> dict[int, int]:
    """The blocks in use after these events, with their bytes."""
    in_use: dict[int, int] = {}
    for block, size in events:
        if size > 0:
            in_use[block] = size
        else:
            in_use.pop(block, None)
    return in_use


def _blocks(tensors: Iterable[Tensor]) -> set[int]:
    """Where phantoms lie; other tensors are numbers that an optimiser keeps for itself."""
    return {tensor.block.number for tensor in tensors if isinstance(tensor, Phantom)}


def _gib(size: int) -> str:
    return f"{size / 2**30:.2f}"
