"""A VAE at one beta, of plain torch layers; this file needs torch and safetensors, nothing else.

Keep it beside the weights that came with it::

    from frozen_vae import load

    model = load("ckpt-beta4.safetensors")
    mean, log_sigma = model.encode(x)
"""

import json
from os import PathLike
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- the name everybody knows

KEY, VERSION = "frozen_vae", 1
"""Where the description stands in the file's metadata, and its newest form."""

UNKNOWN = "_UNK"
"""How a word is written that is not known."""

BLOCK_CELLS = 2**20
"""Logits of words worked on at a time."""

State = tuple[Tensor, Tensor]
"""The hidden state and the cell of an LSTM, (document, feature) both."""


class Residual(nn.Module):
    """relu(x + inner(x))."""

    def __init__(self, inner: list[dict[str, Any]]) -> None:
        super().__init__()
        self.inner = sequence(inner)

    def forward(self, x: Tensor) -> Tensor:
        """Of the shape of ``x``."""
        added: Tensor = self.inner(x)
        return (x + added).relu()


class Append(nn.Module):
    """The same numbers behind every row."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.empty(features))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, a) to (batch, a + features)."""
        return torch.cat([x, self.value.expand(len(x), -1)], 1)


LAYERS: dict[str, type[nn.Module]] = {
    layer.__name__: layer
    for layer in (
        *(nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.ReLU, nn.Sigmoid, nn.Tanh),
        *(nn.Flatten, nn.Unflatten, Residual, Append),
    )
}


def sequence(layers: list[dict[str, Any]]) -> nn.Sequential:
    """Layers from their description: the name of each, and what its constructor takes."""
    return nn.Sequential(*(_layer(**layer) for layer in layers))


def _layer(name: str, **options: Any) -> nn.Module:  # noqa: ANN401 -- whatever the layer takes
    return LAYERS[name](**options)


class FrozenModel(nn.Module):
    """What all frozen models have.

    Attributes:
        about: What the file says of the model: ``beta``, ``likelihood``, ``codes``, ``shape`` of
            an example, ``architecture`` and, if a checkpoint was frozen, its ``dataset`` and
            ``fingerprint``.
    """

    def __init__(self, about: dict[str, Any]) -> None:
        super().__init__()
        self.about = about

    def to_bytes(self) -> bytes:
        """The file that :func:`load` reads."""
        weights = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        return save(weights, {KEY: json.dumps(self.about, sort_keys=True)})


class FrozenVAE(FrozenModel):
    """Of images, or of other arrays."""

    def __init__(self, about: dict[str, Any]) -> None:
        super().__init__(about)
        self.encoder = sequence(about["encoder"])
        self.decoder = sequence(about["decoder"])

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log sigma of each code, (batch, codes) both, of ``x``, ``(batch, *shape)``."""
        mean, log_sigma = self.encoder(x).chunk(2, dim=1)
        return mean, log_sigma

    def decode(self, z: Tensor) -> Tensor:
        """(batch, codes) to ``(batch, *shape)``: logits if it is Bernoulli, else means."""
        out: Tensor = self.decoder(z)
        return out

    def mean(self, z: Tensor) -> Tensor:
        """The mean of the likelihood of each code vector."""
        out = self.decode(z)
        return out.sigmoid() if self.about["likelihood"] == "bernoulli" else out

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Means of the likelihood at ``count`` draws from the prior."""
        z = torch.randn(count, self.about["codes"], generator=generator, device=generator.device)
        return self.mean(z)

    def log_prob(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z), (batch,), in nats; for ``squared_error`` minus the squared error."""
        out = self.decode(z)
        if self.about["likelihood"] == "bernoulli":
            cross_entropy = F.binary_cross_entropy_with_logits(out, x, reduction="none")
            return -cross_entropy.flatten(1).sum(1)
        squared_error = (x - out).flatten(1).square().sum(1)
        if self.about["likelihood"] == "squared_error":
            return -squared_error
        log_sigma = torch.tensor(self.about["log_sigma"]).to(out)
        constant = out[0].numel() * (log_sigma + 0.5 * torch.log(2 * torch.tensor(torch.pi)))
        return -0.5 * squared_error * (-2 * log_sigma).exp() - constant


class TextEncoder(nn.Module):
    """Tokens to mean and log sigma, from the state of an LSTM after the last token."""

    def __init__(self, about: dict[str, Any]) -> None:
        super().__init__()
        sizes = about["sizes"]
        self.embedding = _table(sizes["tokens"], sizes["embedding"])
        self.lstm = nn.LSTM(sizes["embedding"], sizes["encoder"], batch_first=True)
        self.mean, self.log_sigma = sequence(about["mean"]), sequence(about["log_sigma"])
        self.reads_cell: bool = about["reads_cell"]
        self.pad: int = about["special"]["pad"]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(document, codes) both."""
        zero = self.embedding.weight.new_zeros(len(x), self.lstm.hidden_size)
        lengths = (x != self.pad).sum(1)
        _, (hidden, cell) = _run(self.lstm, self.embedding(x), lengths, (zero, zero))
        state = torch.cat([hidden, cell], 1) if self.reads_cell else hidden
        return self.mean(state), self.log_sigma(state)


