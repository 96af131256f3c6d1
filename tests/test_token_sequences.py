"""The likelihood of documents, in a language that is small enough to list."""

from itertools import product

import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.nn import functional

import mrtc.token_sequences
from mrtc.architectures.lstm import LSTMConfig, LSTMDecoder
from mrtc.datasets.vocabulary import END, PAD, START, UNKNOWN
from mrtc.token_sequences import TokenSequences, token_log_prob

WORDS = (UNKNOWN, 4)  # a language of two words
RATE_CODE = torch.tensor([0.7], dtype=torch.float64)


def tiny(documents: int, *, scale: float = 2.0) -> TokenSequences:
    """Of one code, in float64; the scale makes its probabilities uneven."""
    torch.manual_seed(0)
    config = LSTMConfig(embedding=5, encoder=6, decoder=6, codes=3)
    decoder = LSTMDecoder(5, config).double()
    for parameter in decoder.parameters():
        parameter.data *= scale
    z = torch.tensor([[0.3, -1.0, 0.8]], dtype=torch.float64).expand(documents, -1)
    likelihood = decoder(z, RATE_CODE)
    assert isinstance(likelihood, TokenSequences)
    return likelihood


def rows(strings: list[tuple[int, ...]]) -> Tensor:
    width = max(map(len, strings))
    return torch.tensor([[*string, *[PAD] * (width - len(string))] for string in strings])


def strings(words: int, *, ending: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [(START, *chosen, *ending) for chosen in product(WORDS, repeat=words)]


@torch.no_grad()
def probabilities(of: list[tuple[int, ...]]) -> Tensor:
    return tiny(len(of)).log_prob(rows(of)).exp()


@pytest.mark.parametrize("longest", [0, 1, 4, 7])
def test_the_probabilities_of_all_strings_sum_to_one(longest: int) -> None:
    """Those that end within so many words, and those that go on, by what they begin with."""
    ended = [string for words in range(longest + 1) for string in strings(words, ending=(END,))]
    going_on = strings(longest + 1, ending=())

    total = probabilities(ended).sum() + probabilities(going_on).sum()

    assert abs(float(total) - 1) < 1e-12
    assert 0.05 < probabilities(ended).sum() < 0.999  # both parts count


def test_samples_have_the_probabilities_of_the_language() -> None:
    """Chi-square over all strings of up to two words, and what longer ones begin with."""
    draws = 4000
    listed = [s for words in range(3) for s in strings(words, ending=(END,))]
    listed += strings(3, ending=())
    expected = draws * probabilities(listed)
    with torch.no_grad():
        drawn = tiny(draws).sample(torch.Generator().manual_seed(1), longest=4)
    found: dict[tuple[int, ...], int] = dict.fromkeys(listed, 0)
    for row in drawn.tolist():
        found[tuple(token for token in row if token != PAD)] += 1  # KeyError: not in the language

    _, p = stats.chisquare(list(found.values()), expected.numpy())

    assert expected.min() > 5  # else the law of the statistic is another
    assert p > 0.01


def test_temperature_sharpens_the_first_token() -> None:
    logits, _ = tiny(1).model.step(torch.tensor([START]), tiny(1).z, RATE_CODE, None)
    expected = (logits[0] / 0.5).softmax(0).detach()
    drawn = tiny(4000).sample(torch.Generator().manual_seed(2), longest=2, temperature=0.5)[:, 1]
    found = drawn.bincount(minlength=5)[END:]
    assert stats.chisquare(found.numpy(), 4000 * expected.numpy()).pvalue > 0.01


def test_greedy_takes_the_likeliest_next_token() -> None:
    """By the probabilities of beginnings, which teacher forcing computes."""
    path: tuple[int, ...] = (START,)
    while path[-1] != END and len(path) < 8:
        nexts = [(*path, token) for token in (END, *WORDS)]
        path = nexts[int(probabilities(nexts).argmax())]
    assert len(path) > 2  # it says something
    assert tiny(1).greedy(longest=8).tolist() == [list(path)]


def test_what_has_ended_is_filled_and_what_has_not_is_cut() -> None:
    drawn = tiny(200).sample(torch.Generator().manual_seed(0), longest=5)
    assert drawn.shape == (200, 5)
    assert (drawn[:, 0] == START).all()
    assert not (drawn[:, 1:] == START).any()
    has_end = (drawn == END).sum(1)
    assert set(has_end.tolist()) == {0, 1}
    for row in drawn.tolist():
        after = row[row.index(END) + 1 :] if END in row else []
        assert set(after) <= {PAD}
        assert PAD not in row[: len(row) - len(after)]


def test_generation_stops_when_all_have_ended() -> None:
    likelihood = tiny(3)
    likelihood.model.output.bias.data[0] = 1e3  # END
    assert likelihood.greedy(longest=1000).tolist() == [[START, END]] * 3


@pytest.mark.parametrize("wrong", [{"longest": 1}, {"longest": 5, "temperature": 0.0}])
def test_what_cannot_be_drawn_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"longest=1|temperature must be positive, got 0\.0"):
        tiny(1).sample(torch.Generator(), **wrong)


