"""A small evaluation with every kind of variable in it."""

from pathlib import Path

import numpy as np
import pytest

from mrtc.results import Header, open_writer

BETA = np.array([0.1, 1.0, 10.0])
FACTORS = ("shape", "scale", "größe")  # a name that is not ASCII
PARAMETERS = {"mig_chen": {"estimator": "quadrature", "examples": 500, "scored_factors": ["scale"]}}


def make_header(**changes: object) -> Header:
    values = {
        "beta": BETA,
        "num_codes": 2,
        "factors": FACTORS,
        "config": {"model": {"features": 1200}, "note": "é" * 70_000},
        "fingerprint": "a1b2",
        "seed": 7,
        "source": "dSprites, rendered",
        "parameters": {"estimator": "quadrature", "examples": 500},
        "index": np.array([3, 5, 8, 13]),
        "classes": np.array([[0, 1, 2], [1, 1, 0], [2, 0, 1], [0, 0, 0]]),
    }
    return Header(**(values | changes))  # type: ignore[arg-type]


def make_values(beta_index: int) -> dict[str, np.ndarray | float]:
    draw = np.random.default_rng(beta_index)
    return {
        "rate": draw.random(),
        "rate_code": draw.random(2),
        "active_units": np.int64(2),
        "mig_chen": draw.random(),
        "mig_chen_factor": draw.random(3),
        "information": draw.random((2, 3)),
        "factor_entropy": np.log([3.0, 6.0, 40.0]),
        "mean": draw.random((4, 2), np.float32),
        "log_sigma": draw.random((4, 2), np.float32),
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.h5"


@pytest.fixture
def filled(path: Path) -> Path:
    """Evaluated at the first and the last of three betas."""
    with open_writer(path, make_header()) as writer:
        for beta_index in (0, 2):
            writer.write(beta_index, make_values(beta_index), PARAMETERS)
    return path
