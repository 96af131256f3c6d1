"""InfoMEC: modularity, compactness and explicitness as ratios of information."""

import warnings
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64, Int64
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from mrtc.metrics.arrays import Array, as_codes, as_factors, classes_of, varying
from mrtc.metrics.discretise import equal_width
from mrtc.metrics.histogram import histogram_information
from mrtc.metrics.information import factor_entropy
from mrtc.metrics.parallel import over_factors
from mrtc.metrics.score import Score, undefined
from mrtc.metrics.splits import no_split, stratified_split

InfoEstimator = Literal["neighbours", "histogram"]


@dataclass(frozen=True)
class _Settings:
    estimator: InfoEstimator
    neighbours: int
    bins: int
    min_range: float
    min_relative_range: float
    seed: int

    def __post_init__(self) -> None:
        if self.estimator not in ("neighbours", "histogram"):
            raise ValueError(f"estimator is 'neighbours' or 'histogram', got {self.estimator!r}")


def info_m(
    codes: Array,
    factors: Array,
    *,
    estimator: InfoEstimator = "neighbours",
    neighbours: int = 10,
    bins: int = 20,
    min_range: float = 0.0,
    min_relative_range: float = 0.05,
    seed: int = 0,
) -> Score:
    r"""InfoModularity: the share of its information that each code has about one factor.

    .. math:: \frac{1}{1 - 1/K}\Bigl(\frac1J \sum_j \frac{\max_k N_{jk}}{\sum_k N_{jk}}
        - \frac1K\Bigr), \qquad N_{jk} = \frac{I(z_j; v_k)}{H(v_k)}

    over active codes. ``per_code`` holds the parts.

    Args:
        codes: Posterior means.
        factors: Class index of each factor, in the same row order; at least two that vary.
        estimator: ``"neighbours"``, scikit-learn's estimator for continuous codes, as published,
            or ``"histogram"``, with bins of equal width.
        neighbours: For that estimator. The authors' program has 10, scikit-learn's default is 3.
        bins: For the histogram.
        min_range: A code is active if its range, largest value less smallest, is above this, and
            above the next.
        min_relative_range: In parts of the largest range of a code; the authors' 1/20 by default.
        seed: Of the noise of 1e-10 standard deviations that parts equal values, for neighbours.
            In classes of fewer than twice as many examples it moves the score by thousandths.

    Returns:
        Score in [0, 1], without unit, higher is better; NaN where no code is active. An active
        code without any information is left out, where the authors' program has 0 / 0.

    Raises:
        ValueError: If an array or argument is not as described.

    Note:
        Only ratios matter, and both estimators are biased upwards, so codes of noise score too.
        A relative range never calls all codes inactive: for a VAE, whose prior has standard
        deviation 1, set ``min_range`` as well.

    References:
        Hsu et al., "Disentanglement via Latent Quantization", NeurIPS 2023, section 4.
        Ross, "Mutual Information between Discrete and Continuous Data Sets", PLOS ONE 2014
        (neighbours).
    """
    settings = _Settings(estimator, neighbours, bins, min_range, min_relative_range, seed)
    return _concentration(codes, factors, settings, "code")


