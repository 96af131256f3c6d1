"""Options of commands that make many runs: learning rates to choose among, and where runs go."""

import math
from functools import partial

from mrtc.errors import MrtcError
from mrtc.experiments.baselines import PAPER_LEARNING_RATES
from mrtc.experiments.execute import Executor, in_processes, one_after_another
from mrtc.experiments.ray_cluster import on_ray
from mrtc.experiments.stacks import in_stacks


def parse_learning_rates(text: str | None) -> tuple[float, ...]:
    """Reads ``"1e-2,3e-3"`` or ``"paper"``.

    Raises:
        MrtcError: If a value is not a positive number.
    """
    if text is None:
        return ()
    if text == "paper":
        return PAPER_LEARNING_RATES
    try:
        rates = tuple(float(part) for part in text.split(","))
    except ValueError:
        rates = (math.nan,)
    if not all(math.isfinite(rate) and rate > 0 for rate in rates):
        raise MrtcError(
            f"--learning-rates {text!r} is no list of positive numbers; write 1e-2,3e-3 or `paper`"
        )
    return rates


def choose_executor(
    *, workers: int, stack: int | None, ray: str | None, gpus_per_run: float, quiet: bool
) -> Executor:
    """Where the runs of a grid are performed.

    Raises:
        MrtcError: If more than one place is asked for.
    """
    asked = [
        name
        for name, is_asked in {
            "--workers": workers > 1,
            "--stack": stack is not None,
            "--ray": ray is not None,
        }.items()
        if is_asked
    ]
    if len(asked) > 1:
        raise MrtcError(f"{' and '.join(asked)} each say where the runs are performed; give one")
    if ray is not None:
        return partial(on_ray, address=ray, gpus_per_run=gpus_per_run, quiet=quiet)
    if stack is not None:
        return partial(in_stacks, size=stack, quiet=quiet)
    if workers > 1:
        return partial(in_processes, workers=workers)
    return partial(one_after_another, quiet=quiet)
