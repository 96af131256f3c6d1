"""Scores of binned codes, written plainly: one count, one code, one factor at a time."""

import math

import numpy as np


def entropy(labels: list) -> float:
    total = 0.0
    for label in set(labels):
        p = labels.count(label) / len(labels)
        total -= p * math.log(p)
    return total


def information(a: list, b: list) -> float:
    """H(a) + H(b) - H(a, b), in nats."""
    return entropy(a) + entropy(b) - entropy(list(zip(a, b, strict=True)))


def equal_width(code: np.ndarray, bins: int) -> list[int]:
    """The histogram of numpy; each value belongs to the last edge that it reaches."""
    edges = np.histogram(code, bins)[1][:-1]
    return np.digitize(code, edges).tolist()


def table(codes: np.ndarray, factors: np.ndarray, bins: int) -> list[list[float]]:
    """Information of each code (row) about each factor."""
    binned = [equal_width(code, bins) for code in codes.T]
    return [[information(code, factor.tolist()) for factor in factors.T] for code in binned]


def gap(values: list[float]) -> float:
    first, second = sorted(values, reverse=True)[:2]
    return first - second


def mig(codes: np.ndarray, factors: np.ndarray, bins: int) -> list[float]:
    """The gap of each factor."""
    rows = table(codes, factors, bins)
    return [
        gap([row[k] for row in rows]) / entropy(factors[:, k].tolist())
        for k in range(factors.shape[1])
    ]


def mig_sup(codes: np.ndarray, factors: np.ndarray, bins: int) -> list[float]:
    """The gap of each code."""
    entropies = [entropy(factor.tolist()) for factor in factors.T]
    return [
        gap([i / h for i, h in zip(row, entropies, strict=True)])
        for row in table(codes, factors, bins)
    ]


def dcimig(codes: np.ndarray, factors: np.ndarray, bins: int) -> float:
    """Each code gives its gap to its best factor, which keeps the largest that it is given."""
    kept = [0.0] * factors.shape[1]
    for row in table(codes, factors, bins):
        best = row.index(max(row))
        kept[best] = max(kept[best], gap(row))
    return sum(kept) / sum(entropy(factor.tolist()) for factor in factors.T)


def jemmig(codes: np.ndarray, factors: np.ndarray, bins: int) -> list[float]:
    """One less the joint entropy less the gap, over its largest value, for each factor."""
    rows = table(codes, factors, bins)
    scores = []
    for k, factor in enumerate(factors.T):
        column = [row[k] for row in rows]
        best = equal_width(codes[:, column.index(max(column))], bins)
        joint = entropy(list(zip(best, factor.tolist(), strict=True)))
        scores.append(1 - (joint - gap(column)) / (entropy(factor.tolist()) + math.log(bins)))
    return scores


def modularity(codes: np.ndarray, factors: np.ndarray, bins: int) -> list[float]:
    """Of each code; zero for one that tells nothing."""
    scores = []
    for row in table(codes, factors, bins):
        best = row.index(max(row))
        if row[best] < 1e-12:
            scores.append(0.0)
            continue
        rest = sum(value**2 for k, value in enumerate(row) if k != best)
        scores.append(1 - rest / (row[best] ** 2 * (len(row) - 1)))
    return scores
