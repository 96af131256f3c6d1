"""The Frechet distance against closed forms, scipy, torchmetrics, and cases with no room to err."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from torchmetrics.image.fid import FrechetInceptionDistance

from mrtc.metrics.catalogue import DISTANCES, distance_metric
from mrtc.metrics.frechet import FeatureMoments, frechet_distance, frechet_score


def covariance(features: int, rank: int, seed: int = 0) -> np.ndarray:
    factor = np.random.default_rng(seed).standard_normal((features, rank))
    return factor @ factor.T / rank


def moments_of(features: np.ndarray, batch: int = 7) -> FeatureMoments:
    moments = FeatureMoments()
    for start in range(0, len(features), batch):
        moments.add(features[start : start + batch])
    return moments


@pytest.mark.oracle("fid", "frechet_efficientnet_lite0")
@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**32 - 1), st.floats(0.1, 10))
def test_commuting_covariances_have_a_closed_form(features: int, seed: int, scale: float):
    """Squared distance of means, plus that of the standard deviations along the common axes."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((features, features)))[0]
    (mean_a, mean_b), sigma_a, sigma_b = (
        rng.standard_normal((2, features)),
        *rng.random((2, features)),
    )
    sigma_b = sigma_b * scale
    found = frechet_distance(
        *(mean_a, axes * sigma_a**2 @ axes.T, mean_b, axes * sigma_b**2 @ axes.T)
    )
    expected = ((mean_a - mean_b) ** 2).sum() + ((sigma_a - sigma_b) ** 2).sum()
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_equal_distributions_are_at_no_distance():
    mean, sigma = np.arange(5.0), covariance(5, 8)
    assert frechet_distance(mean, sigma, mean, sigma) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(mean, sigma, mean + 3, sigma) == pytest.approx(45)


@pytest.mark.oracle("fid", "frechet_efficientnet_lite0")
def test_a_general_pair_is_what_the_matrix_root_of_scipy_gives():
    a, b = np.array([[2.0, 0.7], [0.7, 1.0]]), np.array([[1.0, -0.4], [-0.4, 3.0]])
    mean = np.array([1.0, -2.0])
    expected = 5 + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert frechet_distance(mean, a, np.zeros(2), b) == pytest.approx(expected, rel=1e-12)
    assert frechet_distance(np.zeros(2), b, mean, a) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("rank", [0, 1, 5, 39])
def test_singular_covariances_keep_their_digits(rank: int):
    """Of 40 features: one covariance four times the other gives the trace of the smaller one."""
    mean, sigma = np.zeros(40), covariance(40, rank) if rank else np.zeros((40, 40))
    trace = np.trace(sigma)
    found = frechet_distance(mean, sigma, mean, 4 * sigma)
    assert found == pytest.approx(trace, rel=1e-12)
    assert frechet_distance(mean, sigma, mean, sigma) == pytest.approx(0, abs=1e-11)


def test_orthogonal_singular_covariances_overlap_nowhere():
    a, b = np.diag([1.0, 2.0, 0, 0]), np.diag([0, 0, 3.0, 4.0])
    assert frechet_distance(np.zeros(4), a, np.zeros(4), b) == pytest.approx(10)


@pytest.mark.oracle("fid", "frechet_efficientnet_lite0")
@pytest.mark.parametrize("examples", [5, 300])
def test_scores_of_features_are_those_of_torchmetrics(examples: int):
    """Through its class and the images of a linear network, singular and not."""
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((12, 8))
    images_a, images_b = rng.random((2, examples, 12))

    class Linear(torch.nn.Module):
        num_features = 8

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.flatten(1) @ torch.from_numpy(weights)

    theirs = FrechetInceptionDistance(feature=Linear())
    for images, real in ((images_a, True), (images_b**2, False)):
        theirs.update(torch.from_numpy(images).reshape(-1, 3, 2, 2), real=real)
    ours = frechet_score(moments_of(images_a @ weights), moments_of(images_b**2 @ weights))
    assert ours.value == pytest.approx(float(theirs.compute()), rel=1e-6)


@pytest.mark.oracle("fid", "frechet_efficientnet_lite0")
def test_many_samples_come_to_the_distance_of_their_distributions():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((40_000, 3))
    b = 2 * rng.standard_normal((40_000, 3)) + [1, 0, 0]
    score = frechet_score(moments_of(a, 9999), moments_of(b, 9999))
    assert score.value == pytest.approx(1 + 3, rel=0.03)  # four standard errors
    assert score.caution is None


def test_moments_are_those_of_numpy_however_the_batches_fall():
    """With means a hundred thousand times the deviations, which plain sums of squares lose."""
    features = np.random.default_rng(0).standard_normal((50, 4)) + 1e5
    for batch in (1, 7, 50):
        moments = moments_of(features, batch)
        assert moments.count == 50
        np.testing.assert_allclose(moments.mean, features.mean(0), rtol=1e-14)
        np.testing.assert_allclose(moments.covariance, np.cov(features.T), rtol=1e-9)
    moments.add(np.empty((0, 4)))
    assert moments.count == 50


@pytest.mark.parametrize(
    ("examples", "said"),
    [(3, "covariance is singular"), (100, "compare at equal numbers only"), (10_000, None)],
)
def test_few_samples_are_a_caution(examples: int, said: str | None):
    features = np.random.default_rng(0).standard_normal((examples, 4))
    score = frechet_score(moments_of(features, 2000), moments_of(features, 2000))
    assert (score.caution is None) if said is None else (said in str(score.caution))
    assert score.parameters == {"samples": examples, "real_examples": examples, "features": 4}


def test_misuse_is_said():
    eye, nan = np.eye(2), np.array([np.nan, 0])
    for misuse, said in (
        (lambda: frechet_distance(nan, eye, np.zeros(2), eye), "mean_a holds 1 values"),
        (lambda: moments_of(np.full((3, 2), np.inf)), "features holds 6"),
        (lambda: moments_of(np.zeros((3, 2))).add(np.zeros((3, 4))), "has 4 features"),
        (lambda: moments_of(np.zeros((1, 2))).covariance, "needs two examples"),
    ):
        with pytest.raises(ValueError, match=said):
            misuse()


def test_one_sample_has_no_score():
    score = frechet_score(moments_of(np.zeros((5, 2))), moments_of(np.zeros((1, 2))))
    assert "two examples" in str(score.reason)


def test_only_inception_s_distances_are_called_fid_and_kid():
    for name, (distance, network) in DISTANCES.items():
        assert distance_metric(distance, network).name == name
        assert (name in {"fid", "kid"}) == (network == "inception")
    assert distance_metric("kernel", "my-net").name == "kernel_my_net"
