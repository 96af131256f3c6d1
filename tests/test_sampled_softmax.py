"""The sampled softmax: all its draws listed, so that expectations are exact."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from torch import Tensor
from torch.nn import functional

from mrtc.sampled_softmax import DrawnWords, draw_words, sampled_log_prob, words_at

SIZES = [(3, 1), (3, 2), (7, 3), (40, 13), (40, 39)]


def expected_counts(words: int, draws: int) -> np.ndarray:
    """Of a Zipf law of the ranks, cut to one; the scale by bisection."""
    law = np.array([math.log((j + 2) / (j + 1)) for j in range(words)])
    scale = brentq(lambda scale: np.minimum(1, scale * law).sum() - draws, 0, draws / law.min())
    return np.minimum(1, scale * law)


def every_draw(words: int, draws: int) -> tuple[list[DrawnWords], Tensor]:
    """All samples that there are, and their probabilities.

    A sample changes where a point passes from one word to the next.
    """
    ends = np.sort(expected_counts(words, draws).cumsum() % 1)
    edges = np.concatenate([[0.0], ends[(ends > 1e-9) & (ends < 1 - 1e-9)], [1.0]])
    samples = [words_at(float(middle), words, draws) for middle in (edges[1:] + edges[:-1]) / 2]
    return samples, torch.from_numpy(np.diff(edges))


def layer(words: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One token for each word, so that each is the one that is said."""
    generator = torch.Generator().manual_seed(words)
    parts = [
        torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_()
        for shape in ((words, 6), (words, 6), (words,))
    ]
    return *parts, torch.randperm(words, generator=generator)


def full_log_prob(hidden: Tensor, weight: Tensor, bias: Tensor | None, said: Tensor) -> Tensor:
    logits = functional.linear(hidden, weight, bias)
    return -functional.cross_entropy(logits, said, reduction="none")


@pytest.mark.parametrize(("words", "draws"), SIZES)
def test_words_are_drawn_as_often_as_is_said(words: int, draws: int) -> None:
    """Each at most once in a draw; over all draws as often as the law has it."""
    counts = torch.from_numpy(expected_counts(words, draws))
    found = torch.zeros(words, dtype=torch.float64)
    samples, chances = every_draw(words, draws)
    for sample, chance in zip(samples, chances, strict=True):
        assert len(set(sample.words.tolist())) == draws
        torch.testing.assert_close(sample.log_expected, counts[sample.words].log())
        found[sample.words] += chance
    torch.testing.assert_close(found, counts)


@pytest.mark.parametrize(("words", "draws"), SIZES)
@pytest.mark.parametrize("has_bias", [True, False])
def test_the_normaliser_is_unbiased(words: int, draws: int, has_bias: bool) -> None:
    """Of all words and, without the said one, of each token; its logarithm is too low."""
    hidden, weight, bias, said = layer(words)
    used = bias if has_bias else None
    logits = functional.linear(hidden, weight, used)
    samples, chances = every_draw(words, draws)

    of_all = [(logits[:, s.words] - s.log_expected).exp().sum(1) for s in samples]
    own = logits.gather(1, said[:, None])[:, 0]
    estimates = torch.stack([sampled_log_prob(hidden, weight, used, said, s) for s in samples])
    of_tokens = (own - estimates).exp()

    normaliser = logits.exp().sum(1)
    torch.testing.assert_close(chances @ torch.stack(of_all), normaliser)
    torch.testing.assert_close(chances @ of_tokens, normaliser)
    assert (chances @ estimates >= full_log_prob(hidden, weight, used, said) - 1e-12).all()
    assert of_tokens.std(0).max() > 0.01  # else there is nothing to be averaged


@pytest.mark.parametrize("has_bias", [True, False])
def test_with_all_words_it_is_the_full_softmax(has_bias: bool) -> None:
    hidden, weight, bias, said = layer(40)
    parameters = (hidden, weight, bias) if has_bias else (hidden, weight)
    used = bias if has_bias else None
    all_words = DrawnWords(torch.arange(40).flip(0), torch.zeros(40, dtype=torch.float64))
    token_weights = torch.linspace(-1, 1, 40, dtype=torch.float64)
    expected = full_log_prob(hidden, weight, used, said)
    wanted = torch.autograd.grad(expected @ token_weights, parameters)

    actual = sampled_log_prob(hidden, weight, used, said, all_words)
    found = torch.autograd.grad(actual @ token_weights, parameters)

    torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(found, wanted)


def test_values_and_gradients_are_those_of_the_plain_formula() -> None:
    """Token by token, word by word; the said word is among the drawn ones for some of them."""
    hidden, weight, bias, said = layer(12)
    sample = words_at(0.3, 12, 5)
    counts = expected_counts(12, 5)
    plain = []
    for h, token in zip(hidden, said.tolist(), strict=True):
        logit = [row @ h + b for row, b in zip(weight, bias, strict=True)]
        others = [logit[j].exp() / counts[j] for j in sample.words.tolist() if j != token]
        plain.append(logit[token] - torch.stack([logit[token].exp(), *others]).sum().log())
    expected = torch.stack(plain)
    wanted = torch.autograd.grad(expected.square().sum(), (hidden, weight, bias))

    actual = sampled_log_prob(hidden, weight, bias, said, sample)
    found = torch.autograd.grad(actual.square().sum(), (hidden, weight, bias))

    torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(found, wanted)


def test_a_token_that_alone_was_drawn_has_probability_one() -> None:
    """No other word is left to estimate the rest from; nothing is lost in infinities."""
    hidden, weight, bias, _ = layer(5)
    sample = words_at(0.0, 5, 1)
    value = sampled_log_prob(hidden, weight, bias, sample.words.expand(5), sample)
    gradients = torch.autograd.grad(value.sum(), (hidden, weight, bias))
    assert (value == 0).all()
    assert all((gradient == 0).all() for gradient in gradients)


def test_it_is_float32_where_products_are_not() -> None:
    hidden, weight, bias, said = layer(40, torch.float32)
    sample = words_at(0.3, 40, 13)
    expected = sampled_log_prob(hidden, weight, bias, said, sample)
    actual = sampled_log_prob(hidden.bfloat16(), weight, bias, said, sample)
    assert actual.dtype == torch.float32
    assert (actual - expected).abs().max() < 0.1


def test_draws_are_of_the_noise_of_the_whole_batch() -> None:
    """Not of anything drawn before; with one row changed, other words are drawn."""
    noise = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    first = draw_words(noise, 1000, 20)
    torch.rand(3)
    again = draw_words(noise, 1000, 20)
    assert torch.equal(first.words, again.words)
    assert torch.equal(first.log_expected, again.log_expected)
    noise[2, 1] += 1
    assert not torch.equal(draw_words(noise, 1000, 20).words, first.words)


def test_noise_makes_every_word_as_likely_as_it_should_be() -> None:
    """Over 2,000 batches, within four standard errors of each of 40 words."""
    batches = 2000
    counts = expected_counts(40, 13)
    found = np.zeros(40)
    for noise in torch.randn(batches, 1, 2, generator=torch.Generator().manual_seed(0)):
        found[draw_words(noise, 40, 13).words.numpy()] += 1 / batches
    error = np.sqrt(counts * (1 - counts) / batches)
    assert (np.abs(found - counts) <= 4 * error + 1e-9).all()


@pytest.mark.parametrize("draws", [0, 7, 8])
def test_a_sample_that_is_none_is_refused(draws: int) -> None:
    with pytest.raises(ValueError, match=f"1 to 6 of 7 words, got {draws}; take the full softmax"):
        words_at(0.5, 7, draws)
