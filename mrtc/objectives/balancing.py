"""Balancing of latent groups: while the rate is cheap, all of them are to be used."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from mrtc.hierarchy import LatentGroup, slices, total_codes


def balanced_rate(
    rates: Float[Tensor, "batch code"], groups: Sequence[LatentGroup]
) -> Float[Tensor, " batch"]:
    r"""What the rate costs where latent groups share its price unequally.

    .. math:: \sum_l \gamma_l \, KL_l(x), \qquad
        \gamma_l \propto n_l \operatorname{E}_x KL_l(x), \quad \textstyle\sum_l \gamma_l = L

    with :math:`n_l` codes in group :math:`l` of :math:`L`, and the mean over the batch. A group
    that codes little pays little, and so is not given up before it has learned anything. The
    factors are constants: no gradient goes through them.

    Args:
        rates: Of each code, in nats, group after group.
        groups: The latent groups.

    Raises:
        ValueError: If the codes are not those of the groups.

    References:
        Vahdat and Kautz, "NVAE", NeurIPS 2020, appendix A.
    """
    if not groups or total_codes(groups) != rates.shape[1]:
        raise ValueError(
            f"balancing needs the latent groups of all {rates.shape[1]} codes, got {len(groups)} "
            f"groups with {total_codes(groups)} codes; pass the `groups` of a hierarchy"
        )
    by_group = torch.stack([rates[:, where].sum(1) for where in slices(groups)], 1)
    sizes = by_group.new_tensor([group.codes for group in groups])
    # Rounding, or an estimate of the rate, may fall below zero.
    pull = sizes * by_group.detach().mean(0).clamp(min=0)
    gamma = torch.where(pull.sum() > 0, len(groups) * pull / pull.sum(), 1.0)
    return by_group @ gamma
