"""Results as an evaluation leaves them, of any number of betas, without a file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mrtc.results import Header, Results

FACTORS = ("shape", "scale", "orientation", "x", "y")
MakeResults = Callable[..., Results]


@pytest.fixture
def make_results() -> MakeResults:
    return _make


def _make(num_betas: int, num_codes: int = 10, pending: tuple[int, ...] = ()) -> Results:
    draw = np.random.default_rng(0)
    evaluated = np.ones(num_betas, bool)
    evaluated[list(pending)] = False
    metrics = {
        "rate": np.sort(draw.uniform(1, 60, num_betas))[::-1].copy(),
        "distortion": np.sort(draw.uniform(10, 90, num_betas)),
        "rate_code": draw.uniform(0, 6, (num_betas, num_codes)),
        "active_units": draw.integers(2, num_codes + 1, num_betas).astype(float),
        "mig_chen": draw.random(num_betas),
        "mig_chen_factor": draw.random((num_betas, len(FACTORS))),
    }
    for values in metrics.values():
        values[~evaluated] = np.nan
    return Results(
        path=Path("results.h5"),
        header=Header(
            beta=np.geomspace(0.1, 10, num_betas) if num_betas > 1 else np.array([4.0]),
            num_codes=num_codes,
            factors=FACTORS,
            config={},
            fingerprint="a1b2",
            seed=0,
            source="dSprites, rendered",
            parameters={"estimator": "quadrature"},
        ),
        evaluated=evaluated,
        metrics=metrics,
        parameters={name: {"examples": 737_280} for name in metrics}
        | {
            "mig_chen": {
                "examples": 737_280,
                "estimator": "quadrature",
                "scored_factors": list(FACTORS[1:]),
            }
        },
        versions={},
        created="",
    )
