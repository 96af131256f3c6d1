"""Areas, shares and cross-entropies, written plainly from their definitions."""

import math


def area_under_roc(scores: list[float], positive: list[bool]) -> float:
    """How often an example of the class outranks one of another; a tie counts half."""
    wins, pairs = 0.0, 0
    for score, is_positive in zip(scores, positive, strict=True):
        for other, other_positive in zip(scores, positive, strict=True):
            if is_positive and not other_positive:
                wins += 1.0 if score > other else 0.5 if score == other else 0.0
                pairs += 1
    return wins / pairs


def mean_share(rows: list[list[float]]) -> float:
    """Mean share of the largest value in each row, scaled so that even rows give zero."""
    shares = [max(row) / sum(row) for row in rows]
    floor = 1 / len(rows[0])
    return (sum(shares) / len(shares) - floor) / (1 - floor)


def cross_entropy(probabilities: list[list[float]], classes: list[int]) -> float:
    """Mean surprise at the classes, in nats."""
    total = 0.0
    for row, c in zip(probabilities, classes, strict=True):
        total -= math.log(row[c])
    return total / len(classes)
