"""Laws that every score of the catalogue obeys, and the rule that none escapes them."""

import ast
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch

from mrtc.errors import MrtcError
from mrtc.metrics.catalogue import CATALOGUE, DISTANCES, SLOW, choose
from mrtc.metrics.score import Score
from mrtc.metrics.scorecard import Representation, computations, scorecard

OF_CODES = [n for n, m in CATALOGUE.items() if not {"decoder", "models"} & set(m.needs)]
"""Those of the others, which other arrays are given to, have their own tests of the same laws."""

DRAWN = {"beta_vae", "explicitness", "factor_vae", "info_e", "info_c", "info_m", "sap_discrete"}
"""Whose fits and draws see the codes in their order: equal up to this much after a permutation."""
PERMUTATION_ERROR = {
    **dict.fromkeys(DRAWN, 0.02),
    **{name: 0.05 for name in CATALOGUE if name.startswith("dci_")},
    "mig_chen_sampling": 0.05,
    **dict.fromkeys(("index_code_mi", "total_correlation"), 0.05),
}


COMPUTED_BY = {
    **{name: name.rsplit("_", 1)[0] for name in CATALOGUE if name.startswith("dci_")},
    **dict.fromkeys(("index_code_mi", "total_correlation", "dimensionwise_kl"), "aggregate_terms"),
}
"""Names of the functions that give several scores."""


@pytest.fixture(scope="module", autouse=True)
def few_samples() -> Iterator[None]:
    """The sampling estimator's cost is not what is looked at here."""
    with patch("mrtc.metrics.scorecard.SAMPLES", 1000):
        yield


def representation(seed: int = 0, examples: int = 400) -> Representation:
    """Three factors, one in a code of its own, two mixed, and a code of noise."""
    rng = np.random.default_rng(seed)
    factors = np.stack([rng.integers(k, size=examples) for k in (3, 4, 5)], axis=1)
    a, b, c = (factors / [3, 4, 5]).T
    codes = np.stack([a, b + c, b - 0.5 * c, np.zeros(examples)], axis=1)
    mean = codes + 0.05 * rng.standard_normal(codes.shape)
    return Representation.of(mean, np.full(mean.shape, -2.0), factors)


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    return scorecard(representation(), OF_CODES)


def oracles() -> Counter[str]:
    """How many tests carry each name in their oracle marker."""
    found: Counter[str] = Counter()
    for path in Path(__file__).parents[1].rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.oracle":
                found.update(arg.value for arg in node.args if isinstance(arg, ast.Constant))
    return found


def test_every_score_has_values_obtained_another_way():
    """At least three, counting the laws of this file as one."""
    found = oracles()
    missing = {
        name: found[COMPUTED_BY.get(name, name)]
        for name in CATALOGUE
        if found[COMPUTED_BY.get(name, name)] < 2
    }
    assert not missing


def test_every_score_of_codes_is_computed(scores: dict[str, Score]):
    assert set(scores) == set(OF_CODES)
    assert not {name: score.reason for name, score in scores.items() if score.reason}
    others = {"udr", "importance_weighted_bound", "distortion", "elbo"}
    assert set(CATALOGUE) - set(OF_CODES) == others | set(DISTANCES)


@pytest.mark.parametrize("name", OF_CODES)
def test_scores_keep_to_their_range(name: str, scores: dict[str, Score]):
    metric = CATALOGUE[name]
    slack = 1e-9 if metric.unit == "1" else 0.05  # estimates in nats have an error
    assert metric.low - slack <= scores[name].value <= metric.high + slack


@pytest.mark.parametrize("name", OF_CODES)
def test_the_order_of_the_codes_does_not_matter(name: str, scores: dict[str, Score]):
    one = representation()
    order = [2, 0, 3, 1]
    other = Representation(one.mean[:, order], one.posterior[1][:, order], one.factors)
    permuted = scorecard(other, [name])[name]
    assert permuted.value == pytest.approx(
        scores[name].value, abs=PERMUTATION_ERROR.get(name, 1e-9)
    )


@pytest.mark.parametrize("name", OF_CODES)
def test_repeated_calls_agree(name: str, scores: dict[str, Score]):
    assert scorecard(representation(), [name])[name].value == scores[name].value


@pytest.mark.parametrize("name", OF_CODES)
def test_a_score_has_a_part_for_each_factor_or_code(name: str, scores: dict[str, Score]):
    per_factor, per_code = scores[name].per_factor, scores[name].per_code
    assert per_factor is None or per_factor.shape == (3,)
    assert per_code is None or per_code.shape == (4,)


