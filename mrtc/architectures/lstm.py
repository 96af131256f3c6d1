"""The LSTMs that encode and decode documents, gated or plain."""

from dataclasses import replace
from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from mrtc.datasets.vocabulary import PAD, START, UNKNOWN
from mrtc.layers import Gated, GateInit, GateKind, RateGate
from mrtc.layers.recurrent import Packing, State, draw_dropout, run_lstm, scale_rows
from mrtc.sampled_softmax import draw_words, sampled_log_prob
from mrtc.token_sequences import FIRST_SAID, TokenSequences, token_log_prob

Probability = Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True)
class LSTMConfig:
    """Sizes, form, dropout and gates of the networks; by default those of Bae et al."""

    setup: Literal["texar", "he2019"] = "texar"
    """Whose form and first weights. ``texar``: the posterior is read from hidden state and cell,
    and the code makes both of the decoder's; embeddings start as N(0, 1/size), the rest as torch
    has it. ``he2019``: from the hidden state alone, and the code makes the cell c, with the hidden
    state tanh(c); no biases outside the LSTMs; embeddings start uniform on ±0.1, the rest on
    ±0.01."""
    embedding: PositiveInt = 256
    """Features of a token."""
    encoder: PositiveInt = 256
    """Features of the encoder's LSTM."""
    decoder: PositiveInt = 256
    """Features of the decoder's LSTM."""
    codes: PositiveInt = 32
    """Latent dimensions."""
    head_hidden: bool = True
    """Whether mean and log sigma have a hidden layer each, as wide as what they read. Multi-rate
    models have them; published baselines do not."""
    gated: bool = True
    """Whether there are gates: on embeddings, on the encoder's last state, on the layers behind it,
    and on the layer from the code to the decoder's first state; none in the LSTMs and the softmax.
    """
    dropout_in: Probability = 0.5
    """Of features of the decoder's embeddings, in training."""
    dropout_out: Probability = 0.5
    """Of features of the decoder's hidden states before the softmax, in training."""
    word_dropout: Probability = 0.0
    """Of words that the decoder reads, which become unknown ones, in training."""
    sampled_words: PositiveInt | None = None
    """Words that stand for all others in the softmax, in training: the distortion is then an
    estimate, too low in expectation, see :mod:`mrtc.sampled_softmax`. None: the full softmax, which
    is also taken where there are not more words, and for all that is reported of a model."""
    gate_init: GateInit = "open"
    """How gates start, see :class:`mrtc.layers.RateGate`."""
    kind: Literal["lstm"] = "lstm"

    @property
    def is_plain(self) -> bool:
        """Whether it has no gates."""
        return not self.gated

    def plain(self, *, head_hidden: bool = False) -> "LSTMConfig":
        """The baseline of the same sizes, without gates.

        Args:
            head_hidden: Keep the hidden layers behind the encoder, where there are any: the
                baseline then differs in its gates alone. Published baselines do without.
        """
        return replace(self, gated=False, head_hidden=self.head_hidden and head_hidden)

    def gate(self, kind: GateKind) -> GateKind | None:
        """``kind`` if there are gates."""
        return kind if self.gated else None

    def rate_gate(self, features: int, kind: GateKind) -> RateGate | None:
        """A gate of that many features, if there are gates."""
        return RateGate(features, kind, self.gate_init) if self.gated else None


PUBLISHED = {
    "bae2023": LSTMConfig(),
    "texar": LSTMConfig(embedding=512, encoder=550, decoder=550),
    "he2019": LSTMConfig(setup="he2019", embedding=512, encoder=1024, decoder=1024),
}
"""Sizes and forms of three publications, with gates; ``plain()`` of the last two is what they had.

References:
    Bae et al., ICLR 2023, appendix; the text VAE among the examples of texar-pytorch; He et al.,
    "Lagging Inference Networks and Posterior Collapse", ICLR 2019.
"""


