"""Distances of samples from data over beta: the same noise at all, and never computed twice."""

from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float, Int
from torch import Tensor, nn

from mrtc.errors import MrtcError
from mrtc.evaluation import realism_data, realism_samples
from mrtc.evaluation.feature_networks import FeatureNetwork, to_bytes
from mrtc.evaluation.realism import score_realism
from mrtc.evaluation.realism_config import RealismConfig
from mrtc.evaluation.realism_samples import Sampler, normal_parts
from mrtc.metrics.frechet import frechet_distance
from mrtc.randomness import torch_stream
from mrtc.results import Header, Results, open_writer, read
from mrtc.vae import VAE
from tests.toys import small_vae

BETA = np.array([0.1, 1.0, 10.0])
CPU = torch.device("cpu")
SMALL = RealismConfig(samples=300, subsets=10, subset_size=50)


class Quarters(nn.Module):
    """Four features: mean grey values of the quarters of an image."""

    def forward(self, images: Tensor) -> Tensor:
        assert images.dtype == torch.uint8
        return nn.functional.adaptive_avg_pool2d(images[:, :1].float() / 255, 2).flatten(1)


class Blobs(nn.Module):
    """A decoder of Bernoulli logits that lets each of two codes light a half, whatever beta is."""

    def forward(self, z: Tensor, _: Tensor) -> Tensor:
        return nn.functional.interpolate(z[:, None, None, :2], (8, 8))


@dataclass
class Drawn:
    """What a decoder makes of noise of its own."""

    vae: VAE
    count: int = 400
    source: str = "drawn"
    shape: tuple[int, ...] = (1, 8, 8)
    calls: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return self.count

    def images(self, index: Int[Tensor, " batch"]) -> Float[Tensor, "batch ..."]:
        self.calls.append(len(index))
        noise = torch.randn(self.count, 3, generator=torch.Generator().manual_seed(5))
        with torch.inference_mode():
            images = self.vae.decode(noise[index], torch.ones(1)).mean
        return images.reshape(len(index), *self.shape)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Three betas, of which the last is not evaluated."""
    path = tmp_path / "results.h5"
    header = Header(
        beta=BETA,
        num_codes=3,
        factors=(),
        config={},
        fingerprint="toy",
        seed=0,
        source="toy",
        parameters={},
    )
    with open_writer(path, header) as writer:
        for at in range(2):
            writer.write(at, {"rate": 1.0})
    return path


def network() -> FeatureNetwork:
    return FeatureNetwork("my-net", Quarters(), {"depth": 1})


def blobs() -> VAE:
    vae = small_vae(plain=True)
    vae.decoder = Blobs()
    return vae


def score(
    path: Path, vae: VAE, reference: Drawn, config: RealismConfig = SMALL, *, force: bool = False
) -> Results:
    return score_realism(
        *(path, vae, network(), reference, config),
        source="toy",
        device=CPU,
        force=force,
        quiet=True,
    )


def test_it_is_the_distance_between_features_of_samples_and_of_data(results: Path):
    """By hand: all noise drawn at once, decoded and pooled, and numpy's covariance of both."""
    vae, reference = small_vae(), Drawn(blobs())
    scored = score(results, vae, reference).scores["frechet_my_net"]
    quarters = Quarters()
    real = quarters(to_bytes(reference.images(torch.arange(400)))).numpy()
    noise = torch.randn(300, 3, generator=torch_stream(0, "realism", "noise"))
    for at in range(2):
        with torch.inference_mode():
            images = vae.decode(noise, float(BETA[at])).mean
        made = quarters(to_bytes(images)).numpy()
        expected = frechet_distance(*(real.mean(0), np.cov(real.T), made.mean(0), np.cov(made.T)))
        assert scored.value[at] == pytest.approx(expected, rel=1e-4)
    assert scored.value[0] != scored.value[1]
    assert np.isnan(scored.value[2])
    assert scored.details[2] is None


def test_a_model_that_ignores_beta_is_equally_far_at_every_beta(results: Path):
    """Exactly: the noise and the subsets are the same."""
    scored = score(results, small_vae(plain=True), Drawn(blobs()))
    for name in ("frechet_my_net", "kernel_my_net"):
        assert scored.scores[name].value[0] == scored.scores[name].value[1] != 0


def test_what_makes_the_data_is_near_and_a_constant_is_far(results: Path):
    perfect = score(results, blobs(), Drawn(blobs()))
    constant = small_vae(plain=True)
    constant.decoder = Constant()
    poor = score(results, constant, Drawn(blobs()), force=True)
    for name in ("frechet_my_net", "kernel_my_net"):
        near, far = perfect.scores[name].value[0], poor.scores[name].value[0]
        assert abs(near) < 0.01 * far
    assert poor.scores["kernel_my_net"].details[0] is not None


class Constant(nn.Module):
    def forward(self, z: Tensor, _: Tensor) -> Tensor:
        return torch.full((len(z), 1, 8, 8), -4.0)


