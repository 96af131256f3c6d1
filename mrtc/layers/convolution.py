"""Convolutions as few matrix products, on processors; torch's own routines elsewhere."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mrtc.layers.winograd import Bilinear, Window, algorithm

Convolution = nn.Conv2d | nn.ConvTranspose2d

LEAST_CHANNELS = 32
"""Of input and of output: with fewer, transforms cost more than products save."""

LEAST_BATCH = 64
"""With fewer examples, it is the weights' transform that costs more."""

LARGEST_MAP = 8
"""Side of the smaller of input and output. On larger ones arrays leave the caches."""


def apply_layer(
    layer: nn.Module, x: Float[Tensor, "batch *features"]
) -> Float[Tensor, "batch *out"]:
    """``layer(x)``, for a convolution by the fastest way there is for it."""
    if isinstance(layer, Convolution) and _is_ours(layer, x):
        side = max(_window(layer, x, axis).results for axis in (0, 1))
        if min(layer.weight.shape[:2]) >= LEAST_CHANNELS and side <= LARGEST_MAP:
            return convolve(layer, x)
        # Channels last, as there: ReLUs between two orders are slow in the gradient.
        x = x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    out: Tensor = layer(x)
    return out


def _is_ours(layer: Convolution, x: Tensor) -> bool:
    """Whether the order of memory is this module's to choose: torch is faster on other devices."""
    return (
        x.device.type == "cpu"
        and x.dtype == layer.weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and _is_plain(layer)
        and len(x) >= LEAST_BATCH
    )


def convolve(
    layer: Convolution, x: Float[Tensor, "batch channel height width"]
) -> Float[Tensor, "batch out_channel out_height out_width"]:
    """``layer(x)`` up to rounding, by the algorithm of :mod:`mrtc.layers.winograd`.

    A transposed convolution is the algorithm's transpose: one reads by the matrices with which the
    other writes. All steps are products of matrices, with autograd and vmap as torch has them, in
    memory in the order (height, width, example, channel). The result stays in that order, which
    what follows keeps, so that the next layer need not copy.

    Raises:
        ValueError: If the layer is dilated, has groups, or pads by other than zeros.
    """
    if not _is_plain(layer):
        raise ValueError(
            f"{layer} is dilated, has groups or pads by other than zeros, which this algorithm "
            "does not; call the layer itself"
        )
    is_transposed = isinstance(layer, nn.ConvTranspose2d)
    matrices = _matrices(
        _window(layer, x, 0),
        _window(layer, x, 1),
        str(x.dtype).removeprefix("torch."),
        is_transposed,
    )
    from_channels, to_channels = (0, 1) if is_transposed else (1, 0)
    weight = layer.weight.permute(2, 3, from_channels, to_channels)
    points = (matrices.kernel @ weight.flatten(0, 1).flatten(1)).reshape(-1, *weight.shape[2:])
    values = _along(matrices.input, x.permute(2, 3, 0, 1))
    products = torch.bmm(values.flatten(0, 1), points).reshape(*values.shape[:3], -1)
    out = _along(matrices.output, products)
    if layer.bias is not None:
        out = out + layer.bias
    return out.permute(2, 3, 0, 1)


def _is_plain(layer: Convolution) -> bool:
    return (
        type(layer) in (nn.Conv2d, nn.ConvTranspose2d)  # others may make their weights anew
        and layer.groups == 1
        and set(layer.dilation) == {1}
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
    )


def _window(layer: Convolution, x: Tensor, axis: int) -> Window:
    """Of the convolution, or of that whose transpose the layer is, along height or width."""
    side = x.shape[2 + axis]
    kernel, stride, padding = (
        int(sizes[axis]) for sizes in (layer.kernel_size, layer.stride, layer.padding)
    )
    if isinstance(layer, nn.ConvTranspose2d):
        out = (side - 1) * stride - 2 * padding + kernel + layer.output_padding[axis]
        return Window(out, kernel, stride, padding, results=side)
    return Window(
        side, kernel, stride, padding, results=(side + 2 * padding - kernel) // stride + 1
    )


class _Matrices(NamedTuple):
    """Of both axes; those of the kernel are one, as it is small."""

    input: tuple[Tensor, Tensor]
    kernel: Tensor
    output: tuple[Tensor, Tensor]


@lru_cache
def _matrices(height: Window, width: Window, dtype: str, is_transposed: bool) -> _Matrices:  # noqa: FBT001
    """Kept, so they are made outside of inference mode and by numpy, outside of transforms."""
    axes = [algorithm(height), algorithm(width)]
    if is_transposed:
        axes = [Bilinear(axis.output.T, axis.kernel, axis.input.T) for axis in axes]
    rows, columns = axes

    def tensor(matrix: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(matrix, dtype=dtype))

    with torch.inference_mode(mode=False):
        return _Matrices(
            (tensor(rows.input), tensor(columns.input)),
            tensor(np.kron(rows.kernel, columns.kernel)),
            (tensor(rows.output), tensor(columns.output)),
        )


def _along(
    matrices: tuple[Tensor, Tensor], x: Float[Tensor, "height width batch channel"]
) -> Float[Tensor, "new_height new_width batch channel"]:
    """Applies a matrix along each of the first two axes."""
    rows, columns = matrices
    height, width, *rest = x.shape
    half = (rows @ x.reshape(height, -1)).reshape(len(rows), width, -1)
    both = torch.bmm(columns.expand(len(rows), -1, -1), half)
    return both.reshape(len(rows), len(columns), *rest)
