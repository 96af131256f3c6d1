"""Nested mappings, as configurations are in JSON, compared entry by entry."""

from collections.abc import Mapping
from typing import Any


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The leaves by their dotted names: ``{"model": {"codes": 10}}`` is ``{"model.codes": 10}``."""
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            leaves |= flat(value, f"{prefix}{name}.")
        else:
            leaves[f"{prefix}{name}"] = value
    return leaves


def differing(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The leaves in which two trees differ, with both values; ``None`` where one has none."""
    mine, theirs = flat(one), flat(two)
    return {
        name: (mine.get(name), theirs.get(name))
        for name in mine | theirs
        if mine.get(name) != theirs.get(name)
    }
