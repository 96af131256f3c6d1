"""Disentanglement, completeness and informativeness (DCI), from trees that predict factors."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy.special import entr
from sklearn.base import clone
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier

from mrtc.metrics.arrays import Array, as_codes, as_factors, as_numpy, varying
from mrtc.metrics.parallel import over_factors
from mrtc.metrics.score import Score, undefined
from mrtc.metrics.splits import split_rows

EPSILON = 1e-11  # added to importances before they are normalised, as published; less is none


@dataclass(frozen=True, eq=False)
class Dci:
    """The three scores, each in [0, 1], without unit, higher is better."""

    disentanglement: Score
    """Does each code serve one factor; ``per_code`` is NaN for a code of no importance."""
    completeness: Score
    """Is each factor held by one code; ``per_factor``."""
    informativeness: Score
    """Mean accuracy on test examples; ``per_factor``. Chance is not subtracted."""
    importance: Float64[np.ndarray, "code factor"]
    """Of each code when predicting each factor; a column sums to 1, or is NaN if not fitted."""


def dci_gbt(
    codes: Array,
    factors: Array,
    *,
    train: int | None = None,
    test: int | None = None,
    active_only: bool = False,
    seed: int = 0,
    workers: int = 1,
) -> Dci:
    """DCI by gradient boosted trees, with the defaults of scikit-learn: the published setting.

    Args:
        codes: Posterior means.
        factors: Class index of each factor, in the same row order.
        train: Examples to fit on; by default two thirds of the rows. Published: 10,000.
        test: Other examples to score on; by default the remaining third. Published: 5,000.
        active_only: As in :func:`importance_scores`.
        seed: Of the split and of the trees, which the published code leaves open.
        workers: Factors fitted at once; the result does not depend on it.

    Raises:
        ValueError: If arrays do not fit, or there are fewer rows than asked for.

    Note:
        It fits 100 trees for each class: minutes for factors of 40 classes. Importances are
        impurity decreases on the training examples, so codes of pure noise get some, and scores
        of little data come out low. Another kind of tree is another score.

    References:
        Eastwood and Williams, "A Framework for the Quantitative Evaluation of Disentangled
        Representations", ICLR 2018, section 2 (with lasso and random forests). Gradient boosting
        and sample sizes of Locatello et al., ICML 2019.
    """
    return _dci(
        GradientBoostingClassifier(), codes, factors, train, test, active_only, seed, workers
    )


def dci_fast(
    codes: Array,
    factors: Array,
    *,
    train: int | None = None,
    test: int | None = None,
    active_only: bool = False,
    seed: int = 0,
    workers: int = 1,
) -> Dci:
    """DCI by a random forest: 50 trees of depth 8 that may split on any code, leaves of 5.

    Not the number of :func:`dci_gbt`, from which it may differ by 0.1, though it ranks models alike
    (rank correlation 0.99 over 18 synthetic models, ``benchmarks/dci.py``), in a time that grows
    less with the number of classes. Arguments and limits are the same. With
    a depth of 8 the accuracy for factors of very many classes stays below that of deeper trees.

    References:
        Eastwood and Williams, "A Framework for the Quantitative Evaluation of Disentangled
        Representations", ICLR 2018, who use random forests too.
    """
    # Any code at any split: were only some on offer, noise would be split on for want of better.
    forest = RandomForestClassifier(50, max_depth=8, min_samples_leaf=5, max_features=None)
    return _dci(forest, codes, factors, train, test, active_only, seed, workers)


def importance_scores(importance: Array, *, active_only: bool = False) -> tuple[Score, Score]:
    r"""Disentanglement and completeness of a matrix of importances.

    .. math:: D_j = 1 - H_K(R_{j\cdot}), \quad C_k = 1 - H_J(R_{\cdot k})

    where H is the entropy of a row or column that is normalised, with logarithms to the base of
    the number of factors K, or of codes J. The scores are their means weighted by the sums of the
    rows, or of the columns.

    Args:
        importance: Of shape (code, factor), not negative; columns of NaN are left out.
        active_only: Whether J counts only codes of some importance. As published it counts all,
            so a code that does nothing raises the completeness of the others.

    Returns:
        Disentanglement with ``per_code`` and completeness with ``per_factor``, both in [0, 1],
        higher is better; parts of no importance are NaN. Without any importance, or where the
        base would be 1, the score is NaN (the published code has 0 for a matrix of zeros).

    Raises:
        ValueError: If the shape is another, or an importance is negative or infinite.

    References:
        Eastwood and Williams, ICLR 2018, section 2.
    """
    matrix = as_numpy(importance).astype(np.float64)
    if matrix.ndim != 2:
        raise ValueError(f"importance needs the shape (code, factor); got {matrix.shape}")
    fitted = ~np.isnan(matrix).any(axis=0)
    table = matrix[:, fitted]
    if not (np.isfinite(table) & (table >= 0)).all():
        raise ValueError("importances are finite and not negative, or NaN for a whole factor")
    active = table.sum(axis=1) > EPSILON
    counted = table[active] if active_only else table
    parameters: dict[str, object] = {"active_only": active_only, "epsilon": EPSILON}
    per_code, per_factor = np.full(len(matrix), np.nan), np.full(matrix.shape[1], np.nan)
    kind = "codes of some importance" if active_only else "codes"
    rows, disentanglement = _concentration(table, "factors that vary")
    columns, completeness = _concentration(counted.T, kind)
    per_code[:] = rows
    per_factor[fitted] = columns
    return (
        replace(disentanglement, per_code=per_code, parameters=parameters),
        replace(completeness, per_factor=per_factor, parameters=parameters),
    )


def _concentration(
    table: Float64[np.ndarray, "row column"], columns: str
) -> tuple[Float64[np.ndarray, " row"], Score]:
    """One less the entropy of each row to the base of its length, and their weighted mean."""
    of_row = np.full(len(table), np.nan)
    mass = table.sum(axis=1)
    if table.shape[1] < 2:
        return of_row, undefined(f"an entropy needs two {columns}, there is {table.shape[1]}")
    used = mass > EPSILON
    if not used.any():
        return of_row, undefined("no code has any importance")
    share = table[used] + EPSILON
    share /= share.sum(axis=1, keepdims=True)
    of_row[used] = 1 - entr(share).sum(axis=1) / np.log(table.shape[1])
    return of_row, Score(float(np.average(of_row[used], weights=mass[used])))


def _dci(
    model: Any,  # noqa: ANN401 - scikit-learn has no types
    codes: Array,
    factors: Array,
    train: int | None,
    test: int | None,
    active_only: bool,  # noqa: FBT001 -- private, passed on as the public ones got it
    seed: int,
    workers: int,
) -> Dci:
    z = as_codes(codes)
    classes = as_factors(factors, len(z))
    importance = np.full((z.shape[1], classes.shape[1]), np.nan)
    accuracy = np.full(classes.shape[1], np.nan)
    parameters: dict[str, object] = {"booster": repr(model), "seed": seed}
    if len(z) < 2:
        reason = "a split needs at least two examples, there is 1"
        missing = undefined(reason, parameters=parameters)
        return Dci(missing, missing, missing, importance)
    rows, rows_test = split_rows(len(z), train, test, seed=seed)
    parameters |= {"train": len(rows), "test": len(rows_test)}
    model.set_params(random_state=seed)

    def fit(k: int) -> tuple[Float64[np.ndarray, " code"], float]:
        fitted = clone(model).fit(z[rows], classes[rows, k])
        # Rounding may leave a useless code slightly below zero.
        weight: Float64[np.ndarray, " code"] = np.abs(fitted.feature_importances_)
        return weight, float((fitted.predict(z[rows_test]) == classes[rows_test, k]).mean())

    kept = varying(classes[rows])
    for k, (weight, share) in zip(kept, over_factors(fit, kept, workers), strict=True):
        importance[:, k], accuracy[k] = weight, share
    disentanglement, completeness = importance_scores(importance, active_only=active_only)
    if np.isnan(accuracy).all():
        reason = "no factor varies among the examples that are fitted on"
        informativeness = undefined(reason, per_factor=accuracy)
        disentanglement = replace(disentanglement, reason=reason)
        completeness = replace(completeness, reason=reason)
    else:
        informativeness = Score(float(np.nanmean(accuracy)), per_factor=accuracy)
    first, second, third = (
        replace(score, parameters={**score.parameters, **parameters})
        for score in (disentanglement, completeness, informativeness)
    )
    return Dci(first, second, third, importance)
