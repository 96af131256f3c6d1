"""Moments at every beta, from one computation of the first layer."""

import numpy as np
import pytest
import torch

from mrtc.evaluation import PosteriorEncoder, encode
from tests.toys import Crosses, small_vae

CPU = torch.device("cpu")
INDEX = np.arange(3, 60)


@pytest.mark.parametrize("stem_bytes", [0, encode.STEM_BYTES])
def test_moments_are_those_of_the_model(stem_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With stems kept and with stems made anew, in chunks with a short rest."""
    monkeypatch.setattr(encode, "STEM_BYTES", stem_bytes)
    monkeypatch.setattr(encode, "CHUNK", 10)
    vae, crosses = small_vae(), Crosses()
    encoder = PosteriorEncoder(vae, crosses, INDEX, device=CPU, precision="fp32", quiet=True)
    for beta in (0.1, 1.0, 10.0):
        mean, log_sigma = encoder.moments(beta)
        expected = vae.encode(crosses.images(torch.from_numpy(INDEX)), beta)
        np.testing.assert_allclose(mean, expected.mean.detach(), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(log_sigma, expected.log_sigma.detach(), rtol=1e-5, atol=1e-6)


def test_the_first_layer_runs_once_for_all_betas(monkeypatch: pytest.MonkeyPatch) -> None:
    vae = small_vae()
    calls = []
    monkeypatch.setattr(
        vae.encoder.first.layer, "forward", _counting(vae.encoder.first.layer.forward, calls)
    )
    monkeypatch.setattr(encode, "CHUNK", 32)
    encoder = PosteriorEncoder(vae, Crosses(), INDEX, device=CPU, precision="fp32", quiet=True)
    encoder.moments(0.1)
    after_one = len(calls)
    encoder.moments(1.0)
    encoder.moments(10.0)
    assert len(calls) == after_one


def _counting(function, calls: list[int]):
    def counted(x: torch.Tensor) -> torch.Tensor:
        calls.append(len(x))
        return function(x)

    return counted
