"""Disentanglement and completeness of an importance matrix, a sum at a time."""

import math

import numpy as np


def dci_scores(importance: np.ndarray) -> tuple[float, float]:
    """Σ of 1 - entropy of rows, to the base of columns, weighted by their mass; then transposed."""
    scores = []
    for table in (importance, importance.T):
        rows, columns = table.shape
        score = 0.0
        for i in range(rows):
            entropy = 0.0
            for j in range(columns):
                p = (table[i, j] + 1e-11) / (table[i].sum() + columns * 1e-11)
                entropy -= p * math.log(p, columns)
            score += table[i].sum() / importance.sum() * (1 - entropy)
        scores.append(score)
    return scores[0], scores[1]
