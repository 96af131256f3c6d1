"""Scores of a results file: the same as by hand, whatever the workers, and never twice."""

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from mrtc.errors import ResultsError
from mrtc.evaluation import scoring
from mrtc.evaluation.agreement import agreement
from mrtc.evaluation.scoring import ScoringConfig, score_results
from mrtc.metrics import Representation, mig_locatello, sap_continuous, scorecard
from mrtc.results import Header, open_writer, read

BETA = np.array([0.1, 1.0, 10.0])
NAMES = ("mig_locatello", "sap_continuous", "rate")


def make_header(beta: np.ndarray, examples: int, classes: np.ndarray | None) -> Header:
    return Header(
        beta=beta,
        num_codes=2,
        factors=() if classes is None else ("x", "y"),
        config={},
        fingerprint="toy",
        seed=0,
        source="toy",
        parameters={},
        index=np.arange(examples),
        classes=classes,
    )


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Three betas of 300 examples; the more beta, the more the two codes are mixed."""
    rng = np.random.default_rng(0)
    classes = np.stack([rng.integers(4, size=300), rng.integers(5, size=300)], axis=1)
    path = tmp_path / "results.h5"
    with open_writer(path, make_header(BETA, 300, classes)) as writer:
        for at, angle in enumerate((0.0, 0.3, 0.7)):
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            mean = (classes / [4, 5] @ turn + 0.02 * rng.standard_normal((300, 2))).astype("f4")
            log_sigma = np.full((300, 2), -2.0, np.float32)
            writer.write(at, {"mean": mean, "log_sigma": log_sigma, "active_units": 2.0})
    return path


def test_scores_are_those_of_the_kept_moments(results: Path):
    scored = score_results(results, NAMES, quiet=True)
    for at in range(3):
        moments = scored.moments(at)
        for name, score in (("mig_locatello", mig_locatello), ("sap_continuous", sap_continuous)):
            expected = score(moments.mean, moments.classes)
            assert scored.scores[name].value[at] == expected.value
            np.testing.assert_array_equal(
                scored.scores[name].values["_factor"][at], expected.per_factor
            )
    details = scored.scores["mig_locatello"].details[0]
    assert details is not None
    assert details["parameters"]["bins"] == 20
    assert details["examples"] == 300
    assert details["config"] == {"seed": 0, "bootstrap": 0, "null": 0}
    assert "scikit-learn" in details["versions"]


def test_values_do_not_depend_on_the_workers(results: Path, tmp_path: Path):
    copy = tmp_path / "copy.h5"
    copy.write_bytes(results.read_bytes())
    names = ("factor_vae", "sap_discrete", "info_m")
    config = ScoringConfig(seed=1, bootstrap=3, null=3)
    one = score_results(results, names, config, workers=1, quiet=True)
    two = score_results(copy, names, config, workers=2, quiet=True)
    for name in names:
        np.testing.assert_array_equal(one.scores[name].value, two.scores[name].value)
        assert one.scores[name].details == two.scores[name].details


def test_what_was_stopped_goes_on_at_the_next_beta(results: Path):
    whole = scoring._compute
    calls = []

    def stopping(group, representation, config, workers):
        calls.append(group)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return whole(group, representation, config, workers)

    with patch.object(scoring, "_compute", stopping), pytest.raises(KeyboardInterrupt):
        score_results(results, NAMES, quiet=True)
    partly = read(results).scores["rate"]
    assert [details is not None for details in partly.details] == [True, False, False]
    with patch.object(scoring, "_compute", wraps=whole) as compute:
        done = score_results(results, NAMES, quiet=True)
    assert compute.call_count == 2 * len(NAMES)
    assert np.isfinite(done.scores["rate"].value).all()
    with patch.object(scoring, "_compute", wraps=whole) as compute:
        score_results(results, NAMES, quiet=True)
        assert compute.call_count == 0
        score_results(results, ["rate"], force=True, quiet=True)
        assert compute.call_count == 3


def test_intervals_and_chance_stand_beside_the_value(results: Path):
    config = ScoringConfig(bootstrap=20, null=20)
    scored = score_results(results, ["sap_continuous", "rate"], config, quiet=True)
    series = scored.scores["sap_continuous"]
    low, high = series.values["_low"], series.values["_high"]
    assert (low < high).all()
    assert (low < series.value).all()
    details = series.details[0]
    assert details is not None
    assert details["null"]["p_value"] == pytest.approx(1 / 21)
    assert details["null"]["mean"] < 0.05
    assert "_low" not in scored.scores["rate"].values


def test_a_missing_need_is_a_reason_and_the_others_are_computed(tmp_path: Path):
    path = tmp_path / "plain.h5"
    mean = np.random.default_rng(0).standard_normal((50, 2)).astype("f4")
    with open_writer(path, make_header(np.array([1.0]), 50, None)) as writer:
        writer.write(0, {"mean": mean})
    scored = score_results(path, ["active_units", "rate", "irs"], quiet=True)
    assert scored.scores["active_units"].value[0] == 2
    reasons = [(scored.scores[n].details[0] or {})["reason"] for n in ("rate", "irs")]
    assert "sigmas" in reasons[0]
    assert "factors" in reasons[1]


def test_agreement_is_that_of_the_ranks_by_hand(results: Path):
    """Of three pairs of betas, one is ordered otherwise: tau is 1/3, or -1/3 once reversed."""
    names = ("dcimig", "sap_continuous", "total_correlation")
    scored = score_results(results, names, quiet=True)
    scored.scores["dcimig"].value[:] = [3, 2, 1]
    scored.scores["sap_continuous"].value[:] = [3, 1, 2]
    scored.scores["total_correlation"].value[:] = [1, 2, 3]  # of which less is better
    found = agreement(scored)
    assert found.names == names
    third = 1 / 3
    expected = [[1, third, 1], [third, 1, third], [1, third, 1]]
    np.testing.assert_allclose(found.correlation, expected)
    assert found.flips == []

    scored.scores["dcimig"].value[:] = [1, 2, 3]
    flips = agreement(scored).flips
    assert [(f.one, f.other) for f in flips] == [
        ("dcimig", "total_correlation"),
        ("dcimig", "sap_continuous"),
    ]
    assert (flips[1].best_for_one, flips[1].best_for_other) == (10.0, 0.1)
    assert flips[1].correlation == pytest.approx(-third)


def test_agreement_needs_two_scores(results: Path):
    with pytest.raises(ResultsError, match=r"holds 1 scores with a direction.*mrtc rescore"):
        agreement(score_results(results, ["irs"], quiet=True))


def test_a_scorecard_is_what_the_file_gets(results: Path):
    scored = score_results(results, NAMES, quiet=True)
    moments = scored.moments(2)
    card = scorecard(Representation.of(moments.mean, moments.log_sigma, moments.classes), NAMES)
    for name in NAMES:
        assert card[name].value == scored.scores[name].value[2]


def test_spare_workers_go_over_factors_and_change_nothing(results: Path):
    """Two scores at one beta, eight workers: classifiers of several factors are fitted at once."""
    moments = read(results).moments(0)
    one = Representation.of(moments.mean, moments.log_sigma, moments.classes)
    names = ("explicitness", "info_e", "dci_fast_completeness", "dci_gbt_completeness")
    alone, together = (scorecard(one, names, workers=workers) for workers in (1, 4))
    for name in names:
        assert alone[name].value == together[name].value
        np.testing.assert_array_equal(alone[name].per_factor, together[name].per_factor)
    scored = score_results(results, names[:2], workers=8, quiet=True)
    assert scored.scores["info_e"].value[0] == alone["info_e"].value