def info_c(
    codes: Array,
    factors: Array,
    *,
    estimator: InfoEstimator = "neighbours",
    neighbours: int = 10,
    bins: int = 20,
    min_range: float = 0.0,
    min_relative_range: float = 0.05,
    seed: int = 0,
) -> Score:
    r"""InfoCompactness: the share of the information about each factor that one code has.

    .. math:: \frac{1}{1 - 1/J}\Bigl(\frac1K \sum_k \frac{\max_j N_{jk}}{\sum_j N_{jk}}
        - \frac1J\Bigr), \qquad N_{jk} = \frac{I(z_j; v_k)}{H(v_k)}

    over the J active codes. ``per_factor`` holds the parts. A code that repeats another lowers it.

    Args:
        codes: Posterior means; at least two active codes.
        factors: Class index of each factor, in the same row order.
        estimator: As are the others, see :func:`info_m`.
        neighbours: For the estimator of that name.
        bins: For the histogram.
        min_range: Least range of an active code.
        min_relative_range: In parts of the largest range of a code.
        seed: Of the noise that parts equal values.

    Returns:
        Score in [0, 1], without unit, higher is better; NaN with fewer than two active codes. A
        factor of which no active code tells anything is left out, NaN in ``per_factor``.

    Raises:
        ValueError: If an array or argument is not as described.

    Note:
        It depends on which codes are active: each code of noise adds to the sum, and the floor
        1 / J moves. Codes that tell nothing still have a largest share; see :func:`info_e`.

    References:
        Hsu et al., "Disentanglement via Latent Quantization", NeurIPS 2023, section 4.
    """
    settings = _Settings(estimator, neighbours, bins, min_range, min_relative_range, seed)
    return _concentration(codes, factors, settings, "factor")


def info_e(
    codes: Array,
    factors: Array,
    *,
    in_sample: bool = False,
    test_fraction: float = 1 / 3,
    max_iterations: int = 1000,
    seed: int = 0,
    workers: int = 1,
) -> Score:
    r"""InfoExplicitness: the share of each factor's entropy that a linear classifier predicts.

    .. math:: \frac1K \sum_k \max\Bigl(0, 1 - \frac{L(v_k | z)}{L(v_k)}\Bigr)

    where L(v|z) is the cross-entropy of multinomial logistic regression on all codes, without a
    penalty, and L(v) that of the class frequencies. ``per_factor`` holds the parts.

    Args:
        codes: Posterior means.
        factors: Class index of each factor, in the same row order. Each class of a factor that
            varies needs two examples, unless in-sample.
        in_sample: Score the examples that were learnt from, as published. By default others are
            held out, for many codes fit few examples perfectly.
        test_fraction: Share of the examples that is held out, of each class about equally.
        max_iterations: Of the optimiser, on whitened codes. The authors' program stops after 100
            on standardised ones, which is too early where codes are correlated.
        seed: Of the split.
        workers: Factors fitted at once; the result does not depend on it.

    Returns:
        Score in [0, 1], without unit, higher is better.

    Raises:
        ValueError: If an array is not as described, or the fraction is not between 0 and 1.

    Note:
        The formula is that of usable information under linear classifiers. The authors' program
        weighs classes equally, which is the same where they are equally frequent. Without a
        penalty a classifier that separates its examples is sure of itself, and one error among
        those held out costs up to 36 nats: with few examples for many codes the score is 0.

    References:
        Hsu et al., "Disentanglement via Latent Quantization", NeurIPS 2023, section 4.
        Xu et al., "A Theory of Usable Information under Computational Constraints", ICLR 2020.
    """
    z = as_codes(codes)
    v = as_factors(factors, len(z))
    parameters: dict[str, object] = {
        "classifier": "multinomial logistic regression without penalty",
        "examples": len(z),
        "in_sample": in_sample,
        "test_fraction": None if in_sample else test_fraction,
        "max_iterations": max_iterations,
        "seed": None if in_sample else seed,
    }
    kept = varying(v)
    if not len(kept):
        return undefined("no factor varies in these examples", parameters=parameters)
    if not in_sample and (reason := no_split(v)):
        return undefined(reason, parameters=parameters)
    parts = np.full(v.shape[1], np.nan)

    def share(k: int) -> float:
        classes = classes_of(v[:, k])
        everything = np.ones(len(z), dtype=bool)
        test = everything if in_sample else stratified_split(classes, test_fraction, seed)
        train = everything if in_sample else ~test
        return max(0.0, float(_predicted_share(z, classes, train, test, max_iterations)))

    parts[kept] = over_factors(share, kept, workers)
    return Score(float(np.nanmean(parts)), per_factor=parts, parameters=parameters)


