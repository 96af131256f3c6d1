"""Interventional robustness, written down as it is defined."""

import numpy as np


def irs_value(codes: np.ndarray, factors: np.ndarray, quantile: float) -> float:
    """Σ_j weight_j max_k (1 - mean over classes of the worst deviation / the largest of all)."""
    total, weights = 0.0, 0.0
    for code in codes.T:
        largest = max(abs(value - np.mean(code)) for value in code)
        robust = []
        for factor in factors.T:
            worst = []
            for c in sorted(set(factor.tolist())):
                values = code[factor == c]
                worst.append(np.quantile([abs(v - values.mean()) for v in values], quantile))
            robust.append(1 - np.mean(worst) / largest)
        total += largest * max(robust)
        weights += largest
    return total / weights
