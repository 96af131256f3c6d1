"""Scores in a results file: one number a beta, its parts, and what each was computed with.

The group ``scores`` holds, for a score ``s``, the variables ``s`` (beta), where it has them
``s_factor`` (beta, factor), ``s_code`` (beta, code), ``s_low`` and ``s_high`` (beta), and
``s_details`` (beta): JSON text with the parameters, the reason where the value is NaN, and the
versions of the libraries. Details are empty where a beta is not scored yet.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float, Shaped

from mrtc.results.header import to_json, versions
from mrtc.results.layout import add_variable, require_shape
from mrtc.results.schema import Dimension, Variable

GROUP = "scores"
DIMENSIONS: dict[str, tuple[Dimension, ...]] = {
    "": ("beta",),
    "_factor": ("beta", "factor"),
    "_code": ("beta", "code"),
    "_low": ("beta",),
    "_high": ("beta",),
}
"""Axes of the variables of one score, by the ending of their names."""


@dataclass(frozen=True, eq=False)
class ScoreRecord:
    """One score at one beta, as it is stored."""

    variable: Variable
    """Name, unit, words and source of the score."""
    value: float
    parts: Mapping[str, Shaped[np.ndarray, "..."] | float] = field(default_factory=dict)
    """By the endings of ``DIMENSIONS``."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Parameters, and the reason where there is no value; as JSON can hold them."""


@dataclass(frozen=True, eq=False)
class ScoreSeries:
    """One score over beta, as read."""

    variable: Variable
    values: Mapping[str, Float[np.ndarray, "beta ..."]]
    """By the endings of ``DIMENSIONS``; NaN where there is no value, or none yet."""
    details: tuple[Mapping[str, Any] | None, ...]
    """One for each beta; ``None`` where it is not scored yet."""

    @property
    def value(self) -> Float[np.ndarray, " beta"]:
        """The score at each beta."""
        return self.values[""]


def store(file: h5py.File, beta_index: int, record: ScoreRecord, sizes: dict[str, int]) -> None:
    """Writes one score at one beta into an open file.

    Raises:
        ValueError: If a part does not fit the axes of the file.
    """
    group = file.require_group(GROUP)
    name = record.variable.name
    for ending, value in {"": record.value, **record.parts}.items():
        variable = Variable(
            name + ending,
            DIMENSIONS[ending],
            record.variable.unit,
            record.variable.long_name,
            record.variable.source,
            record.variable.direction,
            group=GROUP,
        )
        require_shape(variable, np.asarray(value), sizes)
        if variable.name not in group:
            add_variable(file, variable, {}, sizes)
        group[variable.name][beta_index] = value
    if f"{name}_details" not in group:
        details = group.create_dataset(
            f"{name}_details", shape=(sizes["beta"],), dtype=h5py.string_dtype()
        )
        details.dims[0].attach_scale(file["beta"])
        details.attrs["long_name"] = f"what {record.variable.long_name} was computed with"
    group[f"{name}_details"][beta_index] = to_json({**record.details, "versions": versions()})


def load(file: h5py.File) -> dict[str, ScoreSeries]:
    """All scores of an open file, by name."""
    group = file.get(GROUP, {})
    series = {}
    for name in (key.removesuffix("_details") for key in group if key.endswith("_details")):
        attrs = group[name].attrs
        variable = Variable(
            name,
            ("beta",),
            str(attrs["units"]),
            str(attrs["long_name"]),
            str(attrs["source"]),
            attrs.get("direction", ""),
            group=GROUP,
        )
        texts = group[f"{name}_details"].asstr()[...]
        series[name] = ScoreSeries(
            variable,
            {end: group[name + end][...] for end in DIMENSIONS if name + end in group},
            tuple(json.loads(text) if text else None for text in texts),
        )
    return series