def _concentration(
    codes: Array, factors: Array, settings: _Settings, each: Literal["code", "factor"]
) -> Score:
    """How far each code (or factor) has its information with one factor (or code)."""
    z = as_codes(codes)
    v = as_factors(factors, len(z))
    spread = np.ptp(z, axis=0)
    least = max(settings.min_range, settings.min_relative_range * float(spread.max()))
    active, kept = np.flatnonzero(spread > least), varying(v)
    parameters = asdict(settings) | {"examples": len(z), "active_codes": active.tolist()}
    rows, columns = (active, kept) if each == "code" else (kept, active)
    reason = None
    if not len(kept):
        reason = "no factor varies in these examples"
    elif not len(active):
        reason = "no code is active"
    elif len(columns) < 2:
        needed = "factors that vary" if each == "code" else "active codes"
        reason = f"a share needs at least two {needed}, there is 1"
    elif settings.estimator == "neighbours" and all(_all_differ(v[:, k]) for k in kept):
        reason = "no class of a factor occurs twice, so it has no neighbours"
    if reason:
        return undefined(reason, parameters=parameters)
    entropy = np.array([factor_entropy(factor) for factor in v[:, kept].T])
    table = _information(z[:, active], v[:, kept], settings) / entropy
    table = table if each == "code" else table.T
    total = table.sum(axis=1)
    share = np.divide(table.max(axis=1), total, out=np.full(len(rows), np.nan), where=total > 0)
    if np.isnan(share).all():
        return undefined("no active code tells anything of a factor", parameters=parameters)
    floor = 1 / len(columns)
    parts = np.full((z if each == "code" else v).shape[1], np.nan)
    parts[rows] = (share - floor) / (1 - floor)
    value = float(np.nanmean(parts))
    if each == "code":
        return Score(value, per_code=parts, parameters=parameters)
    return Score(value, per_factor=parts, parameters=parameters)


def _information(
    codes: Float64[np.ndarray, "example code"],
    factors: Int64[np.ndarray, "example factor"],
    settings: _Settings,
) -> Float64[np.ndarray, "code factor"]:
    """Mutual information by the estimator asked for, in nats."""
    if settings.estimator == "histogram":
        binned = equal_width(codes, settings.bins)
        return histogram_information(binned, factors).information
    standard = StandardScaler().fit_transform(codes)
    information = np.zeros((codes.shape[1], factors.shape[1]))
    for k, factor in enumerate(factors.T):
        if _all_differ(factor):
            continue
        for j in range(codes.shape[1]):  # one by one: each has the noise that it has alone
            information[j, k] = mutual_info_classif(
                standard[:, [j]],
                factor,
                discrete_features=False,
                n_neighbors=settings.neighbours,
                random_state=settings.seed,
            )[0]
    return information


def _all_differ(factor: Int64[np.ndarray, " example"]) -> bool:
    return len(np.unique(factor)) == len(factor)


def _predicted_share(
    codes: Float64[np.ndarray, "example code"],
    classes: Int64[np.ndarray, " example"],
    train: Bool[np.ndarray, " example"],
    test: Bool[np.ndarray, " example"],
    max_iterations: int,
) -> float:
    # whitened: without a penalty the optimum is the same, and is reached in tens of iterations
    scaler = StandardScaler().fit(codes[train])
    _, size, axes = np.linalg.svd(scaler.transform(codes[train]), full_matrices=False)
    spans = size > 1e-10 * size[0]
    scale = np.divide(np.sqrt(train.sum()), size, out=np.zeros_like(size), where=spans)
    white = scaler.transform(codes) @ (axes.T * scale)
    model = LogisticRegression(C=np.inf, max_iter=max_iterations)
    with warnings.catch_warnings():
        # where classes are separable there is no optimum: the loss nears zero, weights grow on
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(white[train], classes[train])
    frequency = np.bincount(classes[train]) / train.sum()
    labels = np.arange(len(frequency))
    predicted = model.predict_proba(white[test])
    null = np.tile(frequency, (int(test.sum()), 1))
    loss, null_loss = (log_loss(classes[test], p, labels=labels) for p in (predicted, null))
    return float(1 - loss / null_loss)
