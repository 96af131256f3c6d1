"""UDR against a plain loop over pairs, and models that agree or do not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrtc.metrics.udr import udr
from tests.references.udr import udr_values

SIMILARITIES = pytest.mark.parametrize("similarity", ["lasso", "spearman"])
GRID = np.stack(np.unravel_index(np.arange(27), (3, 3, 3)), 1).astype(float)


def models(seed: int = 0, number: int = 4, examples: int = 300) -> list[np.ndarray]:
    """Noisy mixtures of the same three sources, in three to five codes."""
    rng = np.random.default_rng(seed)
    sources = rng.standard_normal((examples, 3))
    sizes = rng.integers(3, 6, size=number)
    return [
        sources @ rng.standard_normal((3, d)) ** 3 + 0.2 * rng.standard_normal((examples, d))
        for d in sizes
    ]


@pytest.mark.oracle("udr")
@SIMILARITIES
def test_the_definition(similarity) -> None:
    several = models()
    got = [score.value for score in udr(several, similarity=similarity)]
    np.testing.assert_allclose(got, udr_values(several, similarity), rtol=1e-6)
    assert max(got) - min(got) > 0.02


@pytest.mark.oracle("udr")
@pytest.mark.parametrize(("similarity", "value"), [("lasso", 0.9), ("spearman", 1.0)])
def test_models_alike_up_to_order_sign_and_scale(similarity, value: float) -> None:
    """On a grid codes are uncorrelated, and a lasso takes its alpha, 0.1, from each weight."""
    several = [GRID, 5 * GRID[:, [2, 0, 1]] - 1, -GRID[:, ::-1]]
    for score in udr(several, similarity=similarity):
        assert score.value == pytest.approx(value)


@pytest.mark.oracle("udr")
def test_a_mixed_model_by_hand() -> None:
    """Two signs against their sum and difference: all rank correlations are 1/√2, so every code
    has (1/2) / (2/√2) = √2/4; the median of three models is the mean of its two pairs."""
    signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]] * 3, dtype=float)
    mixed = signs @ np.array([[1, 1], [1, -1]])
    got = [score.value for score in udr([signs, signs, mixed], similarity="spearman")]
    np.testing.assert_allclose(got, [(1 + 2**0.5 / 4) / 2] * 2 + [2**0.5 / 4])


@SIMILARITIES
@pytest.mark.oracle("udr")
def test_independent_models_do_not_agree(similarity) -> None:
    rng = np.random.default_rng(0)
    several = [rng.standard_normal((2000, 3)) for _ in range(3)]
    assert max(score.value for score in udr(several, similarity=similarity)) < 0.05


@SIMILARITIES
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_order_sign_and_scale_of_codes_do_not_count(similarity, seed: int) -> None:
    rng = np.random.default_rng(seed)
    several = models(seed, 3, 100)
    turned = [
        z[:, rng.permutation(z.shape[1])] * rng.choice([-1, 1], z.shape[1]) * 3 for z in several
    ]
    got = [score.value for score in udr(several, similarity=similarity)]
    again = [score.value for score in udr(turned, similarity=similarity)]
    np.testing.assert_allclose(again, got, atol=1e-4)  # the lasso stops at a tolerance
    assert min(got) >= 0


@SIMILARITIES
def test_uninformative_codes_are_left_out(similarity) -> None:
    """By variance, or by the rates that are given."""
    a, b, c = models(number=3)
    value = [score.value for score in udr([a, b, c], similarity=similarity)]
    noise = 0.05 * np.random.default_rng(0).standard_normal((300, 1))
    more = udr([np.hstack([noise, a]), b, c], similarity=similarity)
    assert [score.value for score in more] == pytest.approx(value)
    assert more[0].parameters["informative_codes"] == a.shape[1]
    rates = [np.array([0.01] + [2.0] * a.shape[1]), np.ones(b.shape[1]), np.ones(c.shape[1])]
    more = udr([np.hstack([b[:, :1], a]), b, c], similarity=similarity, rates=rates)
    assert [score.value for score in more] == pytest.approx(value)


@SIMILARITIES
def test_a_collapsed_model_has_no_score_and_is_no_partner(similarity) -> None:
    a, b, _, _ = models()
    collapsed = np.full((300, 2), 0.1)
    got = udr([a, collapsed], similarity=similarity)
    assert (got[0].value, got[1].reason) == (0, "no code is informative")
    got = udr([a, b, collapsed], similarity=similarity, threshold=-1.0)
    assert got[0].value == pytest.approx(udr([a, b], similarity=similarity)[0].value / 2)
    assert udr([a[:1], b[:1]], similarity=similarity)[0].reason == "no code is informative"


def test_one_model_has_no_score() -> None:
    (score,) = udr(models()[:1])
    assert score.reason == "agreement needs at least two models"
    assert udr([]) == []


@SIMILARITIES
def test_single_codes_and_a_thousand(similarity) -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((50, 1))
    assert udr([z, -z], similarity=similarity)[0].value > 0.89
    wide = [rng.standard_normal((10, 1000)), rng.standard_normal((10, 3))]
    assert all(score.value >= 0 for score in udr(wide, similarity=similarity))


def test_bad_input_is_refused() -> None:
    a, b, _, _ = models()
    with pytest.raises(ValueError, match=r"same examples; got \[300, 299\] rows"):
        udr([a, b[1:]])
    with pytest.raises(ValueError, match="codes of model 1 holds"):
        udr([a, np.where(b > 1, np.nan, b)])
    with pytest.raises(ValueError, match="one array a model; got 1 for 2"):
        udr([a, b], rates=[np.ones(3)])
    with pytest.raises(ValueError, match=rf"each of its {a.shape[1]} codes; got the shape \(9,\)"):
        udr([a, b], rates=[np.ones(9), np.ones(b.shape[1])])
