"""What a report says at its end of each file: how it was made, with what, and at which cost."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from mrtc.report.series import Source
from mrtc.results import RunSet
from mrtc.results.groups import GROUP, GROUPS, all_groups, groups_of, one_group
from mrtc.trees import flat

Rows = list[tuple[str, str]]


COST_TITLES = {
    "runs": "runs",
    "steps": "steps",
    "examples": "examples seen",
    "parameters": "parameters",
    "seconds": "training time",
}
"""Columns of the table of costs, by what files hold."""


def described(source: Source) -> dict[str, Any]:
    """The words about one file: its name, tables by their names, and ``cost`` by its titles."""
    content = source.content
    if isinstance(content, RunSet):
        return _of_runs(source, content)
    header, pictures = content.header, source.pictures
    return {
        "name": str(source.path),
        "about": [
            ("data", source.data),
            ("kind", source.kind),
            ("betas", _span(content.beta[content.evaluated].tolist())),
            ("weights", header.fingerprint),
            ("evaluated", content.created),
        ],
        "evaluation": _rows({"seed": header.seed, **_group_in_words(header.parameters)}),
        "versions": list(content.versions.items()),
        "pictures": []
        if pictures is None
        else [("data", pictures.source), *_rows(_group_in_words(pictures.parameters))],
        "computed": [(name, _words(given)) for name, given in content.parameters.items() if given],
        "config": _rows(flat(content.config)),
        "failures": [],
        "cost": _cost({"runs": 1, **header.cost}),
    }


def _of_runs(source: Source, runs: RunSet) -> dict[str, Any]:
    """The same of several runs, whose costs are sums; parameters are those of one model."""
    known = {name: values[np.isfinite(values)] for name, values in runs.cost.items()}
    cost: dict[str, float | int] = {
        name: float(values.max() if name == "parameters" else values.sum())
        for name, values in known.items()
        if values.size
    }
    return {
        "name": str(source.path),
        "about": [
            ("data", source.data),
            ("kind", f"{source.kind}, several runs"),
            ("seeds", ", ".join(map(str, runs.seed.tolist()))),
            ("betas", _span(runs.beta.tolist())),
        ],
        "evaluation": _rows(runs.parameters),
        "versions": [],
        "pictures": [],
        "computed": [],
        "config": _rows(flat(runs.config)),
        "failures": [
            (f"seed {seed}, beta {beta:.3g}", reason)
            for (seed, beta), reason in runs.failures.items()
        ],
        "cost": _cost({"runs": len(known["steps"]), **cost}),
    }


def _cost(cost: Mapping[str, float | int]) -> dict[str, str]:
    return {
        title: _duration(cost[name]) if name == "seconds" else f"{cost[name]:,.0f}"
        for name, title in COST_TITLES.items()
        if name in cost and math.isfinite(cost[name])
    }


def _duration(seconds: float) -> str:
    """Rounded to what matters: seconds, minutes or hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _span(betas: Iterable[float]) -> str:
    values = sorted(betas)
    if len(values) == 1:
        return f"{values[0]:.4g}"
    return f"{values[0]:.4g} to {values[-1]:.4g} ({len(values)})"


def _group_in_words(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as they are, but the latent groups of a hierarchy, lists of sizes, as words."""
    groups = groups_of(parameters)
    if not groups:
        return dict(parameters)
    words = {GROUP: one_group(groups, parameters[GROUP]), GROUPS: all_groups(groups)}
    return {name: words.get(name, value) for name, value in parameters.items()}


def _rows(values: Mapping[str, Any]) -> Rows:
    return [(name, _text(value)) for name, value in values.items()]


def _words(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {_text(value)}" for name, value in values.items())


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return json.dumps(value, ensure_ascii=False)