def test_all_that_a_distance_depends_on_stands_beside_it(results: Path):
    scored = score(results, blobs(), Drawn(blobs()))
    for name in ("frechet_my_net", "kernel_my_net"):
        details = scored.scores[name].details[0]
        assert details is not None
        found = details["parameters"]
        assert found["network"] == "my-net"
        assert found["network_parameters"] == {"depth": 1}
        assert (found["features"], found["samples"], found["seed"]) == (4, 300, 0)
        assert found["real_examples"] == (400 if name.startswith("frechet") else 300)
        assert found["reference"] == "toy"
        assert found["images"].startswith("means of the likelihood")
        assert found["channels"] == "1, repeated to 3"
        assert scored.scores[name].variable.direction == "lower is better"
    caution = (scored.scores["frechet_my_net"].details[0] or {})["caution"]
    assert "of 300 examples the distance is too high" in caution
    fewer = RealismConfig(samples=50, reference_examples=20, subsets=2)
    scored = score(results, blobs(), Drawn(blobs()), fewer)
    assert (scored.scores["frechet_my_net"].details[0] or {})["parameters"]["real_examples"] == 20


def test_what_was_stopped_goes_on_and_what_is_there_is_kept(results: Path):
    whole = Sampler.features
    done = []

    def stopping(self, network, beta, progress):
        done.append(beta)
        if len(done) == 2:
            raise KeyboardInterrupt
        return whole(self, network, beta, progress)

    vae, reference = small_vae(), Drawn(blobs())
    with patch.object(Sampler, "features", stopping), pytest.raises(KeyboardInterrupt):
        score(results, vae, reference)
    partly = read(results).scores["kernel_my_net"]
    assert [details is not None for details in partly.details] == [True, False, False]
    with patch.object(Sampler, "features", autospec=True, side_effect=whole) as features:
        resumed = score(results, vae, reference)
        assert [call.args[2] for call in features.call_args_list] == [1.0]
        reference.calls.clear()
        score(results, vae, reference)
        assert not reference.calls
        assert features.call_count == 1
        score(results, vae, reference, RealismConfig(samples=301, subsets=10, subset_size=50))
        assert features.call_count == 3
    again = score(results, vae, reference, force=True)
    for name in ("frechet_my_net", "kernel_my_net"):
        np.testing.assert_array_equal(resumed.scores[name].value, again.scores[name].value)


def test_distances_do_not_depend_on_how_images_are_batched(
    results: Path, monkeypatch: pytest.MonkeyPatch
):
    one = score(results, small_vae(), Drawn(blobs()))
    monkeypatch.setattr(realism_samples, "BATCH", 16)
    monkeypatch.setattr(realism_data, "BATCH", 7)
    monkeypatch.setattr(realism_data, "BLOCK", 30)
    other = score(results, small_vae(), Drawn(blobs()), force=True)
    for name in ("frechet_my_net", "kernel_my_net"):
        np.testing.assert_allclose(
            one.scores[name].value, other.scores[name].value, rtol=1e-4, atol=1e-6
        )


@given(st.integers(1, 70), st.integers(1, 20), st.sampled_from([16, 32, 64]))
def test_draws_in_parts_are_those_at_once(count: int, codes: int, rows: int):
    """Bit for bit, also where fewer numbers are left at the end than torch makes at a time."""
    parts = list(normal_parts(count, codes, rows, torch.Generator().manual_seed(7)))
    whole = torch.randn(count, codes, generator=torch.Generator().manual_seed(7))
    assert torch.equal(torch.cat(parts), whole)
    assert max(len(part) for part in parts) == min(rows, count)


def test_draws_take_the_memory_of_one_part():
    """All of these at once would take 40 TB."""
    parts = normal_parts(10**9, 10**4, 64, torch.Generator())
    assert next(parts).shape == (64, 10**4)


def test_parts_that_would_have_other_numbers_are_refused():
    with pytest.raises(ValueError, match=r"parts of 7 rows .* choose a multiple of 16"):
        next(normal_parts(10, 2, 7, torch.Generator()))


def test_a_decoder_that_diverged_is_a_reason(results: Path):
    vae = small_vae(plain=True)
    vae.decoder = Diverged()
    scored = score(results, vae, Drawn(blobs()))
    for series in scored.scores.values():
        assert np.isnan(series.value).all()
        assert "probably diverged" in (series.details[0] or {})["reason"]


class Diverged(nn.Module):
    def forward(self, z: Tensor, _: Tensor) -> Tensor:
        return torch.full((len(z), 1, 8, 8), torch.nan)


def test_data_that_are_no_images_or_too_few_are_refused(results: Path):
    with pytest.raises(MrtcError, match=r"these examples have shape \(64,\); choose other"):
        score(results, blobs(), Drawn(blobs(), shape=(64,)))
    asked = RealismConfig(samples=50, reference_examples=401)
    with pytest.raises(MrtcError, match="there are 400 examples of the data, and 401 were asked"):
        score(results, blobs(), Drawn(blobs()), asked)
