"""Convolutions of small maps by matrix products, for processors; elsewhere torch's own."""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mrtc.layers.winograd import Bilinear, Window, algorithm


class _Matrices(NamedTuple := tuple):  # placeholder
    pass
