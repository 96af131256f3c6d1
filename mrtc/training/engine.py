"""The engine that training runs on."""

import torch
from accelerate import Accelerator

from mrtc.errors import MrtcError


def accelerator(device: torch.device) -> Accelerator:
    """The engine for ``device``; precision is left to :mod:`mrtc.devices`.

    Raises:
        MrtcError: If this is one of several processes: they would train on the same examples.
    """
    engine = Accelerator(cpu=device.type == "cpu", mixed_precision="no")
    if engine.num_processes > 1:
        raise MrtcError(
            f"training runs in one process, and this is one of {engine.num_processes}; start "
            "it without `accelerate launch` or `torchrun`"
        )
    return engine
