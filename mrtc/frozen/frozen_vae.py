"""A VAE at one beta, of plain torch layers; this file needs torch and safetensors, nothing else.

Keep it beside the weights that came with it::

    from frozen_vae import load

    model = load("ckpt-beta4.safetensors")
    mean, log_sigma = model.encode(x)  # (batch, codes) both

First comes what is called, then what it is made of. Log probabilities are in nats.
"""

import json
from collections.abc import Iterator, Sequence
from math import exp, log, pi, prod
from os import PathLike
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- the name everybody knows

KEY, VERSION = "frozen_vae", 2
"""Where the description stands in the file's metadata, and its newest form."""

UNKNOWN = "_UNK"
"""How a word is written that is not known."""

BLOCK_CELLS = 2**20
"""Logits of words worked on at a time."""

LEVELS, LARGEST_LOG_SCALE = 256, 7
"""Of a channel in a mixture of logistics, and how far log scales go on both sides of zero."""

State = tuple[Tensor, Tensor]
"""The hidden state and the cell of an LSTM, (document, feature) both."""


def load(path: str | PathLike[str]) -> "FrozenVAE | FrozenTextVAE":
    """The model in a file, in evaluation mode and on the CPU; ``.to("cuda")`` moves it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, of something else, or of a newer form.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(
            f"{path} cannot be read: {error}; give a .safetensors file of `mrtc freeze`, and if it "
            "is one, take a copy of it, or freeze again"
        ) from error
    if KEY not in metadata:
        raise ValueError(f"{path} holds no frozen VAE, only weights; give one of `mrtc freeze`")
    about = json.loads(metadata[KEY])
    if about["version"] > VERSION:
        raise ValueError(
            f"{path} has form {about['version']}, and this frozen_vae.py reads up to {VERSION}; "
            "take the frozen_vae.py that came with it"
        )
    return build(about, weights)


def build(about: dict[str, Any], weights: dict[str, Tensor]) -> "FrozenVAE | FrozenTextVAE":
    """A model from its description and its weights, which it keeps; it draws nothing at random."""
    kind: type[FrozenVAE | FrozenTextVAE] = FrozenHierarchy if "groups" in about else FrozenVAE
    with torch.device("meta"):
        model = FrozenTextVAE(about) if about["likelihood"] == "tokens" else kind(about)
    model.load_state_dict(weights, assign=True)
    if isinstance(model, FrozenHierarchy):
        # Their many small convolutions take two thirds of the time with channels last.
        # torch's types leave this form of to() out.
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model.requires_grad_(requires_grad=False).eval()


class FrozenModel(nn.Module):
    """What all frozen models have.

    Attributes:
        about: What the file says of the model: ``beta``, ``likelihood``, ``codes`` (how many),
            ``shape`` of an example, ``architecture``, ``log_sigma`` of a Gaussian likelihood and,
            if a checkpoint was frozen, its ``dataset`` and ``fingerprint``.
    """

    def __init__(self, about: dict[str, Any]) -> None:
        super().__init__()
        self.about = about

    def to_bytes(self) -> bytes:
        """The file that :func:`load` reads."""
        weights = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        return save(weights, {KEY: json.dumps(self.about, sort_keys=True)})

    def draw_prior(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, codes), from N(0, 1), where the weights are and in their precision."""
        size = count, self.about["codes"]
        z = torch.randn(size, generator=generator, device=generator.device)
        return z.to(next(self.parameters()))


