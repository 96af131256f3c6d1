"""Datasets by name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from mrtc.datasets import dsprites
from mrtc.datasets.dsprites import DSprites
from mrtc.errors import DataError


@dataclass(frozen=True)
class Entry:
    """A dataset that can be asked for by name."""

    summary: str
    """What it is and where it comes from, in a line."""
    load: Callable[..., DSprites]
    """From a path, or from where it comes by itself."""


DATASETS = {
    "dsprites": Entry(
        "737,280 binary images of 64 x 64, the full grid of 5 factors; rendered, or --data FILE",
        dsprites.load,
    )
}


def load_data(
    name: str, path: Path | str | None, device: torch.device, *, quiet: bool = False
) -> DSprites:
    """The dataset ``name`` on ``device``.

    Raises:
        DataError: If there is no such dataset, or what ``path`` holds cannot be used.
    """
    if name not in DATASETS:
        raise DataError(f"there is no dataset {name!r}; choose among {', '.join(DATASETS)}")
    return DATASETS[name].load(None if path is None else Path(path), quiet=quiet).to(device)
