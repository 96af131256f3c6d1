"""Latent groups in results: which there are, and of which one the codes of a file are."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from mrtc.hierarchy import LatentGroup, total_codes

GROUP, GROUPS = "group", "groups"
"""Parameters of an evaluation of a hierarchy: the group whose codes are kept, and all groups."""


def group_parameters(groups: Sequence[LatentGroup], group: int) -> dict[str, Any]:
    """What a header's parameters say of a hierarchy, as JSON can hold it."""
    return {GROUP: group, GROUPS: [list(one) for one in groups]}


def groups_of(parameters: Mapping[str, Any]) -> tuple[LatentGroup, ...]:
    """The groups of an evaluated model, the top one first; none where it has no hierarchy."""
    return tuple(LatentGroup(*one) for one in parameters.get(GROUPS, ()))


def all_codes(parameters: Mapping[str, Any], kept: int) -> int:
    """Codes of an evaluated model, of which ``kept`` are those of the group that is kept."""
    return total_codes(groups_of(parameters)) or kept


def one_group(groups: Sequence[LatentGroup], group: int) -> str:
    """One group in words: ``group 0 of 15 (20 maps of 4 x 4)``."""
    return f"group {group} of {len(groups)} ({_maps(groups[group])})"


def scales(groups: Sequence[LatentGroup]) -> list[tuple[int, int]]:
    """The first and the last group of each scale, that is, of groups of one shape."""
    runs = [list(run) for _, run in groupby(range(len(groups)), key=lambda at: groups[at])]
    return [(run[0], run[-1]) for run in runs]


def _maps(group: LatentGroup) -> str:
    maps = "1 map" if group.channels == 1 else f"{group.channels} maps"
    return f"{maps} of {group.side} x {group.side}"