class FrozenVAE(FrozenModel):
    """Of images, or of other arrays: floating-point numbers as in training, pixels in [0, 1].

    All methods but ``sample`` raise ValueError if an array has another shape, or whole numbers.
    """

    def __init__(self, about: dict[str, Any]) -> None:
        super().__init__(about)
        self.encoder = sequence(about["encoder"])
        self.decoder = sequence(about["decoder"])

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log sigma of each code, (batch, codes) both, of ``x``, ``(batch, *shape)``."""
        _require(x, "x", self.about["shape"])
        mean, log_sigma = self.encoder(x).chunk(2, dim=1)
        return mean, log_sigma

    def decode(self, z: Tensor) -> Tensor:
        """(batch, codes) to what the likelihood takes.

        Logits, ``(batch, *shape)``, if it is Bernoulli; if it is a mixture of logistics, the
        parameters of each pixel, see :class:`LogisticMixture`; else means, ``(batch, *shape)``.
        """
        _require(z, "z", [self.about["codes"]])
        out: Tensor = self.decoder(z)
        return out.contiguous()

    def mean(self, z: Tensor) -> Tensor:
        """The mean of the likelihood of each code vector, ``(batch, *shape)``."""
        out = self.decode(z)
        if self.about["likelihood"] == "logistic_mixture":
            return LogisticMixture(out, self.about["shape"][0]).mean()
        return out.sigmoid() if self.about["likelihood"] == "bernoulli" else out

    def sample(self, count: int, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        """Means of the likelihood, ``(count, *shape)``, at draws from the prior.

        The temperature is the standard deviation of the draws: 1 is the prior's own.
        """
        return self.mean(temperature * self.draw_prior(count, generator))

    def log_prob(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z), (batch,), in nats; for ``squared_error`` minus the squared error."""
        _require(x, "x", self.about["shape"])
        out = self.decode(z)
        if self.about["likelihood"] == "logistic_mixture":
            return LogisticMixture(out, self.about["shape"][0]).log_prob(x)
        if self.about["likelihood"] == "bernoulli":
            cross_entropy = F.binary_cross_entropy_with_logits(out, x, reduction="none")
            return -cross_entropy.flatten(1).sum(1)
        squared_error = (x - out).flatten(1).square().sum(1)
        if self.about["likelihood"] == "squared_error":
            return -squared_error
        log_sigma: float = self.about["log_sigma"]
        constant: float = prod(self.about["shape"]) * (log_sigma + 0.5 * log(2 * pi))
        return -0.5 * squared_error * exp(-2 * log_sigma) - constant


class FrozenHierarchy(FrozenVAE):
    """Of images, with codes in groups; each group is drawn given those above it.

    The codes of all groups stand in one row, the top group's first, as maps that are flattened
    (``about["groups"]`` has the channels and sides of each), and have the prior N(0, 1).
    """

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log sigma of each code, along the way of posterior means.

        To represent, and to show what is kept of ``x``. A rate or an importance weight needs the
        moments along a draw: ``infer``.
        """
        zero = self.top_down.start.new_zeros(len(x), self.about["codes"])
        mean, log_sigma, _ = self.infer(x, zero)
        return mean, log_sigma

    def infer(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and log sigma along a draw, and the draw that ``noise`` makes: (batch, codes) all.

        ``noise``, of that shape too, is standard normal.
        """
        _require(x, "x", self.about["shape"])
        _require(noise, "noise", [self.about["codes"]])
        return self.top_down.infer(self.encoder(x), noise)

    @property
    def top_down(self) -> "TopDown":
        """The decoder's first layer, which has the posteriors too; behind it are no more codes."""
        first = self.decoder[0]
        assert isinstance(first, TopDown)  # noqa: S101 -- so it is written
        return first


