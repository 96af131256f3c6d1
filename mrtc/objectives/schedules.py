"""Schedules of the rate's weight in training: constant, annealed, or held low at first."""

from typing import Literal

RateSchedule = Literal["constant", "monotonic", "cyclic", "held"]

RAMP = 0.3
"""Part of the training over which the monotonic schedule rises, and the held one is held."""

HELD = 1e-4
"""Weight while held. Bae et al. say "a small constant" only; this is NVAE's own weight in the very
first steps of its annealing."""

CYCLES = 4
"""Of the cyclic schedule; each rises over its first half, and then stays."""


def rate_weight(schedule: RateSchedule, step: int, steps: int) -> float:
    """The factor, in [0, 1], that the weight of the rate is multiplied by.

    Args:
        schedule: ``constant``: 1. ``monotonic``: from 0 to 1, linearly over the first 30 % of the
            training. ``cyclic``: four times from 0 to 1, each time linearly over half a cycle.
            ``held``: ``HELD`` for the first 30 % of the training, and then 1.
        step: Counted from 0.
        steps: Of the whole training.

    References:
        Bowman et al., CoNLL 2016 (monotonic); Fu et al., NAACL 2019 (cyclic); Bae et al., ICLR
        2023, whose baselines use these lengths, and whose hierarchies are held for stability.
    """
    if schedule == "constant":
        return 1.0
    if schedule == "monotonic":
        return min(1.0, step / (RAMP * steps))
    if schedule == "held":
        return HELD if step < RAMP * steps else 1.0
    position = step * CYCLES / steps % 1
    return min(1.0, 2 * position)
