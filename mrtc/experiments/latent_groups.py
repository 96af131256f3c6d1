"""Of a hierarchy, the one latent group whose codes are looked at, and what they are called."""

from collections.abc import Sequence
from dataclasses import dataclass

from mrtc.errors import MrtcError
from mrtc.hierarchy import LatentGroup, slices
from mrtc.results.groups import all_groups, code_name, one_group


@dataclass(frozen=True)
class ChosenCodes:
    """Codes of a model: those of one latent group, or all where there are no groups."""

    groups: tuple[LatentGroup, ...]
    """Of the model, the top one first; none where it is no hierarchy."""
    group: int | None
    """The chosen one; ``None`` of a model without groups."""
    where: slice
    """Among all codes."""

    @property
    def title(self) -> str:
        """Which they are, in words; empty where they are all."""
        return "" if self.group is None else one_group(self.groups, self.group)

    @property
    def map_size(self) -> int:
        """Codes of one map; 1 where there are no maps."""
        return 1 if self.group is None else self.groups[self.group].side ** 2

    def name(self, code: int) -> str:
        """Of one of them, by its place among them: a number, or map, row and column."""
        return code_name(self.groups, self.group, code)


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
        return ChosenCodes((), None, slice(0, codes))
    group = asked or 0
    if not 0 <= group < len(groups):
        raise MrtcError(
            f"there is no group {group}; choose --group among those of this model, the top one "
            f"first: {all_groups(groups)}"
        )
    return ChosenCodes(tuple(groups), group, slices(groups)[group])
