"""The test accuracy of one-against-the-rest support vector machines on one code, by its terms."""

import numpy as np
from scipy.optimize import minimize


def sap_accuracy(
    code: np.ndarray, classes: np.ndarray, code_test: np.ndarray, classes_test: np.ndarray
) -> float:
    """w² / 2 + b² / 2 + C Σ weight_n max(0, 1 - t_n (w x_n + b))², C = 0.01, for every class.

    Balanced weights, examples / (classes · examples of the class), count for the class itself; the
    rest weighs 1, unless there are two classes, where the rest is a class too.
    """
    names = np.unique(classes)
    balanced = {c: len(classes) / (len(names) * (classes == c).sum()) for c in names}
    decisions = []
    for c in names:
        other = 1.0 if len(names) > 2 else next(balanced[d] for d in names if d != c)
        target = np.where(classes == c, 1, -1)
        weight = np.where(classes == c, balanced[c], other)

        def objective(
            wb: np.ndarray, target: np.ndarray = target, weight: np.ndarray = weight
        ) -> tuple[float, np.ndarray]:
            slack = np.maximum(0, 1 - target * (wb[0] * code + wb[1]))
            slope = -0.02 * weight * slack * target
            value = wb @ wb / 2 + 0.01 * (weight * slack**2).sum()
            return value, wb + np.array([(slope * code).sum(), slope.sum()])

        w, b = minimize(objective, np.zeros(2), jac=True, method="BFGS", options={"gtol": 1e-9}).x
        decisions.append(w * code_test + b)
    return float((names[np.argmax(decisions, axis=0)] == classes_test).mean())
