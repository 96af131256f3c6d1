r"""The softmax over a large vocabulary, estimated in training from a sample of its words.

The normaliser of a token is a sum over all words. Words that are drawn for the whole batch, each
weighed by one over how often it is expected among them, estimate it without bias; the token that is
said counts by itself, and is left out where it was drawn too:

.. math::
    \hat Z = e^{l_t} + \sum_{j \in S, j \ne t} \frac{e^{l_j}}{E[n_j]}, \quad E[\hat Z] = Z, \quad
    E[\log \hat Z] \le \log Z

So a distortion from it is an estimate, too low by what Jensen's inequality takes; what is reported
of a model is computed with the full softmax.

References:
    Jean et al., "On Using Very Large Target Vocabulary for Neural Machine Translation", ACL 2015,
    and Bengio and Senecal, "Quick Training of Probabilistic Neural Nets by Importance Sampling",
    AISTATS 2003. ``sampled_softmax_loss`` of TensorFlow subtracts log E[n] from the logit of the
    said token as well: its loss tells which candidate is the said one, and is no estimate of
    log p.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 -- the name everybody knows

from mrtc.randomness import numpy_stream


@dataclass(frozen=True)
class DrawnWords:
    """Words that stand for all others."""

    words: Int[Tensor, " draw"]
    """Rows of the last layer, each at most once."""
    log_expected: Float[Tensor, " draw"]
    """Logarithm of how often each is expected in a draw."""


def draw_words(noise: Float[Tensor, "document noise"], words: int, draws: int) -> DrawnWords:
    """The words of one batch, which depend on all of its noise and on nothing else.

    Args:
        noise: Drawn anew for each step. Processes that share a batch draw for their shares.
        words: In the softmax, the most frequent first.
        draws: Of them, fewer than there are.

    Raises:
        ValueError: As :func:`words_at`.
    """
    rows = noise.detach().cpu().numpy()
    offset = numpy_stream(0, "sampled words", rows.tobytes().hex()).random()
    drawn = words_at(float(offset), words, draws)
    return DrawnWords(drawn.words.to(noise.device), drawn.log_expected.to(noise.device))


def words_at(offset: float, words: int, draws: int) -> DrawnWords:
    r"""Distinct words in proportion to a Zipf law of their ranks, by systematic sampling.

    Word j, from 0, is expected :math:`n_j = \min(1, c \log\frac{j + 2}{j + 1})` times, where c
    makes the sum of all the number of draws. They are laid on a line one after another, each as
    long as it is expected to be drawn, and every whole number plus ``offset`` draws the word that
    it falls on. No word is longer than one, so none is drawn twice, and the most frequent are drawn
    always.

    Args:
        offset: In [0, 1); uniform, for a draw.
        words: To draw from, the most frequent first.
        draws: From 1 to ``words - 1``.

    Raises:
        ValueError: If there are not so many draws.

    References:
        Madow, Annals of Mathematical Statistics, 1949 (systematic sampling). The law of the ranks
        is that of TensorFlow's ``log_uniform_candidate_sampler``.
    """
    if not 1 <= draws < words:
        raise ValueError(
            f"a sample has 1 to {words - 1} of {words} words, got {draws}; take the full softmax "
            "where there are no more words than draws"
        )
    # The first word that is not longer than one once those before it are cut to one; logarithms
    # of neighbours add up, so the rest of the line needs no table.
    always = next(
        rank
        for rank in range(draws)
        if (draws - rank) * math.log1p(1 / (rank + 1)) <= math.log((words + 1) / (rank + 1))
    )
    scale = (draws - always) / math.log((words + 1) / (always + 1))
    points = offset + torch.arange(draws, dtype=torch.float64)
    ranks = ((always + 1) * ((points - always) / scale).exp()).long() - 1
    drawn = torch.where(points < always, points.long(), ranks.clamp(always, words - 1))
    log_expected = (scale * torch.log1p(1 / (drawn.double() + 1))).log().clamp(max=0)
    return DrawnWords(drawn, log_expected)


def sampled_log_prob(
    hidden: Float[Tensor, "token hidden"],
    weight: Float[Tensor, "said hidden"],
    bias: Float[Tensor, " said"] | None,
    said: Int[Tensor, " token"],
    drawn: DrawnWords,
) -> Float[Tensor, " token"]:
    r"""An estimate :math:`l_t - \log \hat Z` of log softmax(weight hidden + bias) at ``said``.

    In nats, in float32 or better. Its expectation is the true value or above, and comes nearer as
    more words are drawn.

    Args:
        hidden: One row a token; matrix products are in its precision.
        weight: Of the last layer.
        bias: Of the last layer, if it has one.
        said: The row of ``weight`` of each token.
        drawn: What the other rows are estimated from.
    """
    counts = [len(drawn.words), len(said)]
    rows = torch.cat([drawn.words, said])
    # One look-up, for its gradient is as large as the whole layer.
    of_drawn, of_said = torch.split(F.embedding(rows, weight), counts)
    logits = F.linear(hidden, of_drawn.to(hidden.dtype))
    logits = logits.float() if logits.itemsize < 4 else logits
    own = (hidden.to(logits.dtype) * of_said.to(logits.dtype)).sum(1)
    shift = -drawn.log_expected.to(logits.dtype)
    if bias is not None:
        of_drawn, of_said = torch.split(bias[rows].to(logits.dtype), counts)
        shift, own = shift + of_drawn, own + of_said
    logits = (logits + shift).masked_fill(drawn.words == said[:, None], -torch.inf)
    return torch.cat([own[:, None], logits], 1).log_softmax(1)[:, 0]