class TextDecoder(nn.Module):
    """Codes and the tokens so far to what comes next; the code joins every token."""

    def __init__(self, about: dict[str, Any]) -> None:
        super().__init__()
        sizes = about["sizes"]
        self.embedding = _table(sizes["tokens"], sizes["embedding"])
        self.first_state = sequence(about["first_state"])
        inputs = sizes["embedding"] + about["codes"]
        self.lstm = nn.LSTM(inputs, sizes["decoder"], batch_first=True)
        self.output = sequence(about["output"])
        self.makes_cell_only: bool = about["makes_cell_only"]

    def start(self, z: Tensor) -> State:
        """The state before the first token."""
        state: Tensor = self.first_state(z)
        if self.makes_cell_only:
            return state.tanh(), state
        hidden, cell = state.chunk(2, dim=1)
        return hidden.contiguous(), cell.contiguous()

    def read(
        self, tokens: Tensor, lengths: Tensor, z: Tensor, state: State
    ) -> tuple[Tensor, State]:
        """Hidden states at all tokens, (document, position, feature), and the last state."""
        codes = z[:, None].expand(-1, tokens.shape[1], -1)
        inputs = torch.cat([self.embedding(tokens), codes], 2)
        return _run(self.lstm, inputs, lengths, state)


class FrozenTextVAE(FrozenModel):
    """Of documents: rows of token numbers, START, words, END, then padding.

    Logits and probabilities are of END and the tokens after it: column 0 is END.
    """

    def __init__(self, about: dict[str, Any]) -> None:
        super().__init__(about)
        self.encoder, self.decoder = TextEncoder(about), TextDecoder(about)
        self.pad, self.first, self.end, self.unknown = (
            about["special"][name] for name in ("pad", "start", "end", "unknown")
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log sigma of each code, (document, codes), of ``x``, (document, position)."""
        mean, log_sigma = self.encoder(x)
        return mean, log_sigma

    def start(self, z: Tensor) -> State:
        """The state before the first token."""
        return self.decoder.start(z)

    def step(self, tokens: Tensor, z: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits of what comes after ``tokens``, (document,), and the state after them."""
        one = torch.ones_like(tokens)
        hidden, state = self.decoder.read(tokens[:, None], one, z, state)
        return self.decoder.output(hidden[:, 0]), state

    def log_prob(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z), (document,), in nats, END counted; a float64 sum over tokens."""
        lengths = (x != self.pad).sum(1) - 1
        hidden, _ = self.decoder.read(x[:, :-1], lengths, z, self.start(z))
        document, position = (x[:, 1:] != self.pad).nonzero(as_tuple=True)
        said = x[document, position + 1] - self.end
        rows = max(1, BLOCK_CELLS // self.about["sizes"]["tokens"])
        blocks = torch.split(hidden[document, position], rows)
        parts = zip(blocks, torch.split(said, rows), strict=True)
        values = [-F.cross_entropy(self.decoder.output(h), s, reduction="none") for h, s in parts]
        total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        return total.index_add(0, document, torch.cat(values).double())

    @torch.no_grad()
    def greedy(self, z: Tensor, longest: int) -> Tensor:
        """The likeliest token after each other, ``longest`` at most with START and END."""
        return self._generate(z, longest, None)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator, longest: int) -> Tensor:
        """Documents drawn word by word at draws of the prior; ``longest`` as in ``greedy``."""
        size = count, self.about["codes"]
        z = torch.randn(size, generator=generator, device=generator.device)
        return self._generate(z, longest, generator)

    def tokens(self, texts: list[list[str]]) -> Tensor:
        """Rows for documents that are cut into words."""
        numbers = {word: at for at, word in enumerate(self.about["words"], self.unknown + 1)}
        rows = [[numbers.get(word, self.unknown) for word in text] for text in texts]
        framed = [torch.tensor([self.first, *row, self.end]) for row in rows]
        return nn.utils.rnn.pad_sequence(framed, batch_first=True, padding_value=self.pad)

    def words(self, x: Tensor) -> list[list[str]]:
        """The words of each row up to its END; unknown ones are ``_UNK``."""
        known = dict(enumerate([UNKNOWN, *self.about["words"]], self.unknown))
        rows = [row[: row.index(self.end)] if self.end in row else row for row in x.tolist()]
        return [[known[token] for token in row if token in known] for row in rows]

    def _generate(self, z: Tensor, longest: int, generator: torch.Generator | None) -> Tensor:
        tokens = torch.full((len(z),), self.first, device=z.device)
        columns, state = [tokens], self.start(z)
        has_ended = torch.zeros_like(tokens, dtype=torch.bool)
        while len(columns) < longest and not has_ended.all():
            logits, state = self.step(tokens.where(~has_ended, self.end), z, state)
            if generator is None:
                tokens = logits.argmax(1) + self.end
            else:
                chances = logits.softmax(1)
                tokens = torch.multinomial(chances, 1, generator=generator)[:, 0] + self.end
            columns.append(tokens.where(~has_ended, self.pad))
            has_ended = has_ended | (tokens == self.end)
        return torch.stack(columns, 1)


def build(about: dict[str, Any], weights: dict[str, Tensor]) -> FrozenVAE | FrozenTextVAE:
    """A model from its description and its weights, which it keeps; it draws nothing at random."""
    with torch.device("meta"):
        model = FrozenTextVAE(about) if about["likelihood"] == "tokens" else FrozenVAE(about)
    model.load_state_dict(weights, assign=True)
    return model.requires_grad_(requires_grad=False).eval()


def load(path: str | PathLike[str]) -> FrozenVAE | FrozenTextVAE:
    """The model in a file, on the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, of something else, or of a newer form.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} cannot be read: {error}; take a copy, or freeze again") from error
    if KEY not in metadata:
        raise ValueError(f"{path} holds no frozen VAE, only weights; give one of `mrtc freeze`")
    about = json.loads(metadata[KEY])
    if about["version"] > VERSION:
        raise ValueError(
            f"{path} has form {about['version']}, and this frozen_vae.py reads up to {VERSION}; "
            "take the frozen_vae.py that came with it"
        )
    return build(about, weights)


