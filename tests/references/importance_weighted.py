"""The importance-weighted bound as it is published, a sample at a time."""

import math

import numpy as np


def bound(log_weights: np.ndarray) -> float:
    """Mean over rows of the log of the mean weight."""
    values = []
    for row in log_weights:
        total = 0.0
        for log_weight in row:
            total += math.exp(log_weight)
        values.append(math.log(total / len(row)))
    return sum(values) / len(values)


def effective_samples(row: np.ndarray) -> float:
    """Kish's effective size of one row of log weights."""
    weights = [math.exp(log_weight) for log_weight in row]
    return sum(weights) ** 2 / sum(w * w for w in weights)