@pytest.mark.parametrize("name", [n for n in OF_CODES if n not in SLOW])
@pytest.mark.parametrize(
    "mean",
    [np.zeros((50, 3)), np.ones((50, 1)) * np.arange(50)[:, None], np.zeros((1, 3))],
    ids=["collapsed", "one code", "one example"],
)
def test_nothing_to_score_is_a_number_in_range_or_a_reason(name: str, mean: np.ndarray):
    factors = np.arange(len(mean))[:, None] % 5
    score = scorecard(Representation.of(mean, np.zeros(mean.shape), factors), [name])[name]
    metric = CATALOGUE[name]
    if math.isnan(score.value):
        assert score.reason
    else:
        assert metric.low - 1e-6 <= score.value <= metric.high


def test_what_is_missing_is_said():
    scores = scorecard(Representation.of(representation().mean), ["sap_continuous", "rate", "udr"])
    assert "needs factors" in str(scores["sap_continuous"].reason)
    assert "sigmas" in str(scores["rate"].reason)
    assert "several models" in str(scores["udr"].reason)


def test_tensors_are_as_good_as_arrays():
    one = representation()
    mean = torch.from_numpy(one.mean).requires_grad_()
    other = Representation.of(mean, torch.from_numpy(one.posterior[1]), one.classes.tolist())
    names = ["mig_locatello", "rate"]
    assert [s.value for s in scorecard(one, names).values()] == [
        s.value for s in scorecard(other, names).values()
    ]


@pytest.mark.oracle("mig_chen_sampling", "mig_chen")
def test_the_two_estimators_of_chen_s_gap_agree():
    """1,000 draws an entropy: a standard error of some hundredths of the gap."""
    scores = scorecard(representation(), ["mig_chen", "mig_chen_sampling"])
    quadrature, sampling = (np.array(scores[name].per_factor) for name in scores)
    np.testing.assert_allclose(sampling, quadrature, atol=0.08)
    assert scores["mig_chen_sampling"].parameters["samples"] == 1000


def test_few_active_codes_are_a_caution():
    one = representation()
    mean = one.mean * [1, 0, 0, 0]
    score = scorecard(Representation.of(mean, None, one.factors), ["mig_locatello"])
    assert "1 active codes" in str(score["mig_locatello"].caution)
    score = scorecard(one, ["mig_locatello"])
    assert score["mig_locatello"].caution is None


def test_binnings_that_disagree_are_a_caution():
    """Three outliers of 400 squeeze all others into one equal bin."""
    one = representation()
    mean = one.mean.copy()
    mean[:3, 0] = 50.0
    scores = scorecard(
        Representation.of(mean, None, one.factors), ["mig_locatello", "mig_quantile"]
    )
    assert scores["mig_locatello"].value < scores["mig_quantile"].value - 0.05
    assert "look for outliers" in str(scores["mig_quantile"].caution)
    alone = scorecard(Representation.of(mean, None, one.factors), ["mig_locatello"])
    assert list(alone) == ["mig_locatello"]
    assert "look for outliers" in str(alone["mig_locatello"].caution)


def test_metrics_are_chosen_by_name_by_family_and_all_at_once():
    assert choose("sap_discrete, sap_discrete") == ("sap_discrete",)
    gaps = tuple(n for n, m in CATALOGUE.items() if m.family == "gaps" and n not in SLOW)
    assert choose("gaps") == gaps
    assert not set(SLOW) & set(choose("all"))
    assert choose(["udr"]) == choose("models") == ("udr",)
    with pytest.raises(MrtcError, match="no metric 'migg'; choose among all, families"):
        choose("migg")


def test_what_has_a_computation_in_common_is_computed_once():
    groups = computations(["dci_fast_completeness", "dci_fast_disentanglement", "udr"])
    assert [len(group) for group in groups] == [3, 1]


def test_binary_attributes_are_factors_of_two_classes():
    """Forty of them, some rare, some never there, none on a grid; no score needs more."""
    rng = np.random.default_rng(0)
    share = np.r_[0.0, 0.03, np.linspace(0.1, 0.9, 38)]
    attributes = (rng.random((400, 40)) < share).astype(bool)
    mean = attributes[:, [5, 10, 20]] + 0.2 * rng.standard_normal((400, 3))
    names = [n for n in OF_CODES if not n.startswith("dci_")]
    one = Representation.of(mean, np.full(mean.shape, -1.0), attributes)
    for name, score in scorecard(one, names).items():
        assert score.reason is None, (name, score.reason)
        if score.per_factor is not None:
            assert math.isnan(score.per_factor[0])
            assert np.isfinite(score.per_factor[[5, 10, 20]]).all()
