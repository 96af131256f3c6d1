"""The likelihood p(x|z) of documents: one softmax a token, given the tokens before it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F  # noqa: N812 -- the name everybody knows

from mrtc.datasets.vocabulary import END, PAD, START
from mrtc.layers.recurrent import State

FIRST_SAID = END
"""The softmax is over this token and those after it: PAD and START have no probability."""

BLOCK_CELLS = {"cpu": 2**20, "cuda": 2**26}
"""Logits worked on at a time; on a processor few enough for its cache."""

LEAST_ROWS = 64
"""Tokens worked on at a time at least: each block reads all weights anew, which at 100,000 words
takes longer than the products if there are ten tokens in a block."""


@runtime_checkable
class TokenModel(Protocol):
    """What a decoder of documents can do."""

    def log_prob(
        self, x: Tensor, z: Tensor, rate_code: Tensor, noise: Tensor | None
    ) -> Float[Tensor, " document"]:
        """log p(x|z) of each document, in nats.

        With ``noise``, under dropout drawn from it; and, in training, with a softmax over a sample
        of the words that is drawn from it, if the model has one.
        """

    def step(
        self, tokens: Tensor, z: Tensor, rate_code: Tensor, state: State | None
    ) -> tuple[Float[Tensor, "document said"], State]:
        """Logits of what comes after ``tokens``, from ``FIRST_SAID`` on, and the state after them.

        ``state`` is None where ``tokens`` are the first.
        """


@dataclass(frozen=True)
class TokenSequences:
    r"""A likelihood p(x|z) of documents, for each code vector.

    .. math:: \log p(x|z) = \sum_{t \ge 1} \log p(x_t | x_{<t}, z)

    where :math:`x_0` is START and the last token is END. PAD and START have no probability, so the
    probabilities of all documents that end sum to one, if the model ends with probability one.
    """

    model: TokenModel
    z: Float[Tensor, "document code"]
    rate_code: Float[Tensor, " group"]
    noise: Float[Tensor, "document noise"] | None = None

    def with_dropout(self, noise: Float[Tensor, "document noise"]) -> "TokenSequences":
        """The same with the model's dropout, for training.

        What is dropped in a document depends on its row of ``noise`` alone: not on the others in
        the batch, nor on padding, nor on anything that was drawn before. A model that samples words
        for its softmax draws one sample for all rows.
        """
        return replace(self, noise=noise)

    def log_prob(self, x: Int[Tensor, "document position"]) -> Float[Tensor, " document"]:
        """log p(x|z) of each document, in nats, END counted; a float64 sum over its tokens.

        Args:
            x: START, words, END, then PAD to the width of the batch. Without END, it is the
                probability that a document begins like this.
        """
        return self.model.log_prob(x, self.z, self.rate_code, self.noise)

    def sample(
        self, generator: torch.Generator, longest: int, temperature: float = 1.0
    ) -> Int[Tensor, "document position"]:
        """A document for each code vector, token by token.

        Args:
            generator: On the device of the codes.
            longest: Tokens of a document at most, START and END counted. One that has not ended by
                then is cut, and has no END.
            temperature: Divides the logits; at one, documents are draws from p(x|z).

        Raises:
            ValueError: If ``longest`` is below 2, or ``temperature`` is not positive.
        """
        if not temperature > 0:
            raise ValueError(f"temperature must be positive, got {temperature}; or take greedy()")

        def draw(logits: Tensor) -> Tensor:
            chances = (logits / temperature).softmax(1)
            return torch.multinomial(chances, 1, generator=generator)[:, 0]

        return self._generate(draw, longest)

    def greedy(self, longest: int) -> Int[Tensor, "document position"]:
        """The likeliest token after each other; ``longest`` as in :meth:`sample`.

        Raises:
            ValueError: If ``longest`` is below 2.
        """
        return self._generate(lambda logits: logits.argmax(1), longest)

    @torch.no_grad()
    def _generate(self, choose: Callable[[Tensor], Tensor], longest: int) -> Tensor:
        if longest < 2:
            raise ValueError(f"a document has START and END at least, got longest={longest}")
        tokens = torch.full((len(self.z),), START, device=self.z.device)
        columns = [tokens]
        state: State | None = None
        has_ended = torch.zeros_like(tokens, dtype=torch.bool)
        while len(columns) < longest and not has_ended.all():
            # What has ended is fed END; what comes out of it is not used.
            tokens = torch.where(has_ended, END, tokens)
            logits, state = self.model.step(tokens, self.z, self.rate_code, state)
            tokens = choose(logits) + FIRST_SAID
            columns.append(torch.where(has_ended, PAD, tokens))
            has_ended = has_ended | (tokens == END)
        return torch.stack(columns, 1)


def token_log_prob(
    hidden: Float[Tensor, "token hidden"],
    weight: Float[Tensor, "said hidden"],
    bias: Float[Tensor, " said"] | None,
    said: Int[Tensor, " token"],
) -> Float[Tensor, " token"]:
    """log softmax(weight hidden + bias) at ``said``, in nats, in float32 or better.

    Logits are made block by block and never kept: where gradients are wanted, they are computed
    with the values, for the case that all tokens weigh alike in what is minimised. Where they do
    not, the logits are made again.

    Args:
        hidden: One row a token; matrix products are in its precision.
        weight: Of the last layer.
        bias: Of the last layer, if it has one.
        said: The row of ``weight`` of each token.
    """
    parameters = [hidden, weight] if bias is None else [hidden, weight, bias]
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in parameters):
        # torch gives apply() no type.
        result: Tensor = _TokenLogProb.apply(hidden, weight, bias, said)  # type: ignore[no-untyped-call]
        return result
    lowered = weight.to(hidden.dtype)
    values = hidden.new_empty(len(hidden), dtype=torch.promote_types(hidden.dtype, torch.float32))
    # Written in place: small arrays that were kept between those of the logits would keep the
    # allocator from using their memory again, at 25 times the peak.
    first = 0
    for block, tokens in _blocks(weight, hidden, said):
        values[first : first + len(block)] = _values(block, lowered, bias, tokens)[2]
        first += len(block)
    return values


class _TokenLogProb(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, said: Tensor) -> Any:  # noqa: ANN401 -- torch gives it no type
        values, *gradients = _values_and_gradients(hidden, weight, bias, said, None)
        ctx.save_for_backward(hidden, weight, bias, said, *gradients)
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 -- as above
        hidden, weight, bias, said, of_hidden, of_weight, of_bias = ctx.saved_tensors
        scale: Tensor | float = grad[0]
        if not (grad == grad[0]).all():
            scale = 1.0
            _, of_hidden, of_weight, of_bias = _values_and_gradients(
                hidden, weight, bias, said, grad
            )
        return (
            of_hidden * scale,
            of_weight * scale,
            None if of_bias is None else of_bias * scale,
            None,
        )


def _values_and_gradients(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, said: Tensor, row_weights: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Log probabilities, and the gradients of their (weighted) sum."""
    lowered = weight.to(hidden.dtype)
    of_weight = torch.zeros_like(weight)
    of_bias = None if bias is None else torch.zeros_like(bias)
    values, of_hidden = [], []
    first = 0
    for block, tokens in _blocks(weight, hidden, said):
        logits, log_norm, value = _values(block, lowered, bias, tokens)
        # By the logits: one at the token that is said, minus the probabilities.
        slope = logits.sub_(log_norm[:, None]).exp_().neg_()
        slope.scatter_add_(1, tokens[:, None], torch.ones_like(slope[:, :1]))
        if row_weights is not None:
            slope *= row_weights[first : first + len(block), None]
        if of_bias is not None:
            of_bias += slope.sum(0)
        slope = slope.to(hidden.dtype)
        of_hidden.append(slope @ lowered)
        if slope.dtype == of_weight.dtype:
            of_weight.addmm_(slope.T, block)
        else:  # sums over blocks are kept in the precision of the weights
            of_weight += slope.T @ block
        values.append(value)
        first += len(block)
    return torch.cat(values), torch.cat(of_hidden), of_weight, of_bias


def _values(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, said: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, the logarithm of their normaliser, and log probabilities of one block."""
    logits = F.linear(hidden, weight, None if bias is None else bias.to(hidden.dtype))
    logits = logits.float() if logits.itemsize < 4 else logits
    log_norm = logits.logsumexp(1)
    return logits, log_norm, logits.gather(1, said[:, None])[:, 0] - log_norm


def _blocks(weight: Tensor, hidden: Tensor, said: Tensor) -> list[tuple[Tensor, Tensor]]:
    cells = BLOCK_CELLS.get(hidden.device.type, BLOCK_CELLS["cuda"])
    rows = max(LEAST_ROWS, cells // len(weight))
    return list(zip(torch.split(hidden, rows), torch.split(said, rows), strict=True))
