"""Datasets by name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mrtc.datasets import binarized_mnist, dsprites
from mrtc.datasets.binarized_mnist import BinarizedMNIST
from mrtc.datasets.dsprites import DSprites
from mrtc.errors import DataError

Dataset = DSprites | BinarizedMNIST


@dataclass(frozen=True)
class Entry:
    """A dataset that can be asked for by name."""

    summary: str
    """What it is and where it comes from, in a line."""
    load: Callable[..., Dataset]
    """From a path, or from where it comes by itself."""
    image_shape: tuple[int, ...]
    """Of one example."""
    factors: tuple[str, ...] = ()
    """Its known factors; empty where there are none."""
    parts: tuple[str, ...] = ()
    """Of the official split, that for training first, that for testing last; empty where there is
    none."""

    @property
    def default_part(self) -> str | None:
        """Where a model is evaluated unless told otherwise: the test part."""
        return self.parts[-1] if self.parts else None


DATASETS = {
    "dsprites": Entry(
        "737,280 binary images of 64 x 64, the full grid of 5 factors; rendered, or --data FILE",
        dsprites.load,
        DSprites.image_shape,
        factors=DSprites.grid.names,
    ),
    "binarized-mnist": Entry(
        "70,000 binary images of 28 x 28, Larochelle and Murray's fixed binarisation; downloaded, "
        "or --data FOLDER",
        binarized_mnist.load,
        BinarizedMNIST.image_shape,
        parts=("train", "valid", "test"),
    ),
}


def load_data(
    name: str,
    path: Path | str | None,
    device: torch.device,
    *,
    part: str | None = None,
    quiet: bool = False,
) -> Dataset:
    """The dataset ``name`` on ``device``.

    Args:
        name: Of ``DATASETS``.
        path: Official files at hand.
        device: Where its examples are to be made.
        part: Of its split; by default that for training, or the whole where there is no split.
        quiet: Show no progress.

    Raises:
        DataError: If there is no such dataset or part, or what ``path`` holds cannot be used.
    """
    if name not in DATASETS:
        raise DataError(f"there is no dataset {name!r}; choose among {', '.join(DATASETS)}")
    entry = DATASETS[name]
    if part is not None and part not in entry.parts:
        parts = ", ".join(entry.parts) or "none, it is one whole: leave out --part"
        raise DataError(f"{name} has no part {part!r}; its parts are {parts}")
    choice: dict[str, Any] = {"part": part or entry.parts[0]} if entry.parts else {}
    path = None if path is None else Path(path)
    return entry.load(path, **choice, quiet=quiet).to(device)
