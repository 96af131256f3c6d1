"""Unsupervised disentanglement ranking from the similarity of every pair of codes."""

import numpy as np
from scipy.stats import spearmanr
from sklearn.linear_model import Lasso


def pair_score(similarity: np.ndarray) -> float:
    """Largest squared over the sum, of each column and of each row; their mean; 0 / 0 is 0."""
    total = 0.0
    for b in range(similarity.shape[1]):
        if similarity[:, b].any():
            total += similarity[:, b].max() ** 2 / similarity[:, b].sum()
    for a in range(similarity.shape[0]):
        if similarity[a].any():
            total += similarity[a].max() ** 2 / similarity[a].sum()
    return total / sum(similarity.shape)


def udr_values(models: list[np.ndarray], similarity: str) -> list[float]:
    """The median over the others, for each model; every code counts as informative."""
    values = []
    for i, target in enumerate(models):
        scores = []
        for j, source in enumerate(models):
            if i == j:
                continue
            table = np.zeros((source.shape[1], target.shape[1]))
            for b in range(target.shape[1]):
                if similarity == "lasso":
                    x = (source - source.mean(0)) / source.std(0)
                    y = (target[:, b] - target[:, b].mean()) / target[:, b].std()
                    lasso = Lasso(alpha=0.1, tol=1e-10, max_iter=100_000)
                    table[:, b] = abs(lasso.fit(x, y).coef_)
                else:
                    for a in range(source.shape[1]):
                        table[a, b] = abs(spearmanr(source[:, a], target[:, b]).statistic)
            scores.append(pair_score(table))
        values.append(float(np.median(scores)))
    return values
