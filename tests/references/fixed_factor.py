"""The FactorVAE and beta-VAE protocols, a draw at a time."""

import numpy as np
from sklearn.linear_model import LogisticRegression


def factor_vae_accuracy(
    codes: np.ndarray, factors: np.ndarray, votes: int, batch: int, seed: int
) -> float:
    """A batch that shares a class; the code of least relative variance; a majority of votes."""
    rng = np.random.default_rng(seed)
    count = {"train": np.zeros((factors.shape[1], codes.shape[1])), "test": None}
    count["test"] = np.zeros_like(count["train"])
    for table in count.values():
        for _ in range(votes):
            k = rng.integers(factors.shape[1])
            chosen = factors[rng.integers(len(factors)), k]
            rows = rng.choice(np.flatnonzero(factors[:, k] == chosen), size=batch)
            ratio = [np.var(code[rows], ddof=1) / np.var(code, ddof=1) for code in codes.T]
            table[k, int(np.argmin(ratio))] += 1
    right = 0.0
    for j in range(codes.shape[1]):
        right += count["test"][np.argmax(count["train"][:, j]), j]
    return right / votes


def beta_vae_accuracy(
    codes: np.ndarray, factors: np.ndarray, number: int, batch: int, seed: int
) -> float:
    """Pairs that share a class of one factor; mean distances; logistic regression."""
    rng = np.random.default_rng(seed)
    sets = []
    for _ in range(2):
        points, fixed = [], []
        for _ in range(number):
            k = rng.integers(factors.shape[1])
            total = np.zeros(codes.shape[1])
            for _ in range(batch):
                first = rng.integers(len(factors))
                second = rng.choice(np.flatnonzero(factors[:, k] == factors[first, k]))
                total += abs(codes[first] - codes[second])
            points.append(total / batch)
            fixed.append(k)
        sets.append((np.array(points), np.array(fixed)))
    return LogisticRegression(max_iter=1000).fit(*sets[0]).score(*sets[1])
