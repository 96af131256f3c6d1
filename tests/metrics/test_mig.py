"""The gap in its limits, what is scored, and what is said where there is no score."""

import numpy as np
import pytest

from mrtc.metrics.information import information_matrix
from mrtc.metrics.mig import mig_chen, mutual_information_gap, score_gaps

NAMES = ("shape", "x", "y")
FACTORS = np.stack(np.unravel_index(np.arange(3 * 8 * 8), (3, 8, 8)), 1)


def posterior(codes: np.ndarray, sigma: float = 0.02) -> tuple[np.ndarray, np.ndarray]:
    return codes.astype(float), np.full(codes.shape, np.log(sigma))


def test_gap_by_hand() -> None:
    """Best less second, over the entropy; a negative second counts as zero; 0 / 0 is NaN."""
    information = np.array([[0.9, 0.6, 0.0], [0.5, -0.1, 0.0], [0.1, -0.2, 0.0]])
    got = mutual_information_gap(information, np.array([1.0, 2.0, 0.0]))
    np.testing.assert_allclose(got, [0.4, 0.3, np.nan])


def test_gap_needs_two_codes() -> None:
    with pytest.raises(ValueError, match=r"at least two codes, got information of \(1, 3\)"):
        mutual_information_gap(np.zeros((1, 3)), np.ones(3))


@pytest.mark.oracle("mig_chen")
def test_one_code_a_factor_has_gap_one() -> None:
    got = mig_chen(*posterior(FACTORS), FACTORS, NAMES)
    assert got.score == pytest.approx(1, abs=1e-5)
    assert got.gaps.keys() == set(NAMES)
    assert got.reason is None


@pytest.mark.oracle("mig_chen")
def test_a_duplicated_code_has_gap_zero() -> None:
    got = mig_chen(*posterior(np.repeat(FACTORS, 2, axis=1)), FACTORS, NAMES)
    assert got.score == pytest.approx(0, abs=1e-9)


@pytest.mark.oracle("mig_chen")
def test_collapsed_codes_have_gap_zero() -> None:
    got = mig_chen(np.zeros((192, 3)), np.zeros((192, 3)), FACTORS, NAMES)
    assert got.score == pytest.approx(0, abs=1e-9)


@pytest.mark.oracle("mig_chen")
def test_a_code_of_half_a_factor() -> None:
    """A code that tells 8 classes in 4 pairs knows log 4 of log 8; the rest is collapsed."""
    mean = np.stack([FACTORS[:, 1] // 2, np.zeros(192)], 1)
    got = mig_chen(*posterior(mean), FACTORS, NAMES, scored=["x"])
    assert got.gaps == {"x": pytest.approx(2 / 3, abs=1e-5)}


def test_only_the_scored_factors_count() -> None:
    """Shape has no code: with it the mean is 2/3, without it 1, by name as by index."""
    mean = FACTORS * np.array([0, 1, 1])
    moments = posterior(mean)
    assert mig_chen(*moments, FACTORS, NAMES).score == pytest.approx(2 / 3, abs=1e-5)
    for scored in (["x", "y"], [1, 2]):
        got = mig_chen(*moments, FACTORS, NAMES, scored=scored)
        assert got.score == pytest.approx(1, abs=1e-5)
        assert got.left_out == {"shape": "not asked for"}
        assert got.columns == ("x", "y")
        assert got.information.information.shape == (3, 2)


def test_a_constant_factor_is_left_out_by_name() -> None:
    """The mean is over the others, and the score says so."""
    rows = FACTORS[:, 0] == 1
    mean, log_sigma = posterior(FACTORS[rows])
    got = mig_chen(mean, log_sigma, FACTORS[rows], NAMES)
    assert got.score == pytest.approx(1, abs=1e-5)
    assert got.left_out == {"shape": "never varies in these examples"}
    got = mig_chen(mean, log_sigma, FACTORS[rows], NAMES, scored=["shape", "y"])
    assert got.left_out == {"shape": "never varies in these examples", "x": "not asked for"}
    got = score_gaps(information_matrix(mean, log_sigma, FACTORS[rows]), NAMES, ["shape", "y"])
    assert got.left_out == {"shape": "never varies in these examples", "x": "not asked for"}


def test_the_same_from_information_at_hand() -> None:
    """Scoring a part of a table equals computing that part only."""
    mean, log_sigma = posterior(FACTORS + np.roll(FACTORS, 1, axis=0), 0.5)
    table = information_matrix(mean, log_sigma, FACTORS)
    whole = score_gaps(table, NAMES, ["y", "shape"])
    direct = mig_chen(mean, log_sigma, FACTORS, NAMES, scored=["y", "shape"])
    assert whole.gaps == pytest.approx(direct.gaps)
    assert whole.score == pytest.approx(np.mean([whole.gaps["y"], whole.gaps["shape"]]))
    assert whole.left_out == direct.left_out


def test_where_there_is_no_score_it_is_nan_with_a_reason() -> None:
    mean, log_sigma = posterior(FACTORS)
    one_code = mig_chen(mean[:, :1], log_sigma[:, :1], FACTORS, NAMES)
    assert np.isnan(one_code.score)
    assert one_code.reason == "a gap needs at least two codes, there is 1"
    constant = mig_chen(mean[:5], log_sigma[:5], np.zeros((5, 3), int), NAMES)
    assert np.isnan(constant.score)
    assert constant.reason == "no factor is left to score"
    assert constant.left_out.keys() == set(NAMES)


@pytest.mark.parametrize(
    ("names", "scored", "message"),
    [
        (NAMES, ["z"], r"no factors \['z'\]; choose among \['shape', 'x', 'y'\]"),
        (NAMES, [3], r"no factors \[3\]"),
        (NAMES, ["x", 1], "only once"),
        (NAMES[:2], None, "got 2 names for 3 factors"),
    ],
)
def test_wrong_names_are_refused(
    names: tuple[str, ...], scored: list[str | int] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        mig_chen(*posterior(FACTORS), FACTORS, names, scored=scored)
