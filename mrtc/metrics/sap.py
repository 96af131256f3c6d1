"""Separated attribute predictability (SAP): how much better one code predicts than the next."""

import numpy as np
from jaxtyping import Float64, Int64
from sklearn.svm import LinearSVC

from mrtc.metrics.arrays import Array, as_codes, as_factors, varying
from mrtc.metrics.score import Score, undefined
from mrtc.metrics.splits import split_rows

PENALTY = 0.01  # C of the SVM, as published
TOLERANCE = 1e-8  # the usual 1e-4 stops short of the optimum for codes of large scale


def sap_discrete(
    codes: Array,
    factors: Array,
    *,
    train: int | None = None,
    test: int | None = None,
    seed: int = 0,
    test_codes: Array | None = None,
    test_factors: Array | None = None,
) -> Score:
    r"""SAP of factors without an order, by linear classifiers of one code each.

    .. math:: \frac1K \sum_k S_{(1)k} - S_{(2)k}

    where S_jk is the test accuracy of a linear support vector machine (C = 0.01, balanced class
    weights, one class against the rest) that reads class k from code j alone.

    Args:
        codes: Posterior means; at least two codes.
        factors: Class index of each factor, in the same row order.
        train: Examples to fit on; by default two thirds of the rows. Published: 10,000.
        test: Other examples to score on; by default the remaining third. Published: 5,000.
        seed: Of the split.
        test_codes: Codes to score on, instead of a split; then all of ``codes`` are fitted on.
        test_factors: Their factors.

    Returns:
        Score in [0, 1], without unit, higher is better; ``per_factor`` holds the gaps.

    Raises:
        ValueError: If arrays do not fit, or there are fewer rows than asked for.

    Note:
        A line orders the classes of one code and separates few of many: with 40 classes even a
        perfect code has an accuracy far below 1, so scores of unlike factors do not compare. The
        penalty also counts the offset, so the score depends on the scale of a code; that is the
        published protocol, and codes are not standardised. Two codes of one factor give 0.

        A code that never varies is not fitted, and its accuracy counts as 1 / classes: so such a
        code changes nothing where two others know more than chance. (The published code fits it;
        of two balanced classes it then names either one, by rounding.)

    References:
        Kumar et al., "Variational Inference of Disentangled Latent Concepts from Unlabeled
        Observations", ICLR 2018, section 3. Settings of Locatello et al., ICML 2019, who draw
        both samples from the population, with replacement.
    """
    z = as_codes(codes)
    classes = as_factors(factors, len(z))
    if (test_codes is None) != (test_factors is None):
        raise ValueError("test_codes and test_factors go together; give both or neither")
    if test_codes is not None and test_factors is not None:
        z_test = as_codes(test_codes, "test_codes")
        classes_test = as_factors(test_factors, len(z_test))
        seen = (z_test.shape[1], classes_test.shape[1])
        if seen != (z.shape[1], classes.shape[1]):
            raise ValueError(
                f"test_codes and test_factors need {z.shape[1]} codes and {classes.shape[1]} "
                f"factors, as codes and factors have; got {seen[0]} and {seen[1]}"
            )
        parameters: dict[str, object] = {"train": len(z), "test": len(z_test), "seed": None}
    elif len(z) < 2:
        return undefined("a split needs at least two examples, there is 1")
    else:
        rows, rows_test = split_rows(len(z), train, test, seed=seed)
        z_test, classes_test = z[rows_test], classes[rows_test]
        z, classes = z[rows], classes[rows]
        parameters = {"train": len(rows), "test": len(rows_test), "seed": seed}
    parameters |= {"C": PENALTY, "class_weight": "balanced"}
    accuracy = np.full((z.shape[1], classes.shape[1]), np.nan)
    for k in varying(classes):
        for j in range(z.shape[1]):
            fold = z[:, [j]], classes[:, k], z_test[:, [j]], classes_test[:, k]
            accuracy[j, k] = _accuracy(*fold)
    return _gap(accuracy, parameters)


def sap_continuous(codes: Array, factors: Array) -> Score:
    r"""SAP of factors with an order: squared correlation of code and class index.

    .. math:: \frac1K \sum_k R^2_{(1)k} - R^2_{(2)k}, \qquad
        R^2_{jk} = \frac{\mathrm{cov}(z_j, v_k)^2}{\mathrm{var}(z_j)\,\mathrm{var}(v_k)}

    A code that never varies has R² = 0.

    Args:
        codes: Posterior means; at least two codes.
        factors: Class index of each factor, in the same row order.

    Returns:
        Score in [0, 1], without unit, higher is better; ``per_factor`` holds the gaps. It does
        not depend on the scale of a code.

    Raises:
        ValueError: If arrays do not fit.

    Note:
        Class indices count as numbers, so it misleads for shapes, and for angles, whose ends
        meet. It sees straight relations only.

    References:
        Kumar et al., "Variational Inference of Disentangled Latent Concepts from Unlabeled
        Observations", ICLR 2018, section 3. Locatello et al. (2019) set codes of variance below
        1e-12 to 0 too; here only those of none.
    """
    z = as_codes(codes)
    v = as_factors(factors, len(z)).astype(np.float64)
    # Columns of length one: their products are correlations. A constant column stays 0, exactly.
    z, v = _unit(z), _unit(v)
    correlation = np.clip(z.T @ v, -1, 1)
    correlation[:, (v == 0).all(axis=0)] = np.nan
    return _gap(correlation**2, {})


def _accuracy(
    z: Float64[np.ndarray, "train 1"],
    classes: Int64[np.ndarray, " train"],
    z_test: Float64[np.ndarray, "test 1"],
    classes_test: Int64[np.ndarray, " test"],
) -> float:
    if (z == z[0]).all():
        return 1 / len(np.unique(classes))
    # The primal problem has few unknowns and no random order; its solution is the same.
    machine = LinearSVC(C=PENALTY, class_weight="balanced", tol=TOLERANCE, dual=False)
    machine.fit(z, classes)
    return float((machine.predict(z_test) == classes_test).mean())


def _unit(values: Float64[np.ndarray, "example _"]) -> Float64[np.ndarray, "example _"]:
    still = (values == values[:1]).all(axis=0)
    centred = np.where(still, 0, values - values.mean(axis=0))
    unit: Float64[np.ndarray, "example _"] = centred / np.where(
        still, 1, np.linalg.norm(centred, axis=0)
    )
    return unit


def _gap(predicted: Float64[np.ndarray, "code factor"], parameters: dict[str, object]) -> Score:
    """Best less second best, over the factors that have values."""
    per_factor = np.full(predicted.shape[1], np.nan)
    if len(predicted) < 2:
        reason = f"a gap needs at least two codes, there is {len(predicted)}"
        return undefined(reason, per_factor=per_factor, parameters=parameters)
    kept = ~np.isnan(predicted[0])
    second, best = np.sort(predicted[:, kept], axis=0)[-2:]
    per_factor[kept] = best - second
    if not kept.any():
        reason = "no factor varies among the examples that are fitted on"
        return undefined(reason, per_factor=per_factor, parameters=parameters)
    return Score(float(per_factor[kept].mean()), per_factor=per_factor, parameters=parameters)