def _table(tokens: int, features: int) -> nn.Embedding:
    # Given weights, it draws none: to draw normal ones on "meta", torch first imports its compiler.
    return nn.Embedding(tokens, features, _weight=torch.empty(tokens, features))


def _run(lstm: nn.LSTM, x: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
    """Outputs at all tokens, and the state of each document after its last one.

    At each position only the documents that go on are run, all positions at which they are the same
    together, so padding is neither read nor paid for.
    """
    lengths, order = lengths.sort(descending=True, stable=True)
    if lengths[-1] < 1:
        raise ValueError(f"document {int(order[-1])} is empty; every row is START, words, END")
    x = x[order]
    hidden, cell = (part[order] for part in state)
    blocks, ended, at = [], [], 0
    for end in sorted(set(lengths.tolist())):
        out, (hidden, cell) = lstm(
            x[: len(hidden), at:end].contiguous(), (hidden[None], cell[None])
        )
        left = int((lengths > end).sum())
        blocks.append(F.pad(out, (0, 0, 0, 0, 0, len(x) - len(out))))
        ended.append((hidden[0, left:], cell[0, left:]))
        hidden, cell, at = hidden[0, :left], cell[0, :left], end
    back = order.argsort()
    hiddens, cells = zip(*reversed(ended), strict=True)
    return torch.cat(blocks, 1)[back], (torch.cat(hiddens)[back], torch.cat(cells)[back])