def layer(
    tokens: int, said: int, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    parts = [
        torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_()
        for shape in ((tokens, 6), (said, 6), (said,))
    ]
    return *parts, torch.randint(said, (tokens,), generator=generator)


@pytest.mark.parametrize("cells", [1, 40, 10**6])
@pytest.mark.parametrize("has_bias", [True, False])
def test_gradients_of_the_softmax(
    cells: int, has_bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By differences, where tokens weigh differently, in blocks of any number of tokens."""
    monkeypatch.setitem(mrtc.token_sequences.BLOCK_CELLS, "cpu", cells)
    monkeypatch.setattr(mrtc.token_sequences, "LEAST_ROWS", 1)
    hidden, weight, bias, said = layer(tokens=7, said=11)
    arguments = (hidden, weight, bias if has_bias else None, said)
    assert torch.autograd.gradcheck(token_log_prob, arguments)


@pytest.mark.parametrize("weights", ["alike", "different", "none"])
def test_the_softmax_is_torchs(weights: str) -> None:
    """Values and gradients, with those computed in the forward pass and with those made again."""
    hidden, weight, bias, said = layer(tokens=300, said=5000)
    token_weights = {
        "alike": torch.full((300,), -0.3),
        "different": torch.linspace(-1, 1, 300),
        "none": torch.zeros(300),
    }[weights].double()
    expected = -functional.cross_entropy(
        functional.linear(hidden, weight, bias), said, reduction="none"
    )
    wanted = torch.autograd.grad(expected @ token_weights, (hidden, weight, bias))

    actual = token_log_prob(hidden, weight, bias, said)
    found = torch.autograd.grad(actual @ token_weights, (hidden, weight, bias))

    torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(found, wanted)
    with torch.no_grad():
        torch.testing.assert_close(token_log_prob(hidden, weight, bias, said), expected)


def test_the_softmax_is_float32_where_products_are_not() -> None:
    """Values to bfloat16's precision of the logits, and gradients in the weights' precision."""
    hidden, weight, bias, said = layer(tokens=300, said=5000, dtype=torch.float32)
    expected = -functional.cross_entropy(
        functional.linear(hidden, weight, bias), said, reduction="none"
    )
    wanted = torch.autograd.grad(expected.sum(), (weight, bias))

    actual = token_log_prob(hidden.bfloat16(), weight, bias, said)
    found = torch.autograd.grad(actual.sum(), (weight, bias))

    assert actual.dtype == found[0].dtype == found[1].dtype == torch.float32
    assert (actual - expected).abs().max() < 0.1
    for ours, theirs in zip(found, wanted, strict=True):
        assert (ours - theirs).norm() < 0.02 * theirs.norm()


def test_no_logits_are_kept() -> None:
    """What is saved for the gradient are arrays of the size of hidden states and of weights."""
    hidden, weight, bias, said = layer(tokens=300, said=5000, dtype=torch.float32)
    saved: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        saved.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        token_log_prob(hidden, weight, bias, said)

    assert max(saved) <= weight.numel()
