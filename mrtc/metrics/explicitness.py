"""Explicitness: whether linear classifiers can read each factor from the codes."""

import numpy as np
from jaxtyping import Bool, Float64, Int64
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from mrtc.metrics.arrays import Array, as_codes, as_factors, classes_of, varying
from mrtc.metrics.parallel import over_factors
from mrtc.metrics.score import Score, undefined
from mrtc.metrics.splits import no_split, stratified_split


def explicitness(
    codes: Array,
    factors: Array,
    *,
    test_fraction: float = 1 / 3,
    normalised: bool = False,
    seed: int = 0,
    workers: int = 1,
) -> Score:
    r"""Mean area under the ROC curve of one linear classifier for each class.

    .. math:: \frac1K \sum_k \frac1{C_k} \sum_c \mathrm{AUC}_{kc}

    For each class c of each factor k a logistic regression (L2 penalty, C = 1) learns from the
    standardised codes to tell it from all others. The area is that of held-out examples.
    ``per_factor`` holds the means over classes.

    Args:
        codes: Posterior means.
        factors: Class index of each factor, in the same row order. Each class of a factor that
            varies needs two examples.
        test_fraction: Share of the examples that is held out, of each class about equally, at
            least one. The published study draws 10,000 examples to learn and 5,000 to test.
        normalised: Scale the area so that chance is 0: (AUC - 1/2) / (1/2). By default it is not
            scaled, as in disentanglement_lib; Ridgeway and Mozer scale it.
        seed: Of the split.
        workers: Factors fitted at once; the result does not depend on it.

    Returns:
        Score without unit, higher is better: 1/2 by chance and 1 at best, or 0 and 1 if
        normalised; by chance it may also come out a little lower.

    Raises:
        ValueError: If an array is not as described, or the fraction is not between 0 and 1.

    Note:
        An area does not ask for a threshold, so middle classes of an ordered factor in one code
        score about 1/2: no line separates them. Standardising makes codes of any scale count.
        disentanglement_lib ranks examples by probabilities that are divided by their sum over
        classes, where here each classifier ranks by its own, and it fails where a class is
        missing from a part.

    References:
        Ridgeway and Mozer, "Learning Deep Disentangled Embeddings with the F-Statistic Loss",
        NeurIPS 2018, section 3 (definition).
        Locatello et al., ICML 2019, appendix C (mean over classes, then over factors).
    """
    z = as_codes(codes)
    v = as_factors(factors, len(z))
    parameters: dict[str, object] = {
        "classifier": "one-vs-rest logistic regression, C=1",
        "examples": len(z),
        "test_fraction": test_fraction,
        "normalised": normalised,
        "seed": seed,
    }
    kept = varying(v)
    reason = no_split(v) if len(kept) else "no factor varies in these examples"
    if reason:
        return undefined(reason, parameters=parameters)
    areas = np.full(v.shape[1], np.nan)

    def area(k: int) -> float:
        classes = classes_of(v[:, k])
        return _mean_area(z, classes, stratified_split(classes, test_fraction, seed))

    areas[kept] = over_factors(area, kept, workers)
    if normalised:
        areas = 2 * areas - 1
    return Score(float(np.nanmean(areas)), per_factor=areas, parameters=parameters)


def _mean_area(
    codes: Float64[np.ndarray, "example code"],
    classes: Int64[np.ndarray, " example"],
    test: Bool[np.ndarray, " example"],
) -> float:
    scaler = StandardScaler().fit(codes[~test])
    train_codes, test_codes = scaler.transform(codes[~test]), scaler.transform(codes[test])
    areas = []
    for c in range(classes.max() + 1):
        is_class = classes == c
        model = LogisticRegression(C=1.0, max_iter=1000).fit(train_codes, is_class[~test])
        areas.append(roc_auc_score(is_class[test], model.decision_function(test_codes)))
    return float(np.mean(areas))
