"""Datasets by name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from mrtc.datasets import (
    binarized_mnist,
    celeba,
    cifar,
    dsprites,
    mnist,
    omniglot,
    omniglot_28,
    own,
    svhn,
)
from mrtc.datasets.binarised import Binarised
from mrtc.datasets.documents import Documents
from mrtc.datasets.examples import Images
from mrtc.datasets.flipped import Flipped
from mrtc.datasets.images import ByteImages
from mrtc.datasets.text import Part, load_text
from mrtc.datasets.vocabulary import Vocabulary
from mrtc.errors import DataError, MrtcError

if TYPE_CHECKING:
    from mrtc.experiments.config import RunConfig

Data = Images | Documents
Load = Callable[..., Data]
"""From a path, or from where the data come by themselves; with the part, where there are parts."""


@dataclass(frozen=True)
class Entry:
    """A dataset that can be asked for by name."""

    summary: str
    """What it is and where it comes from, in a line."""
    load: Load
    image_shape: tuple[int, ...]
    """Of one example; empty for the user's own."""
    factors: tuple[str, ...] = ()
    """Its known factors; empty where there are none."""
    parts: tuple[str, ...] = ()
    """Of its split, that for training first, that for testing last; empty where there is none."""

    @property
    def default_part(self) -> str | None:
        """Where a model is evaluated unless told otherwise: the test part."""
        return self.parts[-1] if self.parts else None


def _binarised(load: Callable[..., ByteImages]) -> Load:
    """Grey images as probabilities: drawn anew in training, once for evaluation."""

    def binarised(path: Path | None, part: str, *, quiet: bool) -> Images:
        return Binarised(load(path, part, quiet=quiet), is_fresh=part == "train")

    return binarised


def _flipped(load: Callable[..., Images]) -> Load:
    """Mirrored at random in training."""

    def flipped(path: Path | None, part: str, *, quiet: bool) -> Images:
        images = load(path, part, quiet=quiet)
        return Flipped(images) if part == "train" else images

    return flipped


def _text(name: str) -> Load:
    def documents(path: Path | None, part: Part, *, quiet: bool, **options: Any) -> Documents:  # noqa: ANN401, ARG001 -- reading takes a second
        return load_text(path, part, name=name, **options)

    return documents


TWO, THREE = ("train", "test"), ("train", "valid", "test")

DATASETS = {
    "dsprites": Entry(
        "737,280 binary images of 64 x 64, the full grid of 5 factors; rendered, or --data FILE",
        dsprites.load,
        dsprites.DSprites.image_shape,
        factors=dsprites.DSprites.grid.names,
    ),
    "binarized-mnist": Entry(
        "70,000 binary images of 28 x 28, Larochelle and Murray's fixed binarisation; downloaded, "
        "or --data FOLDER",
        binarized_mnist.load,
        (1, 28, 28),
        parts=THREE,
    ),
    "mnist": Entry(
        "70,000 digits of 28 x 28, in training binarised anew at every access; downloaded, or "
        "--data FOLDER",
        _binarised(mnist.load),
        (1, 28, 28),
        parts=TWO,
    ),
    "omniglot": Entry(
        "32,415 characters of 28 x 28 as Burda et al. have them, in training binarised anew; "
        "downloaded, or --data FOLDER",
        _binarised(omniglot.load),
        (1, 28, 28),
        parts=TWO,
    ),
    "omniglot-28": Entry(
        "32,460 characters made 28 x 28 from the official drawings, in training binarised anew; "
        "downloaded, or --data FOLDER",
        _binarised(omniglot_28.load),
        (1, 28, 28),
        parts=TWO,
    ),
    "cifar10": Entry(
        "60,000 photographs of 32 x 32, in training mirrored at random; downloaded, or --data "
        "FOLDER",
        _flipped(cifar.load),
        (3, 32, 32),
        parts=TWO,
    ),
    "svhn": Entry(
        "99,289 house numbers of 32 x 32; downloaded, or --data FOLDER",
        svhn.load,
        (3, 32, 32),
        parts=TWO,
    ),
    "celeba": Entry(
        "202,599 faces, cut and scaled to 64 x 64, with 40 attributes, in training mirrored at "
        "random; --data FOLDER",
        _flipped(celeba.load),
        (3, 64, 64),
        parts=THREE,
    ),
    "images": Entry(
        "your own: name a folder of images, a .zip, .npz or .h5 in place of a dataset",
        own.load,
        (),
        parts=TWO,
    ),
    "yahoo": Entry(
        "120,000 Yahoo answers, with rare words replaced; --data FOLDER",
        _text("yahoo"),
        (),
        parts=THREE,
    ),
    "ptb": Entry(
        "49,199 sentences of the Penn Treebank, with rare words replaced; --data FOLDER",
        _text("ptb"),
        (),
        parts=THREE,
    ),
    "text": Entry(
        "your own documents: name a text file, one a line, or a folder of train.txt and so on",
        _text("text"),
        (),
        parts=THREE,
    ),
}


