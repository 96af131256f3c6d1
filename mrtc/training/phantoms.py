"""Tensors without numbers, and a ledger of the memory that they would take."""

from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor


class Ledger:
    """What a computation on phantoms allocates and frees, in its order."""

    def __init__(self) -> None:
        self.events: list[tuple[int, int]] = []
        """The number of a block, and its bytes: those of one that is freed are negative."""
        self.blocks = 0
        """Allocated so far; they are numbered from 0."""
        self._alive: WeakValueDictionary[int, _Block] = WeakValueDictionary()

    def phantom_of(self, tensor: Tensor, device: torch.device) -> "Phantom":
        """A phantom of that size and type; it is allocated here, and not a view of anything."""
        content = torch.empty_strided(
            tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta"
        )
        return Phantom(content, self, device)

    def empty(self, *sizes: int, device: torch.device) -> "Phantom":
        """A phantom of float32 numbers."""
        return Phantom(torch.empty(sizes, dtype=torch.float32, device="meta"), self, device)

    def pass_through(self, size: int) -> None:
        """Books bytes that an operation takes and gives back, after its results are there."""
        if size:
            self.events += [(self.blocks, size), (self.blocks, -size)]
            self.blocks += 1

    def block_of(self, content: Tensor) -> "_Block":
        """The memory of a meta tensor, which its views share; booked when it is seen first."""
        storage = content.untyped_storage()
        # A number is used again only when its storage is gone, and the block with it.
        block = self._alive.get(storage._cdata)
        if block is None:
            block = _Block(self.events, self.blocks, storage.nbytes())
            self._alive[storage._cdata] = block
            self.blocks += 1
        return block


class _Block:
    """Memory, from the first phantom that lies in it to the last."""

    def __init__(self, events: list[tuple[int, int]], number: int, size: int) -> None:
        self.number, self._events, self._size = number, events, size
        events.append((number, size))

    def __del__(self) -> None:
        self._events.append((self.number, -self._size))


class Phantom(Tensor):
    """A tensor that says it is on a device, and has shape and type but no numbers.

    What is computed with it takes the way that it would on that device, autograd and autocast
    included, which torch's meta tensors do not: these stand behind it and say what comes out of
    each operation.
    """

    content: Tensor
    ledger: Ledger
    block: _Block

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(
        cls: type["Phantom"], content: Tensor, ledger: Ledger, device: torch.device
    ) -> "Phantom":
        """Around a meta tensor."""
        made: Phantom = Tensor._make_wrapper_subclass(
            cls,
            content.shape,
            strides=content.stride(),
            storage_offset=content.storage_offset(),
            dtype=content.dtype,
            device=device,
        )
        made.content, made.ledger, made.block = content, ledger, ledger.block_of(content)
        return made

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # torch's type is of a method
        cls,
        operation: Callable[..., Any],
        types: Any,  # noqa: ANN401 -- torch passes it
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 -- whatever the operation gives
        """The operation on the meta tensors, with phantoms around what is new."""
        known: dict[int, Phantom] = {}

        def enter(tensor: Tensor) -> Tensor:
            if isinstance(tensor, Phantom):
                known[id(tensor.content)] = tensor
                return tensor.content
            return tensor.to("meta")  # a constant, such as a matrix that a layer keeps

        options = {name: _mapped(enter, value) for name, value in (kwargs or {}).items()}
        contents = tuple(_mapped(enter, arg) for arg in args)
        results = operation(
            *contents, **(options | {"device": "meta"} if "device" in options else options)
        )
        first = next(iter(known.values()))
        device = options.get("device") or first.device

        def leave(tensor: Tensor) -> Tensor:
            # What works in place gives back its argument.
            own = known.get(id(tensor))
            return Phantom(tensor, first.ledger, device) if own is None else own

        left = _mapped(leave, results)
        first.ledger.pass_through(_workspace(operation, device, contents, results))
        return left


def _mapped(change: Callable[[Tensor], Tensor], values: Any) -> Any:  # noqa: ANN401 -- all that operations take and give
    """``values`` with every tensor changed."""
    if isinstance(values, Tensor):
        return change(values)
    if isinstance(values, list):
        return [_mapped(change, value) for value in values]
    return tuple(_mapped(change, value) for value in values) if type(values) is tuple else values


def _workspace(
    operation: Callable[..., Any],
    device: torch.device,
    contents: tuple[Any, ...],
    results: Any,  # noqa: ANN401 -- whatever the operation gives
) -> int:
    """Bytes inside of an operation: those that matter are of convolutions on processors.

    Their library works in an order of memory of its own, so weights are copied, and maps as well,
    unless their channels come last.
    """
    first = _MAPS_OF.get(operation)
    if device.type != "cpu" or first is None:
        return 0
    maps, weight = contents[first : first + 2]
    copied = [weight]
    if maps.ndim != 4 or not maps.is_contiguous(memory_format=torch.channels_last):
        tensors = (*contents, *(results if isinstance(results, tuple) else (results,)))
        copied = [part for part in tensors if isinstance(part, Tensor)]
    return sum(part.numel() * part.itemsize for part in copied)


_MAPS_OF: dict[Callable[..., Any], int] = {
    torch.ops.aten.convolution.default: 0,
    torch.ops.aten.convolution_backward.default: 1,
}
"""Where among the arguments the maps are that a convolution reads; its weights come next."""
