"""The beta-VAE score: can a linear classifier tell which factor pairs of examples share."""

import numpy as np
from jaxtyping import Float64, Int64
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from mrtc.metrics.arrays import Array, as_codes, as_factors
from mrtc.metrics.score import Score, undefined
from mrtc.metrics.splits import RowsByClass, pieces, shared_factors


def beta_vae(
    codes: Array,
    factors: Array,
    *,
    train: int = 10_000,
    test: int = 5_000,
    batch: int = 64,
    standardise: bool = False,
    seed: int = 0,
) -> Score:
    r"""Accuracy of naming the factor that a batch of pairs has in common.

    For each point a factor is drawn, and a batch of pairs of examples that share its class. What
    the classifier, a multinomial logistic regression, is shown is

    .. math:: \frac1B \sum_b |z^{(1)}_b - z^{(2)}_b|

    Args:
        codes: Posterior means.
        factors: Class index of each factor, in the same row order; at least two that vary.
        train: Points the classifier is fitted on.
        test: Points it is scored on.
        batch: Pairs for each point, drawn with replacement; B.
        standardise: Whether points are brought to mean 0 and variance 1 before the fit. The
            published protocol does not; see the note.
        seed: Of the draws.

    Returns:
        Accuracy in [0, 1], without unit, higher is better; chance is 1 / factors. ``per_factor``
        holds the accuracy for each factor.

    Raises:
        ValueError: If arrays do not fit, or there is no point or no pair.

    Note:
        It is near 1 for most models, and 1 for codes that rotate the factors, because a linear
        classifier undoes much; it misses a factor that is not encoded as long as the others are.
        The regression is penalised (C = 1, the default of scikit-learn, as published), so codes
        of small scale score lower unless ``standardise`` is set.

        The class shared by a pair is that of an example drawn at random (on a full grid: all
        equally often). Classes of a single example are not drawn, for they pair it with itself.

    References:
        Higgins et al., "beta-VAE", ICLR 2017, section 3. Sample sizes and classifier of Locatello
        et al., ICML 2019.
    """
    if min(train, test, batch) < 1:
        raise ValueError(
            f"train, test and batch count from 1; got train={train}, test={test}, batch={batch}"
        )
    z = as_codes(codes)
    groups = shared_factors(as_factors(factors, len(z)))
    parts: dict[str, object] = {
        "train": train,
        "test": test,
        "batch": batch,
        "standardise": standardise,
        "C": 1.0,
        "seed": seed,
    }
    if len(groups) < 2:
        reason = "fewer than two factors vary and have a class of two examples"
        return undefined(reason, parameters=parts)
    if (z == z[0]).all():
        return undefined("no code varies", parameters=parts)
    generator = np.random.default_rng(seed)
    points, fixed = _points(z, groups, train, batch, generator)
    points_test, fixed_test = _points(z, groups, test, batch, generator)
    if len(np.unique(fixed)) < 2:
        return undefined("all training points have the same factor fixed", parameters=parts)
    if standardise:
        scaler = StandardScaler().fit(points)
        points, points_test = scaler.transform(points), scaler.transform(points_test)
    # Points of very unlike scales take more steps than the default of 100.
    classifier = LogisticRegression(C=1.0, max_iter=10_000).fit(points, fixed)
    right = classifier.predict(points_test) == fixed_test
    per_factor = np.full(np.shape(factors)[1], np.nan)
    for k in np.unique(fixed_test):
        per_factor[k] = right[fixed_test == k].mean()
    return Score(float(right.mean()), per_factor=per_factor, parameters=parts)


def _points(
    z: Float64[np.ndarray, "example code"],
    groups: dict[int, RowsByClass],
    number: int,
    batch: int,
    generator: np.random.Generator,
) -> tuple[Float64[np.ndarray, "point code"], Int64[np.ndarray, " point"]]:
    """Mean distances of pairs by code, and the factor that the pairs have in common."""
    fixed = np.sort(generator.choice([*groups], size=number))
    points = []
    for k, group in groups.items():
        first = generator.choice(group.in_company, size=(int((fixed == k).sum()), batch))
        second = group.companions(first, generator)
        for a, b in zip(pieces(first, z), pieces(second, z), strict=True):
            points.append(np.abs(z[a] - z[b]).mean(axis=1))
    return np.concatenate(points), fixed
