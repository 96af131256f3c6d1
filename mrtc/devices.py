"""Where and in which precision the networks run."""

import ctypes
import os
import sys
from typing import Literal

import torch

from mrtc.errors import MrtcError

Precision = Literal["auto", "fp32", "bf16"]


def resolve_device(name: torch.device | str) -> torch.device:
    """The device of that name; ``"auto"`` is the GPU where there is one.

    Of several processes that ``torchrun`` or ``accelerate launch`` started, each has its own GPU.

    Raises:
        MrtcError: If the device is unknown, or not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if str(name) == "cuda" and "LOCAL_RANK" in os.environ:
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise MrtcError(
            f"the device {name!r} cannot be used here: {reason}; choose cpu, cuda or auto"
        ) from None
    return device


def is_first_process() -> bool:
    """Whether this is the first, or the only one, of the processes that train together."""
    return int(os.environ.get("RANK", "0")) == 0


def processes() -> int:
    """Processes that train together; one alone is one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def leave_processes() -> None:
    """Says goodbye to the other processes, if there are any; torch warns where that is left out."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def keep_freed_memory() -> bool:
    """Has the C library keep what large arrays leave, for the next step's; says whether it does.

    By default it gives them back to the system and gets them again page by page, 20 to 30 ms of a
    step of convolutions. The peak stays what it is. Elsewhere than with glibc nothing is done.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    from_heap, kept = mallopt(_MMAP_THRESHOLD, 2**30), mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    return bool(from_heap and kept)


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as malloc.h numbers them


def resolve_precision(precision: Precision, device: torch.device) -> Literal["fp32", "bf16"]:
    """``"auto"`` is bfloat16 where the device multiplies in it, float32 elsewhere."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    # Without matrix units (AMX), processors that have bfloat16 instructions ran these networks at
    # half the speed of float32.
    has_matrix_units = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return "bf16" if device.type == "cpu" and has_matrix_units() else "fp32"


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """A context in which matrix products run in bfloat16, if ``precision`` resolves to that."""
    enabled = resolve_precision(precision, device) == "bf16"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)
