"""What holds for every score of binned codes and of linear probes: symmetries and bad input."""

from inspect import signature

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrtc.metrics.explicitness import explicitness
from mrtc.metrics.infomec import info_c, info_e, info_m
from mrtc.metrics.mig_histogram import mig_locatello, mig_quantile
from mrtc.metrics.mig_variants import dcimig, jemmig, mig_sup
from mrtc.metrics.modularity import modularity

COUNTED = (mig_locatello, mig_quantile, mig_sup, dcimig, jemmig, modularity)
PROBES = (explicitness, info_e)
SCORES = (*COUNTED, info_m, info_c, *PROBES)


def sample(seed: int, examples: int = 100, codes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Random mixtures of factors with gaps among their classes, one of them binary and rare."""
    rng = np.random.default_rng(seed)
    columns = [
        rng.choice([0, 3, 4], examples),
        rng.random(examples) < 0.2,
        rng.integers(0, 6, examples),
    ]
    factors = np.stack(columns, 1).astype(int)
    mixed = factors @ rng.normal(size=(3, codes))
    return mixed + 0.5 * rng.normal(size=mixed.shape), factors


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.permutations(range(4)),
    st.lists(st.sampled_from([-1, 1]), min_size=4, max_size=4),
)
def test_order_and_sign_of_codes_do_not_matter_and_scores_are_bounded(
    seed: int, order: list[int], sign: list[int]
) -> None:
    """Equal-width bins of the mirrored code are the mirrored bins, but for values on an edge."""
    codes, factors = sample(seed)
    for score in SCORES:
        got = score(codes, factors)
        assert -1e-9 <= got.value <= 1 + 1e-9
        changed = score((codes * sign)[:, order], factors)
        # probes stop within 1e-4 of their optimum, which may swap two of the ranked examples; in
        # classes of fewer than 20 examples rounding decides whether the tenth neighbour counts
        error = 1e-9 if score in COUNTED else 0.05
        assert changed.value == pytest.approx(got.value, abs=error)
        if got.per_code is not None:
            np.testing.assert_allclose(changed.per_code, got.per_code[order], atol=error)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_names_and_gaps_of_classes_do_not_matter(seed: int) -> None:
    """Classes renamed in order; the first factor and the last exchanged."""
    codes, factors = sample(seed)
    for score in SCORES:
        got, changed = score(codes, factors), score(codes, (7 * factors + 2)[:, ::-1])
        assert changed.value == pytest.approx(got.value, abs=1e-9)
        if got.per_factor is not None:
            np.testing.assert_allclose(changed.per_factor, got.per_factor[::-1], atol=1e-9)


@pytest.mark.parametrize("score", SCORES)
def test_noise_lowers_the_score(score) -> None:
    """From one code a class or a factor to codes drowned in noise."""
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 2, (600, 3))
    noise = rng.normal(size=factors.shape)
    clear, blurred = (score(factors + s * noise, factors).value for s in (0.05, 3.0))
    assert blurred < clear - 0.1


@pytest.mark.parametrize("score", SCORES)
def test_the_arguments_alone_decide(score) -> None:
    """Twice the same, whatever the global generator did; tensors and float32 as well."""
    codes, factors = sample(0)
    codes = codes.astype(np.float32)
    expected = score(codes, factors).value
    np.random.seed(1)  # noqa: NPY002 -- what must not matter
    assert score(codes, factors).value == expected
    assert score(torch.tensor(codes, requires_grad=True), torch.tensor(factors)).value == expected


@pytest.mark.parametrize("score", SCORES)
def test_parameters_name_every_option(score) -> None:
    """Each keyword argument by its name, beside the number of examples; workers change nothing."""
    parameters = score(*sample(0)).parameters
    assert parameters["examples"] == 100
    options = [p.name for p in signature(score).parameters.values() if p.kind == p.KEYWORD_ONLY]
    assert parameters.keys() >= set(options) - {"workers"}
    undefined = score(np.ones((5, 2)), np.ones((5, 2), int)).parameters
    assert undefined.keys() == parameters.keys()


@pytest.mark.parametrize("score", SCORES)
def test_bad_input_is_refused(score) -> None:
    codes, factors = sample(0)
    with pytest.raises(ValueError, match="one row for each example; got 100 and 99"):
        score(codes, factors[1:])
    with pytest.raises(ValueError, match="at least one of each; got \\(0, 4\\)"):
        score(codes[:0], factors[:0])
    with pytest.raises(ValueError, match="turn each column into indices"):
        score(codes, factors + 0.5)
    codes[3, 1] = np.nan
    with pytest.raises(ValueError, match="codes holds 1 values of 400 that are not finite"):
        score(codes, factors)


@pytest.mark.parametrize("score", SCORES)
def test_no_score_where_nothing_varies(score) -> None:
    """One example, or one class of each factor."""
    codes, factors = sample(0)
    for got in (score(codes[:1], factors[:1]), score(codes, np.full_like(factors, 3))):
        assert np.isnan(got.value)
        assert "vary" in got.reason or "varies" in got.reason


@pytest.mark.parametrize("score", SCORES)
def test_constant_codes(score) -> None:
    """No gap, no part of the entropy, chance; no number where it would be a ratio of nothing."""
    factors = sample(0)[1]
    got = score(np.full((100, 4), 0.3), factors)
    if score in (mig_sup, jemmig, modularity, info_m, info_c):
        assert np.isnan(got.value)
        assert got.reason in ("no code is active", "no code varies in these examples")
    else:
        assert got.value == pytest.approx(0.5 if score is explicitness else 0, abs=1e-5)


@pytest.mark.parametrize("score", SCORES)
def test_one_code(score) -> None:
    codes, factors = sample(0)
    got = score(codes[:, :1], factors)
    if score in (mig_locatello, mig_quantile, jemmig, info_c):
        assert np.isnan(got.value)
        assert "at least two" in got.reason
    else:
        assert 0 <= got.value <= 1


@pytest.mark.parametrize("score", SCORES)
def test_a_thousand_codes_of_sixty_examples(score) -> None:
    """By histogram where neighbours take 6 ms for each code and factor, and those with fewer."""
    rng = np.random.default_rng(0)
    factors = np.stack([np.arange(60) % 3, np.arange(60) // 30], 1)
    codes = rng.normal(size=(60, 1000))
    if score in (info_m, info_c):
        assert 0 <= score(codes, factors, estimator="histogram").value <= 1
        codes = codes[:, :100]
    assert 0 <= score(codes, factors).value <= 1
