"""Binary images as bits: eight pixels a byte, unpacked on the device they lie on."""

import zlib
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor


def unpack(packed: UInt8[Tensor, "batch byte"]) -> Float[Tensor, "batch pixel"]:
    """Pixels in {0, 1} from bytes as ``np.packbits`` makes them, on the same device."""
    # By a table: 12 ms for 2048 images of 64 x 64 on two threads, against 15 ms by shifting bits
    # (17 and 30 ms on one). index_select, since indexing by brackets takes 20 ms.
    bits = _bits_of_bytes(packed.device).index_select(0, packed.flatten().int())
    return bits.reshape(len(packed), 8 * packed.shape[1])


def checksum(packed: UInt8[Tensor, "example byte"]) -> str:
    """CRC-32 of packed images, as ``crc32:`` and eight hexadecimal digits."""
    return f"crc32:{zlib.crc32(packed.numpy(force=True).data):08x}"


@lru_cache
def _bits_of_bytes(device: torch.device) -> Float[Tensor, "256 8"]:
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    return torch.from_numpy(bits).to(device, torch.float32)