class LSTMEncoder(nn.Module):
    """Tokens to posterior: an LSTM, then a head for the mean and one for log sigma.

    The published heads predict the log variance, twice log sigma. At the start that makes sigma
    vary half as much from document to document; the models that can be expressed are the same.

    Args:
        vocabulary: Tokens, special ones counted.
        config: Sizes, form and gates.

    References:
        Bae et al., ICLR 2023, appendix (sites of gates).
    """

    def __init__(self, vocabulary: int, config: LSTMConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, config.embedding)
        self.embedding_gate = config.rate_gate(config.embedding, "sigmoid")
        self.lstm = nn.LSTM(config.embedding, config.encoder)
        self.reads_cell = config.setup == "texar"
        features = config.encoder * (2 if self.reads_cell else 1)
        self.state_gate = config.rate_gate(features, "sigmoid")
        self.mean = _Head(features, config)
        self.log_sigma = _Head(features, config)
        _initialise(self, config)

    def stem(self, x: Int[Tensor, "document position"]) -> Int[Tensor, "document position"]:
        """The tokens: the first gates are on their embeddings already."""
        return x

    def from_stem(
        self, stem: Int[Tensor, "document position"], rate_code: Float[Tensor, " group"]
    ) -> tuple[Float[Tensor, "document code"], Float[Tensor, "document code"]]:
        """Mean and log sigma of each code, in float32 under autocast too."""
        documents = len(stem)
        packing = Packing.of((stem != PAD).sum(1))
        embedded = self.embedding(packing.take(stem))
        embedded = scale_rows(
            embedded, self.embedding_gate, rate_code, packing.documents, documents
        )
        zero = embedded.new_zeros(documents, self.lstm.hidden_size)
        _, (hidden, cell) = run_lstm(self.lstm, embedded, packing, (zero, zero))
        state = torch.cat([hidden, cell], 1) if self.reads_cell else hidden
        with torch.autocast(state.device.type, enabled=False):
            state = state.to(self.embedding.weight.dtype)
            rows = torch.arange(documents, device=state.device)
            state = scale_rows(state, self.state_gate, rate_code, rows, documents)
            return self.mean(state, rate_code), self.log_sigma(state, rate_code)

    def forward(
        self, x: Int[Tensor, "document position"], rate_code: Float[Tensor, " group"]
    ) -> tuple[Float[Tensor, "document code"], Float[Tensor, "document code"]]:
        """Mean and log sigma of the posterior of each document."""
        return self.from_stem(self.stem(x), rate_code)


