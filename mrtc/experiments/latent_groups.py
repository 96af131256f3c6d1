"""Of a hierarchy, the one latent group whose codes are looked at, and what they are called."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from mrtc.errors import MrtcError
from mrtc.hierarchy import LatentGroup, slices


class ChosenCodes(NamedTuple):
    """Codes of a model: those of one latent group, or all where there are no groups."""

    where: slice
    """Among all codes."""
    group: int | None
    """Counted from the top; ``None`` of a model without groups."""
    shape: LatentGroup | None

    @property
    def title(self) -> str:
        """Which they are, in words; empty where they are all."""
        if self.shape is None:
            return ""
        top = ", the top one" if self.group == 0 else ""
        return f"group {self.group} ({maps_of(self.shape)}){top}"

    def name(self, code: int) -> str:
        """Of one of them, by its place among them: a number, or a map and a place on it."""
        if self.shape is None:
            return f"code {code}"
        channel, row, column = np.unravel_index(code, self.shape.shape)
        return f"map {channel} ({row}, {column})"


def chosen_codes(groups: Sequence[LatentGroup], codes: int, asked: int | None) -> ChosenCodes:
    """The codes of a group, or of all.

    Args:
        groups: Of the model, from the top down; none where it is no hierarchy.
        codes: All of the model.
        asked: Which group; the top one if left out.

    Raises:
        MrtcError: If there is no such group.
    """
    if not groups:
        if asked is not None:
            raise MrtcError(
                f"this model has no latent groups, and group {asked} was asked for: its {codes} "
                "codes are drawn at once; leave out --group"
            )
        return ChosenCodes(slice(0, codes), None, None)
    group = asked or 0
    if not 0 <= group < len(groups):
        raise MrtcError(
            f"there is no group {asked}; from the top down this model has {_listed(groups)}; "
            "choose --group among them"
        )
    return ChosenCodes(slices(groups)[group], group, groups[group])


def maps_of(group: LatentGroup) -> str:
    """The codes of a group in words."""
    maps = "1 map" if group.channels == 1 else f"{group.channels} maps"
    return f"{maps} of {group.side} x {group.side}"


def _listed(groups: Sequence[LatentGroup]) -> str:
    """All groups, those of one shape together: there may be dozens."""
    parts = []
    for shape, run in groupby(enumerate(groups), key=lambda entry: entry[1]):
        numbers = [number for number, _ in run]
        span = f"group {numbers[0]}"
        if len(numbers) > 1:
            span = f"groups {numbers[0]} to {numbers[-1]}"
        parts.append(f"{span} ({maps_of(shape)})")
    return " and ".join(parts)