def load_data(
    name: str,
    path: Path | str | None,
    device: torch.device,
    *,
    part: str | None = None,
    quiet: bool = False,
    **options: Any,  # noqa: ANN401 -- each dataset checks its own
) -> Data:
    """The dataset ``name`` on ``device``.

    Args:
        name: Of ``DATASETS``.
        path: Official files at hand.
        device: Where its examples are to be made.
        part: Of its split; by default that for training, or the whole where there is no split.
        quiet: Show no progress.
        options: Of the user's own images, see :func:`mrtc.datasets.own.load`, or of documents, see
            :func:`mrtc.datasets.text.load_text`.

    Raises:
        DataError: If there is no such dataset or part, or what ``path`` holds cannot be used.
    """
    if name not in DATASETS:
        raise DataError(f"there is no dataset {name!r}; choose among {', '.join(DATASETS)}")
    entry = DATASETS[name]
    if part is not None and part not in entry.parts:
        parts = ", ".join(entry.parts) or "none, it is one whole: leave out --part"
        raise DataError(f"{name} has no part {part!r}; its parts are {parts}")
    if entry.parts:
        options["part"] = part or entry.parts[0]
    path = None if path is None else Path(path)
    return entry.load(path, **options, quiet=quiet).to(device)


def load_for(
    config: "RunConfig",
    path: Path | str | None,
    device: torch.device,
    *,
    part: str | None = None,
    vocabulary: str = "",
    quiet: bool = False,
) -> Data:
    """The data of a run, on ``device``; arguments and errors as for :func:`load_data`.

    ``vocabulary`` is that of the run's checkpoint, as JSON; to begin a run it is left out.
    """
    options: dict[str, Any] = {}
    if config.text is not None:
        options["config"] = config.text
        if vocabulary:
            options["vocabulary"] = Vocabulary.from_json(vocabulary)
    if config.dataset == "images":
        options["skip_broken"] = config.skip_broken
        if config.image_size is not None:
            options["size"] = config.image_size
    return load_data(config.dataset, path, device, part=part, quiet=quiet, **options)


def load_images(
    config: "RunConfig",
    path: Path | str | None,
    device: torch.device,
    *,
    part: str | None = None,
    quiet: bool = False,
) -> Images:
    """As :func:`load_for`, of a run on images.

    Raises:
        MrtcError: If it is one on documents.
    """
    found = load_for(config, path, device, part=part, quiet=quiet)
    if isinstance(found, Documents):
        raise _not_images(config)
    return found


def require_images(config: "RunConfig") -> None:
    """Checks that a run is one on images.

    Raises:
        MrtcError: If it is one on documents.
    """
    if config.text is not None:
        raise _not_images(config)


def _not_images(config: "RunConfig") -> MrtcError:
    return MrtcError(
        f"this is for images, and the model is one of documents ({config.dataset}); give a "
        "checkpoint of a model of images"
    )
