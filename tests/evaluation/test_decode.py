"""Draws that are decoded together are those that are decoded one by one."""

import numpy as np
import pytest
import torch

from mrtc.architectures.lstm import LSTMConfig, LSTMDecoder, LSTMEncoder
from mrtc.datasets.documents import Documents
from mrtc.datasets.vocabulary import Vocabulary
from mrtc.evaluation import decode
from mrtc.evaluation.decode import PosteriorDecoder
from mrtc.randomness import torch_stream
from mrtc.rates import BetaRange
from mrtc.vae import VAE

VOCABULARY = Vocabulary(tuple("abcd"))
DOCUMENTS = Documents.of([list(text) for text in ("a", "abc", "dddddddd", "", "bd")], VOCABULARY)


def posterior_decoder() -> PosteriorDecoder:
    """Of a model whose weights are large, so that words depend on codes."""
    config = LSTMConfig(embedding=5, encoder=5, decoder=6, codes=3)
    encoder, decoder = (net(len(VOCABULARY), config) for net in (LSTMEncoder, LSTMDecoder))
    vae = VAE(encoder, decoder, 3, BetaRange(0.1, 10.0), "tokens").eval()
    with torch.no_grad():
        for weight in vae.parameters():
            weight += torch.randn(weight.shape, generator=torch_stream(0, *weight.shape))
    moments = torch.randn(2, len(DOCUMENTS), 3, generator=torch_stream(1)).numpy()
    return PosteriorDecoder(
        *(vae, DOCUMENTS, np.arange(len(DOCUMENTS)), *moments), beta=1.0, device=torch.device("cpu")
    )


def test_a_batch_of_several_draws_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to rounding; draws are counted as they are made."""
    decoder = posterior_decoder()
    bounds, told = [], []
    for batch in (1, 15, 256):
        monkeypatch.setattr(decode, "BATCH", batch)
        steps: list[int] = []
        bounds.append(decoder.importance_weighted_bound(17, 3, advance=steps.append))
        told.append(steps)

    expected = bounds[0]
    assert told == [[1] * 17, [3] * 5 + [2], [17]]
    for bound in bounds[1:]:
        np.testing.assert_allclose(bound.per_example, expected.per_example, atol=1e-5)
        np.testing.assert_allclose(bound.effective_samples, expected.effective_samples, rtol=1e-4)
    assert expected.per_example.std() > 1
    assert expected.mean_effective_samples < 16
