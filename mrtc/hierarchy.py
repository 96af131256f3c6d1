"""Latent groups: how the codes of a hierarchical model follow one another."""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from jaxtyping import Shaped
from torch import Tensor


class LatentGroup(NamedTuple):
    """Codes that are drawn together: maps of ``channels`` channels with ``side`` pixels a side."""

    channels: int
    side: int

    @property
    def codes(self) -> int:
        """Latent dimensions."""
        return self.channels * self.side**2

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one example's codes."""
        return self.channels, self.side, self.side


def total_codes(groups: Sequence[LatentGroup]) -> int:
    """Latent dimensions of all groups."""
    return sum(group.codes for group in groups)


def slices(groups: Sequence[LatentGroup]) -> list[slice]:
    """Where the codes of each group are among those of all, which follow the order of groups."""
    ends = list(accumulate(group.codes for group in groups))
    return [slice(end - group.codes, end) for group, end in zip(groups, ends, strict=True)]


def split(
    codes: Shaped[Tensor, "*batch code"], groups: Sequence[LatentGroup]
) -> list[Shaped[Tensor, "..."]]:
    """The codes of each group, as maps (batch, channels, side, side)."""
    return [
        codes[..., where].reshape(*codes.shape[:-1], *group.shape)
        for group, where in zip(groups, slices(groups), strict=True)
    ]
