"""Files of codes: the same arrays from every format, and a clear word on what does not fit."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from mrtc.datasets.codes import read_codes
from mrtc.errors import DataError

MEAN = np.random.default_rng(0).standard_normal((6, 2))
SIGMA = np.full((6, 2), 0.5)
FACTORS = np.arange(12).reshape(6, 2) % 3
NAMES = np.array(["shape", "x"])


def write_npz(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)
    return path


def test_every_format_holds_the_same(tmp_path: Path):
    npz = write_npz(
        tmp_path / "a.npz", codes=MEAN, sigma=SIGMA, factors=FACTORS, factor_names=NAMES
    )
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.update({"mean": MEAN, "log_sigma": np.log(SIGMA), "factors": FACTORS})
        file["factor_names"] = ["shape", "x"]
    table = pd.DataFrame(
        {f"mean_{k}": MEAN[:, k] for k in range(2)}
        | {f"sigma_{k}": SIGMA[:, k] for k in range(2)}
        | {"factor_shape": FACTORS[:, 0], "factor_x": FACTORS[:, 1]}
    )
    table.to_parquet(tmp_path / "a.parquet")
    for path in (npz, tmp_path / "a.h5", tmp_path / "a.parquet"):
        codes = read_codes(path)
        np.testing.assert_array_equal(codes.mean, MEAN[None].astype(np.float32))
        np.testing.assert_allclose(codes.log_sigma, np.log(0.5), rtol=1e-6)
        np.testing.assert_array_equal(codes.factors, FACTORS)
        assert codes.factor_names == ("shape", "x")
        assert codes.beta is None


def test_codes_alone_are_enough(tmp_path: Path):
    codes = read_codes(write_npz(tmp_path / "a.npz", mean=MEAN))
    assert (codes.log_sigma, codes.factors, codes.factor_names) == (None, None, ())


def test_codes_at_several_betas(tmp_path: Path):
    path = write_npz(tmp_path / "a.npz", mean=np.stack([MEAN, MEAN / 2]), beta=[0.5, 2.0])
    codes = read_codes(path)
    assert codes.mean.shape == (2, 6, 2)
    np.testing.assert_array_equal(codes.beta, [0.5, 2.0])


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"factors": FACTORS}, "holds no codes, only factors"),
        ({"mean": MEAN.astype(str)}, "real numbers, got the type <U"),
        ({"mean": MEAN[0]}, r"needs the shape .* got \(2,\)"),
        ({"mean": np.full((3, 2), np.nan)}, "6 values that are not finite"),
        ({"mean": MEAN, "sigma": -SIGMA}, "above 0; got a lowest of -0.5"),
        ({"mean": MEAN, "sigma": SIGMA[:3]}, r"one shape; got \(1, 6, 2\) and \(1, 3, 2\)"),
        ({"mean": MEAN, "factors": FACTORS[:5]}, r"each of 6 examples.*got \(5, 2\)"),
        ({"mean": MEAN, "factors": FACTORS / 2}, "whole numbers from 0 on; got the type float64"),
        ({"mean": MEAN, "factors": FACTORS.astype(str)}, "got the type <U"),
        ({"mean": MEAN, "factors": FACTORS - 1}, "lowest -1"),
        ({"mean": MEAN, "factors": FACTORS, "factor_names": ["x", "x"]}, "2 different names"),
        ({"mean": np.stack([MEAN] * 2)}, "with an increasing array beta.*no beta"),
        ({"mean": np.stack([MEAN] * 2), "beta": [2.0, 1.0]}, "increasing array beta"),
        ({"mean": np.array([object()])}, "damaged, or no .npz file"),
    ],
)
def test_what_does_not_fit_is_told(arrays: dict[str, object], said: str, tmp_path: Path):
    with pytest.raises(DataError, match=said):
        read_codes(write_npz(tmp_path / "a.npz", **arrays))


@pytest.mark.parametrize("ending", [".npz", ".h5", ".parquet"])
def test_a_web_page_is_refused(ending: str, tmp_path: Path):
    path = tmp_path / f"page{ending}"
    path.write_text("<!DOCTYPE html>")
    with pytest.raises(DataError, match=r"page\."):
        read_codes(path)
    with pytest.raises(DataError, match="no such file"):
        read_codes(tmp_path / f"none{ending}")
    with pytest.raises(DataError, match="ends in none of"):
        read_codes(tmp_path / "codes.csv")
