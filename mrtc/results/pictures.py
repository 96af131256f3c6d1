"""Pictures in a results file: what the model makes of the same codes and examples over beta.

The group ``pictures`` holds bytes of gray or of three colours, 0 for black and 255 for white:
``originals`` (picture_example), ``reconstructions`` (picture_beta, picture_example), ``samples``
(picture_beta, picture_sample) and ``traversals`` (picture_beta, picture_code, picture_value), each
with the axes of one image behind these. Their betas are some of the evaluated ones.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float, Int, UInt8

from mrtc.errors import ResultsError
from mrtc.files import write_atomically
from mrtc.results.header import to_json, versions
from mrtc.results.reader import opened
from mrtc.results.writer import reopen

GROUP = "pictures"
IMAGE_AXES = ("picture_row", "picture_column", "picture_channel")
IMAGES: dict[str, tuple[tuple[str, ...], str]] = {
    "originals": (("picture_example",), "examples"),
    "reconstructions": (
        ("picture_beta", "picture_example"),
        "means of the likelihood at the posterior means of the examples",
    ),
    "samples": (
        ("picture_beta", "picture_sample"),
        "means of the likelihood at draws from the prior, the same at every beta",
    ),
    "traversals": (
        ("picture_beta", "picture_code", "picture_value"),
        "means of the likelihood while one code moves and the others stay",
    ),
}
"""Axes and words of the arrays of images, by name."""
SCALES = {
    "beta": "rate weight of the pictures",
    "example": "index of the example in the data",
    "sample": "draw from the prior",
    "code": "code that moves",
    "value": "value of the code that moves, in standard deviations of the prior",
}
"""Words of the axes whose places have names."""


@dataclass(frozen=True, eq=False)
class StoredPictures:
    """Pictures of one model over beta; images are bytes, gray or with three channels at the end."""

    fingerprint: str
    """Names the weights that made them, as that of a results file does."""
    source: str
    """The data in words."""
    beta: Float[np.ndarray, " beta"]
    """Increasing."""
    example: Int[np.ndarray, " example"]
    """Which examples of the data are reconstructed."""
    code: Int[np.ndarray, " code"]
    """Which codes move."""
    value: Float[np.ndarray, " value"]
    """Where each of these moves to, in standard deviations of the prior."""
    originals: UInt8[np.ndarray, "example row column *channel"]
    reconstructions: UInt8[np.ndarray, "beta example row column *channel"]
    samples: UInt8[np.ndarray, "beta sample row column *channel"]
    traversals: UInt8[np.ndarray, "beta code value row column *channel"]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """How they were made, as JSON can hold it: ``seed``, ``traversed`` (index of an example)."""

    @property
    def scales(self) -> dict[str, np.ndarray]:
        """What stands at the places of each axis, by the names of ``SCALES``."""
        return {
            "beta": self.beta,
            "example": self.example,
            "sample": np.arange(self.samples.shape[1]),
            "code": self.code,
            "value": self.value,
        }


def write_pictures(path: Path | str, pictures: StoredPictures) -> None:
    """Adds pictures to a results file, in place of those that it has.

    Raises:
        ResultsError: If it is no results file, another process writes it, or the pictures are of
            another model or of betas that it does not hold.
        OutputError: If it cannot be written. It is then as it was.
    """
    path = Path(path)
    with reopen(path):  # for its lock: the file is read again below, under it
        with opened(path) as file:
            require_same_model(path, str(file.attrs["fingerprint"]), pictures.fingerprint)
            _require_betas(path, file, pictures.beta)
        buffer = io.BytesIO(path.read_bytes())
        with h5py.File(buffer, "r+") as file:
            if GROUP in file:
                del file[GROUP]
            _fill(file.create_group(GROUP, track_order=True), pictures)
        write_atomically(path, buffer.getbuffer())


def read_pictures(path: Path | str) -> StoredPictures | None:
    """The pictures of a results file; None where it has none.

    Raises:
        ResultsError: If the file is missing, damaged, foreign or too new.
    """
    with opened(Path(path)) as file:
        if GROUP not in file:
            return None
        group = file[GROUP]
        return StoredPictures(
            fingerprint=str(group.attrs["fingerprint"]),
            source=str(group.attrs["data_source"]),
            beta=group["picture_beta"][...],
            example=group["picture_example"][...],
            code=group["picture_code"][...],
            value=group["picture_value"][...],
            parameters=json.loads(group.attrs["parameters"]),
            **{name: group[name][...] for name in IMAGES},
        )


def require_same_model(path: Path, fingerprint: str, of_pictures: str) -> None:
    """Checks that pictures are of the weights that a results file was evaluated from.

    Raises:
        ResultsError: If they are not.
    """
    if fingerprint != of_pictures:
        raise ResultsError(
            f"the pictures are of another model than {path}: its weights are {fingerprint}, "
            f"theirs {of_pictures}; give the checkpoint that this file was evaluated from"
        )


def _require_betas(path: Path, file: h5py.File, beta: Float[np.ndarray, " beta"]) -> None:
    evaluated = file["beta"][...][file["evaluated"][...] == 1]
    missing = [one for one in beta.tolist() if not np.isclose(evaluated, one, atol=0).any()]
    if missing:
        raise ResultsError(
            f"{path} has no evaluated beta {', '.join(f'{one:g}' for one in missing)}, and the "
            "pictures have; make pictures at betas of the file"
        )


def _fill(group: h5py.Group, pictures: StoredPictures) -> None:
    group.attrs.update(
        fingerprint=pictures.fingerprint,
        data_source=pictures.source,
        parameters=to_json(pictures.parameters),
        versions=to_json(versions()),
    )
    scales = {f"picture_{name}": values for name, values in pictures.scales.items()}
    image = dict(zip(IMAGE_AXES, pictures.originals.shape[1:], strict=False))
    scales |= {name: np.arange(size) for name, size in image.items()}
    for name, values in scales.items():
        group.create_dataset(name, data=values).make_scale(name)
        group[name].attrs["units"] = "1"
        words = SCALES.get(name.removeprefix("picture_"))
        if words:
            group[name].attrs["long_name"] = words
    for name, (axes, words) in IMAGES.items():
        values = getattr(pictures, name)
        # A chunk a beta, as a reader goes from one to the next.
        chunk = (1, *values.shape[1:]) if axes[0] == "picture_beta" else values.shape
        dataset = group.create_dataset(
            name, data=values, chunks=chunk, compression="gzip", shuffle=False, track_order=True
        )
        for axis, scale in enumerate((*axes, *image)):
            dataset.dims[axis].attach_scale(group[scale])
        dataset.attrs.update(units="1", long_name=words, valid_range=np.array([0, 255], np.uint8))