class FrozenTextVAE(FrozenModel):
    """Of documents: rows of token numbers, START, words, END, then padding.

    Logits and probabilities are of END and the tokens after it: column 0 is END. In shapes,
    ``said`` is the number of these.
    """

    def __init__(self, about: dict[str, Any]) -> None:
        super().__init__(about)
        self.encoder, self.decoder = TextEncoder(about), TextDecoder(about)
        self.pad, self.first, self.end, self.unknown = (
            about["special"][name] for name in ("pad", "start", "end", "unknown")
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log sigma of each code, (document, codes), of ``x``, (document, position).

        Raises:
            ValueError: If ``x`` is of another shape, has no token numbers, padding in front of
                words, or an empty row.
        """
        _require_tokens(x, self.pad)
        mean, log_sigma = self.encoder(x)
        return mean, log_sigma

    def start(self, z: Tensor) -> State:
        """The state before the first token."""
        return self.decoder.start(z)

    def step(self, tokens: Tensor, z: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits of what comes after ``tokens``, (document, said), and the state after them.

        ``tokens`` are one a document, (document,).
        """
        one = torch.ones_like(tokens)
        hidden, state = self.decoder.read(tokens[:, None], one, z, state)
        return self.decoder.output(hidden[:, 0]), state

    def log_prob(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z), (document,), in nats, END counted; a float64 sum over tokens.

        Raises:
            ValueError: As :meth:`encode`.
        """
        _require_tokens(x, self.pad)
        lengths = (x != self.pad).sum(1) - 1
        hidden, _ = self.decoder.read(x[:, :-1], lengths, z, self.start(z))
        document, position = (x[:, 1:] != self.pad).nonzero(as_tuple=True)
        said = x[document, position + 1].long() - self.end
        rows = max(1, BLOCK_CELLS // self.about["sizes"]["tokens"])
        blocks = torch.split(hidden[document, position], rows)
        parts = zip(blocks, torch.split(said, rows), strict=True)
        values = [-F.cross_entropy(self.decoder.output(h), s, reduction="none") for h, s in parts]
        total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        return total.index_add(0, document, torch.cat(values).double())

    @torch.no_grad()
    def greedy(self, z: Tensor, longest: int) -> Tensor:
        """The likeliest token after each other, (document, position).

        ``longest`` positions at most, with START and END.
        """
        return self._generate(z, longest, None)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator, longest: int) -> Tensor:
        """Documents drawn word by word at draws of the prior; ``longest`` as in ``greedy``."""
        return self._generate(self.draw_prior(count, generator), longest, generator)

    def tokens(self, texts: Sequence[Sequence[str]]) -> Tensor:
        """Rows for documents that are cut into words, (document, position).

        Raises:
            ValueError: If a document is not cut, or the model came without its words.
        """
        if any(isinstance(text, str) for text in texts):
            raise ValueError(
                'documents come cut into words, [["how", "are", "you"]], and one is a string; cut '
                "it as the texts of training were cut, see about['tokenisation']"
            )
        numbers = {word: at for at, word in enumerate(self._words(), self.unknown + 1)}
        rows = [[numbers.get(word, self.unknown) for word in text] for text in texts]
        framed = [torch.tensor([self.first, *row, self.end]) for row in rows]
        return nn.utils.rnn.pad_sequence(framed, batch_first=True, padding_value=self.pad)

    def words(self, x: Tensor) -> list[list[str]]:
        """The words of each row up to its END; unknown ones are ``_UNK``.

        Raises:
            ValueError: If the model came without its words.
        """
        known = dict(enumerate([UNKNOWN, *self._words()], self.unknown))
        rows = [row[: row.index(self.end)] if self.end in row else row for row in x.tolist()]
        return [[known[token] for token in row if token in known] for row in rows]

    def _words(self) -> list[str]:
        words: list[str] = self.about["words"]
        if not words:
            raise ValueError(
                "this model came without its words, so it reads and writes token numbers alone; "
                "freeze the checkpoint with `mrtc freeze`, which takes them along"
            )
        return words

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


class LogisticMixture:
    """Pixels of 8 bits a channel as mixtures of logistic distributions, cut into levels.

    Args:
        parameters: (batch, parameter, height, width), each of them for all components: a logit of
            the weight; a mean for each channel, in [-1, 1]; a log scale for each; coefficients, in
            tanh, of green on red, blue on red, blue on green.
        channels: Of the images.
    """

    def __init__(self, parameters: Tensor, channels: int) -> None:
        kinds = [1, channels, channels, channels * (channels - 1) // 2]
        components = parameters.shape[1] // sum(kinds)
        parts = parameters.reshape(-1, sum(kinds), components, *parameters.shape[2:])
        logits, self.means, log_scales, coefficients = torch.split(parts, kinds, 1)
        self.logits = logits[:, 0]
        self.scales = log_scales.clamp(-LARGEST_LOG_SCALE, LARGEST_LOG_SCALE).exp()
        self.slopes = coefficients.tanh()

    def mean(self) -> Tensor:
        """Of each channel, in [0, 1]: of logistics clipped to it, at the means of those before."""
        means: list[Tensor] = []
        for channel, scale in enumerate(self.scales.unbind(1)):
            centre = self._centre(channel, means)
            ends = F.softplus((centre + 1) / scale) - F.softplus((centre - 1) / scale)
            means.append(scale * ends - 1)
        mixed: Tensor = (torch.stack(means, 1) * self.logits.softmax(1)[:, None]).sum(2)
        return ((mixed + 1) / 2).clamp(0, 1)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x), (batch,), in nats, of images of whole levels in [0, 1]."""
        level = (x * (LEVELS - 1)).round()[:, :, None]
        values = list((2 * level / (LEVELS - 1) - 1).unbind(1))
        total = self.logits.log_softmax(1)
        for channel, scale in enumerate(self.scales.unbind(1)):
            middle = (values[channel] - self._centre(channel, values[:channel])) / scale
            half = 1 / (LEVELS - 1) / scale
            is_first, is_last = level[:, channel] == 0, level[:, channel] == LEVELS - 1
            # Between edges a < b there is sigmoid(b) sigmoid(-a) (1 - exp(a - b)), where nothing
            # cancels; the first and the last level have all of their tails.
            above = F.logsigmoid(half - middle).masked_fill(is_first, 0)
            below = F.logsigmoid(middle + half).masked_fill(is_last, 0)
            inside = (-torch.expm1(-2 * half)).log().masked_fill(is_first | is_last, 0)
            total = total + above + below + inside
        return total.logsumexp(1).flatten(1).sum(1)

    def _centre(self, channel: int, before: list[Tensor]) -> Tensor:
        """The means of a channel, given the values of the channels before it."""
        centre: Tensor = self.means[:, channel]
        for slope, value in enumerate(before, channel * (channel - 1) // 2):
            centre = centre + self.slopes[:, slope] * value
        return centre


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


def _require(x: Tensor, name: str, shape: list[int]) -> None:
    """Refuses what some layers take and make wrong numbers of: other sides, bytes."""
    if list(x.shape[1:]) != shape:
        expected = ", ".join(["batch", *map(str, shape)])
        raise ValueError(
            f"{name} is of shape ({expected}), got {tuple(x.shape)}; reshape it, and a single "
            f"example is a batch of one, {name}[None]"
        )
    if not x.is_floating_point():
        raise ValueError(
            f"{name} has floating-point numbers, got {x.dtype}; give pixels in [0, 1], bytes / 255"
        )


def _require_tokens(x: Tensor, pad: int) -> None:
    if x.ndim != 2 or x.is_floating_point():
        raise ValueError(
            f"x has token numbers, (document, position), got {x.dtype} of shape {tuple(x.shape)}; "
            "make it with `tokens`"
        )
    is_pad = x == pad
    if (front := (is_pad[:, :-1] & ~is_pad[:, 1:]).any(1)).any():
        raise ValueError(
            f"document {int(front.nonzero()[0])} has padding ({pad}) in front of other tokens; "
            "padding stands at the end, make rows with `tokens`"
        )


def sequence(layers: list[dict[str, Any]]) -> nn.Sequential:
    """Layers from their description: the name of each, and what its constructor takes."""
    return nn.Sequential(*(_layer(**layer) for layer in layers))


def _layer(name: str, **options: Any) -> nn.Module:  # noqa: ANN401 -- whatever the layer takes
    return LAYERS[name](**options)


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


class Scale(nn.Module):
    """scale * x + shift, of each channel of maps."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.empty(channels, 1, 1))
        self.shift = nn.Parameter(torch.empty(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Of the shape of ``x``."""
        return torch.addcmul(self.shift, x, self.scale)


class Bend(nn.Module):
    """x, bent smoothly to lie between -most and most."""

    def __init__(self, most: float) -> None:
        super().__init__()
        self.most = most

    def forward(self, x: Tensor) -> Tensor:
        """Of the shape of ``x``."""
        return self.most * torch.tanh(x / self.most)


class Squares(nn.Module):
    """The four pixels of each 2 x 2 square as maps of half the side, one after another."""

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, 2 a, 2 b) to (batch, 4 channels, a, b)."""
        return torch.cat([x[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1)], 1)


class Excite(nn.Module):
    """Each channel times what is made of the means of all of them."""

    def __init__(self, inner: list[dict[str, Any]]) -> None:
        super().__init__()
        self.inner = sequence(inner)

    def forward(self, x: Tensor) -> Tensor:
        """Of the shape of ``x``."""
        scale: Tensor = self.inner(x.mean((2, 3)))
        return x * scale[..., None, None]


class Cell(nn.Module):
    """skip(x) + inner(x); a skip without layers is x."""

    def __init__(self, skip: list[dict[str, Any]], inner: list[dict[str, Any]]) -> None:
        super().__init__()
        self.skip, self.inner = sequence(skip), sequence(inner)

    def forward(self, x: Tensor) -> Tensor:
        """Maps, of the same side, half of it or twice."""
        skip, added = self.skip(x), self.inner(x)
        out: Tensor = skip + added
        return out


class BottomUp(nn.Module):
    """An image to features for each latent group; the last step's, of the top group, come first."""

    def __init__(self, steps: list[list[dict[str, Any]]]) -> None:
        super().__init__()
        self.steps = nn.ModuleList(sequence(step) for step in steps)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Maps of the side of each group's codes."""
        features = []
        for step in self.steps:
            x = step(x)
            features.append(x)
        return features[::-1]


class TopDown(nn.Module):
    """Latent groups from the top down, each given those above it.

    Outside, the codes of all groups stand in one row, and are whitened, u = (z - mean) / sigma by
    the prior of their group, so that the prior of all of them is N(0, 1).
    """

    def __init__(self, start: list[int], groups: list[dict[str, Any]]) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.empty(start))
        self.groups = nn.ModuleList(Group(**group) for group in groups)

    def forward(self, u: Tensor) -> Tensor:
        """(batch, codes) to the state after the last group, maps."""
        state = self.start.expand(len(u), -1, -1, -1)
        for group, codes in self._by_group(u):
            state, mean, log_sigma = group.enter(state)
            state = group.leave(state, mean + codes * log_sigma.exp())
        return state

    def infer(self, features: list[Tensor], noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and log sigma of whitened codes along a draw, and the draw that ``noise`` makes."""
        state, found = self.start.expand(len(noise), -1, -1, -1), []
        for seen, (group, drawn) in zip(features, self._by_group(noise), strict=True):
            state, prior_mean, prior_log_sigma = group.enter(state)
            moved, log_sigma = group.infer(seen, state)
            mean = moved * (-prior_log_sigma).exp()
            u = mean + drawn * log_sigma.exp()
            state = group.leave(state, prior_mean + u * prior_log_sigma.exp())
            found.append((mean, log_sigma, u))
        mean, log_sigma, u = (
            torch.cat([part.flatten(1) for part in parts], 1) for parts in zip(*found, strict=True)
        )
        return mean, log_sigma, u

    def _by_group(self, codes: Tensor) -> Iterator[tuple["Group", Tensor]]:
        """Each group with its part of the codes, as maps."""
        groups = cast("list[Group]", list(self.groups))
        parts = torch.split(codes, [prod(group.shape) for group in groups], 1)
        for group, part in zip(groups, parts, strict=True):
            yield group, part.reshape(-1, *group.shape)


class Group(nn.Module):
    """One latent group: cells, its prior and posterior, and how its codes join the state.

    The top group has no cells, the prior N(0, 1), and a posterior that does not read the state.
    """

    def __init__(self, shape: list[int], **parts: list[dict[str, Any]]) -> None:
        super().__init__()
        self.shape = shape
        self.cells, self.posterior, self.merge = (
            sequence(parts[name]) for name in ("cells", "posterior", "merge")
        )
        self.prior, self.of_state = (
            sequence(parts[name]) if parts[name] else None for name in ("prior", "of_state")
        )

    def enter(self, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The state behind the cells, then mean and log sigma of the prior."""
        state = self.cells(state)
        if self.prior is None:
            zero = state.new_zeros(())
            return state, zero, zero
        mean, log_sigma = self.prior(state).chunk(2, dim=1)
        return state, mean, log_sigma

    def infer(self, features: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log sigma of the posterior, as distances from the prior's."""
        if self.of_state is not None:
            features = features + self.of_state(state)
        mean, log_sigma = self.posterior(features).chunk(2, dim=1)
        return mean, log_sigma

    def leave(self, state: Tensor, z: Tensor) -> Tensor:
        """The state with the codes in it."""
        out: Tensor = self.merge(torch.cat([state, z], 1))
        return out


LAYERS: dict[str, type[nn.Module]] = {
    layer.__name__: layer
    for layer in (
        *(nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.ReLU, nn.Sigmoid, nn.Tanh),
        *(nn.Flatten, nn.Unflatten, Residual, Append),
        *(nn.SiLU, nn.ELU, nn.Upsample, nn.ZeroPad2d, Scale, Bend, Squares, Excite, Cell),
        *(BottomUp, TopDown),
    )
}
