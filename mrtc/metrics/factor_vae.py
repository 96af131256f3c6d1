"""The FactorVAE score: does the code that varies least tell which factor was held fixed."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64

from mrtc.metrics.arrays import Array, as_codes, as_factors
from mrtc.metrics.score import Score, undefined
from mrtc.metrics.splits import RowsByClass, pieces, shared_factors


def factor_vae(
    codes: Array,
    factors: Array,
    *,
    train_votes: int = 10_000,
    test_votes: int = 5_000,
    batch: int = 64,
    threshold: float = 0.05,
    seed: int = 0,
) -> Score:
    r"""Accuracy of naming the factor that a batch has in common.

    For each vote a factor k is drawn, and a batch of examples that share its class; the vote is
    for the code of least relative variance,

    .. math:: \arg\min_j \frac{\mathrm{var}_\text{batch}(z_j)}{\mathrm{var}(z_j)}

    A classifier names for each code the factor that it got most training votes for, and the score
    is the share of test votes it names rightly. Variances divide by n - 1.

    Args:
        codes: Posterior means.
        factors: Class index of each factor, in the same row order; at least two that vary.
        train_votes: Votes the classifier is made of.
        test_votes: Votes it is scored on.
        batch: Examples for each vote, drawn with replacement.
        threshold: Least standard deviation of a code that may be voted for.
        seed: Of the draws.

    Returns:
        Score in [0, 1], without unit, higher is better; chance is 1 / factors. ``per_factor``
        holds the accuracy for each factor, ``parameters["active_codes"]`` how many codes are
        voted for.

    Raises:
        ValueError: If arrays do not fit, there is no vote, or a batch has fewer than two examples.

    Note:
        It reaches 1 where several codes share a factor, and where a code holds traces of other
        factors, so it does not tell good models apart. The threshold is in units of the codes.

        A batch has the class of an example drawn at random, so frequent classes are held fixed
        more often (on a full grid: all equally). Classes of a single example are not drawn, for
        every code is constant in such a batch. Variances are those of all examples given, not of
        10,000 more draws.

    References:
        Kim and Mnih, "Disentangling by Factorising", ICML 2018, section 4. Sample sizes and
        threshold of Locatello et al., ICML 2019.
    """
    if min(train_votes, test_votes) < 1 or batch < 2:
        raise ValueError(
            "a vote needs a batch of at least two examples, and there must be a vote; got "
            f"train_votes={train_votes}, test_votes={test_votes} and batch={batch}"
        )
    z = as_codes(codes)
    groups = shared_factors(as_factors(factors, len(z)))
    parts: dict[str, object] = {
        "train_votes": train_votes,
        "test_votes": test_votes,
        "batch": batch,
        "threshold": threshold,
        "seed": seed,
    }
    if len(groups) < 2:
        reason = "fewer than two factors vary and have a class of two examples"
        return undefined(reason, parameters=parts)
    deviation = z.std(axis=0, ddof=1)
    active = (deviation >= threshold) & (z != z[0]).any(axis=0)
    parts["active_codes"] = int(active.sum())
    if not active.any():
        return undefined(
            f"no code has a standard deviation of {threshold} or more", parameters=parts
        )
    z = z[:, active] / deviation[active]
    generator = np.random.default_rng(seed)
    named = _votes(z, [*groups.values()], train_votes, batch, generator).argmax(axis=0)
    votes = _votes(z, [*groups.values()], test_votes, batch, generator)
    right = votes[named, np.arange(len(named))]
    per_factor = np.full(np.shape(factors)[1], np.nan)
    with np.errstate(invalid="ignore"):  # few votes may leave a factor without any: NaN
        shares = np.bincount(named, right, minlength=len(votes)) / votes.sum(axis=1)
    per_factor[[*groups]] = shares
    return Score(float(right.sum() / test_votes), per_factor=per_factor, parameters=parts)


def _votes(
    z: Float64[np.ndarray, "example code"],
    groups: Sequence[RowsByClass],
    number: int,
    batch: int,
    generator: np.random.Generator,
) -> Int64[np.ndarray, "factor code"]:
    """How often each code varies least when each factor is fixed."""
    votes = np.zeros((len(groups), z.shape[1]), dtype=np.int64)
    shares = np.bincount(generator.integers(len(groups), size=number), minlength=len(groups))
    for k, (group, share) in enumerate(zip(groups, shares, strict=True)):
        first = generator.choice(group.in_company, size=(share, 1))
        rows = group.companions(np.repeat(first, batch, axis=1), generator)
        for piece in pieces(rows, z):
            least = z[piece].var(axis=1, ddof=1).argmin(axis=1)
            votes[k] += np.bincount(least, minlength=z.shape[1])
    return votes
