"""Results files of every kind, some with pictures, and names that try to be more than names."""

from pathlib import Path

import numpy as np
import pytest

from mrtc.report.series import Source
from mrtc.results import Header, open_writer, read
from mrtc.results.pictures import StoredPictures, read_pictures, write_pictures

BETA = np.array([0.1, 0.5, 1.0, 5.0, 10.0])
NASTY = "<script>window.hacked=1</script>\"'&\u2028🙂"
NASTY_END = "</script><img src=x onerror=window.hacked=1>"
FACTORS = ("shape", NASTY, NASTY_END)
CODES = 4


def make_file(
    path: Path, beta: np.ndarray = BETA, *, likelihood: str = "bernoulli", pending: int = 0
) -> Path:
    """Results of a multi-rate model, or of a baseline where there is one beta."""
    config = {
        "betas": {"low": float(beta[0]), "high": float(beta[-1])},
        "dataset": "dsprites",
        "likelihood": likelihood,
        "seed": 0,
        "note": NASTY_END,
    }
    header = Header(
        beta=beta,
        num_codes=CODES,
        factors=FACTORS,
        config=config,
        fingerprint=f"weights of {path.stem}",
        seed=0,
        source=NASTY,
        parameters={"estimator": "quadrature"},
        cost={"steps": 400, "examples": 102_400, "seconds": 90.0, "parameters": 1234},
    )
    with open_writer(path, header) as writer:
        for at in range(len(beta) - pending):
            writer.write(at, values_at(float(beta[at])))
    return path


def values_at(beta: float) -> dict[str, np.ndarray | float]:
    """Numbers that tell their beta."""
    draw = np.random.default_rng(int(1000 * beta))
    return {
        "rate": 10 / (1 + beta),
        "rate_error": 0.25,
        "distortion": 50 + beta,
        "distortion_error": 0.5,
        "active_units": 3.0,
        "mig_chen": beta / 20,
        "rate_code": np.array([0.1, 4.0, 2.0, 0.0]) / beta,
        "information": draw.random((CODES, len(FACTORS))),
        "factor_entropy": np.log([3.0, 6.0, 40.0]),
    }


def make_pictures(
    path: Path, beta: np.ndarray = BETA, *, shape: tuple[int, ...] = (6, 5), seed: int = 0
) -> StoredPictures:
    """Noise, of which no two images are equal."""
    draw = np.random.default_rng(seed)

    def images(*places: int) -> np.ndarray:
        return draw.integers(0, 256, (*places, *shape), np.uint8)

    originals = np.random.default_rng(9).integers(0, 256, (3, *shape), np.uint8)
    return StoredPictures(
        fingerprint=f"weights of {path.stem}",
        source=NASTY,
        beta=beta,
        example=np.array([2, 7, 9]),
        code=np.array([1, 2]),
        value=np.array([-2.0, 0.0, 2.0]),
        originals=originals,
        reconstructions=images(len(beta), 3),
        samples=images(len(beta), 10),
        traversals=images(len(beta), 2, 3),
        parameters={"seed": seed, "traversed": 2},
    )


def source(path: Path) -> Source:
    return Source(path, read(path), read_pictures(path))


@pytest.fixture
def multirate(tmp_path: Path) -> Path:
    """With pictures at three of its five betas, under a name that no shell would like."""
    path = make_file(tmp_path / "<b onclick=alert(1)>&amp;'🙂.h5")
    write_pictures(path, make_pictures(path, BETA[[0, 2, 4]]))
    return path


@pytest.fixture
def baselines(tmp_path: Path) -> list[Path]:
    """Two, of which one has pictures."""
    paths = [make_file(tmp_path / f"base{beta:g}.h5", np.array([beta])) for beta in (0.1, 5.0)]
    write_pictures(paths[0], make_pictures(paths[0], BETA[:1], seed=1))
    return paths
