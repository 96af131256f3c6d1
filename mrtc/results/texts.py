"""Texts that models of documents made, with their betas: as arrays, and as a group of a file.

The group ``texts`` holds a group for each table, ``prior_greedy``, say. In it are the dimensions
``row`` (a model at a beta), ``column`` and, where something was encoded, ``encoded``; the
variables ``text`` (row, column), ``model``, ``fingerprint`` and ``row_beta`` (row), ``label``
(column), ``original`` (encoded) and ``rate`` (row, encoded). Strings are UTF-8. No name is one of
the evaluation's dimensions, which groups inherit.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

import h5py
import numpy as np
from jaxtyping import Float

from mrtc.results.header import to_json, versions
from mrtc.results.schema import BAE

GROUP = "texts"

LONG_NAMES = {
    "text": "text that a model makes of a code",
    "model": "model",
    "fingerprint": "digest of the model's weights",
    "row_beta": "rate weight",
    "label": "what the column shows",
    "original": "text that is encoded, as the models read it",
    "rate": "rate of each text that is encoded",
}
UNITS = {"row_beta": "1", "rate": "nats"}


@dataclass(frozen=True)
class ModelTexts:
    """Texts of one model, a row for each beta.

    Raises:
        ValueError: If texts or rates do not match the betas.
    """

    name: str
    """Of the model."""
    beta: Float[np.ndarray, " beta"]
    """Increasing; a baseline has one."""
    texts: tuple[tuple[str, ...], ...]
    """What is decoded, by beta and column."""
    rates: Float[np.ndarray, "beta example"] | None = None
    """Of the posteriors of the examples behind the codes, in nats; None where there are none."""
    fingerprint: str = ""
    """Names its weights, as in the results of its evaluation."""

    def __post_init__(self) -> None:
        rates = self.beta if self.rates is None else self.rates
        if not len(self.texts) == len(rates) == len(self.beta):
            raise ValueError(
                f"{len(self.texts)} rows of texts and {len(rates)} of rates at {len(self.beta)} "
                "betas; give a row for each"
            )

    @property
    def labels(self) -> list[str]:
        """Of the rows: beta, and below it the mean rate over examples, where there are rates."""
        labels = [f"beta {beta:.3g}" for beta in self.beta.tolist()]
        if self.rates is None:
            return labels
        rates = self.rates.mean(1).tolist()
        return [f"{it}\nrate {rate:.3g} nats" for it, rate in zip(labels, rates, strict=True)]


@dataclass(frozen=True)
class Texts:
    """Texts of models in the same columns."""

    models: tuple[ModelTexts, ...]
    """One or more, with different names."""
    columns: tuple[str, ...]
    """A label for each column."""
    title: str = ""
    originals: tuple[str, ...] | None = None
    """Examples to compare with, one for each column, as the models read them."""
    is_path: bool = False
    """Whether the columns are steps from the first to the last original, the others being empty.
    They are then shown below each other, to be read one after another."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """How they were made, as JSON can hold it: ``temperature`` (null where each word is the
    likeliest one), ``seed``, ``longest``, and what else a command was told."""

    @property
    def kind(self) -> Literal["prior", "reconstruction", "interpolation"]:
        """Where the codes come from: draws from the prior, texts, or the way between two texts."""
        if self.originals is None:
            return "prior"
        return "interpolation" if self.is_path else "reconstruction"

    @property
    def decoding(self) -> Literal["greedy", "sampled"]:
        """Whether each word is the likeliest one, or drawn."""
        return "greedy" if self.settings.get("temperature") is None else "sampled"

    @property
    def name(self) -> str:
        """Of the table in a file, which holds one of each name."""
        return f"{self.kind}_{self.decoding}"


def store(file: h5py.File, texts: Texts) -> None:
    """Writes a table into an open file, in place of the one of its name."""
    tables = file.require_group(GROUP)
    if texts.name in tables:
        del tables[texts.name]
    group = tables.create_group(texts.name, track_order=True)
    group.attrs.update(
        title=_clean(texts.title),
        kind=texts.kind,
        decoding=texts.decoding,
        parameters=_clean(to_json(texts.settings)),
        versions=to_json(versions()),
    )
    rows = [
        (model.name, model.fingerprint, beta, row)
        for model in texts.models
        for beta, row in zip(model.beta.tolist(), model.texts, strict=True)
    ]
    names, fingerprints, betas, cells = zip(*rows, strict=True)
    sizes = {"row": len(rows), "column": len(texts.columns)}
    values: dict[str, tuple[tuple[str, ...], Any]] = {
        "text": (("row", "column"), cells),
        "model": (("row",), names),
        "fingerprint": (("row",), fingerprints),
        "row_beta": (("row",), np.array(betas)),
        "label": (("column",), texts.columns),
    }
    if texts.originals is not None:
        originals = texts.originals[:: len(texts.columns) - 1] if texts.is_path else texts.originals
        sizes["encoded"] = len(originals)
        values["original"] = (("encoded",), originals)
        rates = [model.rates for model in texts.models if model.rates is not None]
        if rates:
            values["rate"] = (("row", "encoded"), np.concatenate(rates))
    for name, size in sizes.items():
        group.create_dataset(name, data=np.arange(size)).make_scale(name)
    for name, (dims, value) in values.items():
        if not isinstance(value, np.ndarray):
            value = np.vectorize(_clean, otypes=[object])(np.array(value, object))
        dtype = h5py.string_dtype() if value.dtype == object else "f8"
        shape = tuple(sizes[dim] for dim in dims)
        dataset = group.create_dataset(name, shape, dtype, value, track_order=True)
        for axis, dim in enumerate(dims):
            dataset.dims[axis].attach_scale(group[dim])
        dataset.attrs["long_name"] = LONG_NAMES[name]
        if name in UNITS:
            dataset.attrs["units"] = UNITS[name]
    if "rate" in values:
        group["rate"].attrs["source"] = BAE


def load(file: h5py.File) -> dict[str, Texts]:
    """All tables of an open file, by name; none if there are none."""
    return {name: _load(group) for name, group in file.get(GROUP, {}).items()}


def _load(group: h5py.Group) -> Texts:
    columns = tuple(group["label"].asstr()[...].tolist())
    is_path = group.attrs["kind"] == "interpolation"
    originals = None
    if "original" in group:
        originals = tuple(group["original"].asstr()[...].tolist())
        if is_path:
            first, last = originals
            originals = (first, *[""] * (len(columns) - 2), last)
    cells, beta = group["text"].asstr()[...], group["row_beta"][...]
    rates = group["rate"][...] if "rate" in group else None
    fingerprints = group["fingerprint"].asstr()[...].tolist()
    models = []
    names = enumerate(group["model"].asstr()[...].tolist())
    for name, numbered in groupby(names, key=lambda row: row[1]):
        rows = [at for at, _ in numbered]
        models.append(
            ModelTexts(
                name,
                beta[rows],
                tuple(map(tuple, cells[rows].tolist())),
                None if rates is None else rates[rows],
                fingerprints[rows[0]],
            )
        )
    settings = json.loads(group.attrs["parameters"])
    title = str(group.attrs["title"])
    return Texts(tuple(models), columns, title, originals, is_path, settings)


def _clean(text: str) -> str:
    """What UTF-8 and HDF5 can hold: a replacement character for what they cannot."""
    return text.encode(errors="replace").decode().replace("\0", "\ufffd")
