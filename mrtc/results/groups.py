"""Latent groups in results: which there are, and of which one the codes of a file are."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from mrtc.hierarchy import LatentGroup, total_codes

GROUP, GROUPS = "group", "groups"
"""Parameters of an evaluation of a hierarchy: the group whose codes are kept, and all groups."""

OF_ALL_GROUPS = ("rate", "active_units")
"""Names of scores of all codes, which an evaluation of a hierarchy measures itself: the moments of
the one group that it keeps do not give them."""


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


def all_groups(groups: Sequence[LatentGroup]) -> str:
    """All in words: ``0 to 4 (20 maps of 4 x 4), 5 to 14 (20 maps of 8 x 8)``."""
    return ", ".join(
        f"{first} ({_maps(groups[first])})"
        if first == last
        else f"{first} to {last} ({_maps(groups[first])})"
        for first, last in scales(groups)
    )


def code_name(groups: Sequence[LatentGroup], group: int | None, code: int) -> str:
    """A code by its place among those of its group: ``map 3 (1, 2)`` with row and column.

    Without groups it is ``code 3``.
    """
    if group is None:
        return f"code {code}"
    side = groups[group].side
    return f"map {code // side**2} ({code // side % side}, {code % side})"


def scales(groups: Sequence[LatentGroup]) -> list[tuple[int, int]]:
    """The first and the last group of each scale, that is, of groups of one shape."""
    runs = [list(run) for _, run in groupby(range(len(groups)), key=lambda at: groups[at])]
    return [(run[0], run[-1]) for run in runs]


def _maps(group: LatentGroup) -> str:
    maps = "1 map" if group.channels == 1 else f"{group.channels} maps"
    return f"{maps} of {group.side} x {group.side}"