class LSTMDecoder(nn.Module):
    """Codes to the likelihood of documents; the code joins every embedding and the first state.

    Args:
        vocabulary: Tokens, special ones counted.
        config: Sizes, form, dropout, sampling of words, and gates.
    """

    def __init__(self, vocabulary: int, config: LSTMConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(vocabulary, config.embedding)
        self.embedding_gate = config.rate_gate(config.embedding, "sqrt")
        self.is_texar = config.setup == "texar"
        states = nn.Linear(
            config.codes, config.decoder * (2 if self.is_texar else 1), bias=self.is_texar
        )
        self.first_state = Gated(states, config.gate("sqrt"), config.gate_init)
        self.lstm = nn.LSTM(config.embedding + config.codes, config.decoder)
        self.output = nn.Linear(config.decoder, vocabulary - FIRST_SAID, bias=self.is_texar)
        _initialise(self, config)

    def forward(
        self, z: Float[Tensor, "document code"], rate_code: Float[Tensor, " group"]
    ) -> TokenSequences:
        """The likelihood of documents, given each code vector."""
        return TokenSequences(self, z, rate_code)

    def log_prob(
        self,
        x: Int[Tensor, "document position"],
        z: Float[Tensor, "document code"],
        rate_code: Float[Tensor, " group"],
        noise: Float[Tensor, "document noise"] | None,
    ) -> Float[Tensor, " document"]:
        """log p(x|z) of each document, see :class:`mrtc.token_sequences.TokenModel`.

        An estimate of it where there is noise, the decoder is in training, and ``sampled_words`` of
        its configuration are fewer than its words.
        """
        lengths = (x != PAD).sum(1) - 1
        packing = Packing.of(lengths)
        tokens, said = packing.take(x[:, :-1]), packing.take(x[:, 1:])
        on_words, on_inputs, on_outputs = self._dropout(noise, lengths, packing)
        tokens = torch.where((on_words == 0) & (tokens != START), UNKNOWN, tokens)
        embedded = self._embed(tokens, rate_code, packing.documents, len(x)) * on_inputs
        inputs = torch.cat([embedded, z.index_select(0, packing.documents)], 1)
        hidden, _ = run_lstm(self.lstm, inputs, packing, self._first_state(z, rate_code))
        hidden = hidden * on_outputs
        log_prob = self._token_log_prob(hidden, said - FIRST_SAID, noise)
        # Beyond 1,024 nats, float32 itself is no finer than 1e-4.
        total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        return total.index_add(0, packing.documents, log_prob.double())

    def step(
        self,
        tokens: Int[Tensor, " document"],
        z: Float[Tensor, "document code"],
        rate_code: Float[Tensor, " group"],
        state: State | None,
    ) -> tuple[Float[Tensor, "document said"], State]:
        """Logits of the next token, see :class:`mrtc.token_sequences.TokenModel`."""
        rows = torch.arange(len(z), device=z.device)
        inputs = torch.cat([self._embed(tokens, rate_code, rows, len(z)), z], 1)
        hidden, cell = state or self._first_state(z, rate_code)
        _, (hidden, cell) = self.lstm(inputs[None], (hidden[None], cell[None]))
        return self.output(hidden[0]), (hidden[0], cell[0])

    def _dropout(
        self, noise: Tensor | None, lengths: Tensor, packing: Packing
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The factors on words, embeddings and hidden states."""
        config, one = self.config, torch.ones((), device=lengths.device)
        if noise is None:
            return one, one, one
        sites = (
            (1, config.word_dropout),
            (config.embedding, config.dropout_in),
            (config.decoder, config.dropout_out),
        )
        words, inputs, outputs = draw_dropout(noise, lengths, packing, sites)
        return words[:, 0], inputs, outputs

    def _embed(self, tokens: Tensor, rate_code: Tensor, document: Tensor, count: int) -> Tensor:
        return scale_rows(self.embedding(tokens), self.embedding_gate, rate_code, document, count)

    def _first_state(self, z: Tensor, rate_code: Tensor) -> State:
        state: Tensor = self.first_state(z, rate_code)
        if self.is_texar:
            hidden, cell = state.chunk(2, dim=1)
            return hidden.contiguous(), cell.contiguous()
        return state.tanh(), state

    def _token_log_prob(self, hidden: Tensor, said: Tensor, noise: Tensor | None) -> Tensor:
        device = hidden.device.type
        if torch.is_autocast_enabled(device):
            hidden = hidden.to(torch.get_autocast_dtype(device))
        weight, bias, draws = self.output.weight, self.output.bias, self.config.sampled_words
        if noise is None or not self.training or draws is None or draws >= len(weight):
            return token_log_prob(hidden, weight, bias, said)
        return sampled_log_prob(hidden, weight, bias, said, draw_words(noise, len(weight), draws))


class _Head(nn.Module):
    """State to one moment of each code: a linear layer, with a hidden one before it or without."""

    def __init__(self, features: int, config: LSTMConfig) -> None:
        super().__init__()
        kind, has_bias = config.gate("sigmoid"), config.setup == "texar"
        self.hidden = (
            Gated(nn.Linear(features, features, bias=has_bias), kind, config.gate_init)
            if config.head_hidden
            else None
        )
        output = nn.Linear(features, config.codes, bias=has_bias)
        self.output = Gated(output, kind, config.gate_init)

    def forward(self, state: Tensor, rate_code: Tensor) -> Tensor:
        if self.hidden is not None:
            state = self.hidden(state, rate_code).relu()
        moment: Tensor = self.output(state, rate_code)
        return moment


def _initialise(network: nn.Module, config: LSTMConfig) -> None:
    """First weights of a publication; gates and what it says nothing of stay as they are."""
    for module in network.modules():
        if isinstance(module, nn.Embedding) and config.setup == "texar":
            nn.init.normal_(module.weight, std=module.embedding_dim**-0.5)
        elif isinstance(module, nn.Embedding):
            nn.init.uniform_(module.weight, -0.1, 0.1)
        elif isinstance(module, nn.Linear | nn.LSTM) and config.setup == "he2019":
            for parameter in module.parameters():
                nn.init.uniform_(parameter, -0.01, 0.01)
