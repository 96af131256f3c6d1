"""Tensors without numbers, and a ledger of the memory that they would take."""

from collections.abc import Callable, Sequence
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

    # What is called with it goes on to __torch_dispatch__; torch has no public name for that.
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
        options = kwargs or {}
        phantoms = [
            tensor for tensor in _tensors((*args, *options.values())) if isinstance(tensor, Phantom)
        ]
        ledger, device = phantoms[0].ledger, options.get("device") or phantoms[0].device
        contents = _mapped(_content, args)
        results = operation(
            *contents,
            **{
                name: "meta" if name == "device" else _mapped(_content, value)
                for name, value in options.items()
            },
        )
        # What works in place gives back its argument.
        known = {id(phantom.content): phantom for phantom in phantoms}
        left = _mapped(
            lambda result: (
                known[id(result)] if id(result) in known else Phantom(result, ledger, device)
            ),
            results,
        )
        ledger.pass_through(_workspace(operation, device, contents, results))
        return left


def _content(tensor: Tensor) -> Tensor:
    """The meta tensor; also of a constant, such as a matrix that a layer keeps."""
    return tensor.content if isinstance(tensor, Phantom) else tensor.to("meta")


def _tensors(values: Sequence[Any]) -> list[Tensor]:
    """Among arguments or results, and in lists of them."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif type(value) in (list, tuple):
            found += _tensors(value)
    return found


def _mapped(change: Callable[[Tensor], Tensor], values: Any) -> Any:  # noqa: ANN401 -- all that operations take and give
    """``values`` with every tensor changed."""
    if isinstance(values, Tensor):
        return change(values)
    if type(values) not in (list, tuple):
        return values
    return type(values)(
        _mapped(change, value) if isinstance(value, Tensor | list | tuple) else value
        for value in values
    )


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
        copied = _tensors((contents, results))
    return sum(part.numel() * part.itemsize for part in copied)


_MAPS_OF: dict[Callable[..., Any], int] = {
    torch.ops.aten.convolution.default: 0,
    torch.ops.aten.convolution_backward.default: 1,
}
"""Where among the arguments the maps are that a convolution reads; its weights come next."""
