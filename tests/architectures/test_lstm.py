"""The LSTMs for documents, against plain ones written step by step."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from mrtc.architectures.lstm import PUBLISHED, LSTMConfig, LSTMDecoder, LSTMEncoder
from mrtc.datasets.vocabulary import END, PAD, START, UNKNOWN
from mrtc.layers import RateGate
from mrtc.layers.recurrent import Packing, draw_dropout, run_lstm
from mrtc.sampled_softmax import draw_words
from mrtc.token_sequences import FIRST_SAID

VOCABULARY = 12
SMALL = LSTMConfig(embedding=7, encoder=5, decoder=6, codes=3)
HE = replace(SMALL, setup="he2019")
Networks = tuple[LSTMEncoder, LSTMDecoder]


def networks(config: LSTMConfig, dtype: torch.dtype = torch.float64) -> Networks:
    torch.manual_seed(0)
    pair = LSTMEncoder(VOCABULARY, config), LSTMDecoder(VOCABULARY, config)
    if config.setup == "he2019":  # its first weights are so small that little depends on them
        for network in pair:
            for parameter in network.parameters():
                parameter.data *= 10
    return pair[0].to(dtype), pair[1].to(dtype)


def documents(lengths: list[int], seed: int = 0, width: int | None = None) -> Tensor:
    """Of these lengths, START and END counted."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.full((len(lengths), width or max(lengths)), PAD)
    for row, length in zip(x, lengths, strict=True):
        row[:length] = torch.randint(UNKNOWN, VOCABULARY, (length,), generator=generator)
        row[0], row[length - 1] = START, END
    return x


def codes(count: int) -> Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def parameters(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


# --------------------------------------------------------------------------- what it computes


def cell_steps(lstm: nn.LSTM, inputs: Tensor, state: tuple[Tensor, Tensor]) -> list[Tensor]:
    """Hidden state and cell after each input, by torch's cell with these weights."""
    cell = nn.LSTMCell(lstm.input_size, lstm.hidden_size, dtype=inputs.dtype)
    cell.load_state_dict({name[:-3]: value for name, value in lstm.state_dict().items()})
    states = []
    for row in inputs:
        state = cell(row[None], (state[0], state[1]))
        states.append(torch.cat(state, 1))
    return states


def gate(of: RateGate | None, code: Tensor) -> Tensor | float:
    return 1.0 if of is None else of(code[None])


def plain_moments(encoder: LSTMEncoder, tokens: Tensor, code: Tensor) -> list[Tensor]:
    embedded = encoder.embedding.weight[tokens] * gate(encoder.embedding_gate, code)
    zero = embedded.new_zeros(1, encoder.lstm.hidden_size)
    state = cell_steps(encoder.lstm, embedded, (zero, zero))[-1]
    if not encoder.reads_cell:
        state = state[:, : encoder.lstm.hidden_size]
    state = state * gate(encoder.state_gate, code)
    moments = []
    for head in (encoder.mean, encoder.log_sigma):
        hidden = state
        if head.hidden is not None:
            hidden = (head.hidden.layer(state) * gate(head.hidden.gate, code)).relu()
        moments.append((head.output.layer(hidden) * gate(head.output.gate, code))[0])
    return moments


def plain_log_prob(decoder: LSTMDecoder, tokens: Tensor, z: Tensor, code: Tensor) -> Tensor:
    embedded = decoder.embedding.weight[tokens[:-1]] * gate(decoder.embedding_gate, code)
    inputs = torch.cat([embedded, z.expand(len(embedded), -1)], 1)
    state = decoder.first_state.layer(z[None]) * gate(decoder.first_state.gate, code)
    size = decoder.lstm.hidden_size
    first = (state[:, :size], state[:, size:]) if decoder.is_texar else (state.tanh(), state)
    total = torch.zeros((), dtype=z.dtype)
    for after, token in zip(cell_steps(decoder.lstm, inputs, first), tokens[1:], strict=True):
        logits = decoder.output(after[0, :size])
        total = total + logits[token - FIRST_SAID] - logits.exp().sum().log()
    return total


@pytest.mark.parametrize("setup", ["texar", "he2019"])
@pytest.mark.parametrize("head_hidden", [True, False])
@pytest.mark.parametrize("gated", [True, False])
def test_both_networks_step_by_step(setup: str, head_hidden: bool, gated: bool) -> None:
    """Each document by itself, token by token, with its group's rate code."""
    config = replace(SMALL, setup=setup, head_hidden=head_hidden, gated=gated)
    encoder, decoder = networks(config)
    lengths = [4, 9, 2, 9, 3, 6]
    x, z = documents(lengths, width=11), codes(6)
    code = torch.tensor([-1.2, 0.3, 1.5], dtype=torch.float64)

    mean, log_sigma = encoder(x, code)
    log_prob = decoder(z, code).log_prob(x)

    for i, length in enumerate(lengths):
        tokens, own = x[i, :length], code[i // 2]
        expected = plain_moments(encoder, tokens, own)
        torch.testing.assert_close([mean[i], log_sigma[i]], expected)
        torch.testing.assert_close(log_prob[i], plain_log_prob(decoder, tokens, z[i], own))


@given(
    lengths=st.lists(st.integers(2, 12), min_size=1, max_size=8),
    extra=st.integers(0, 3),
    data=st.data(),
)
@settings(max_examples=20, deadline=None)
def test_neither_batch_nor_order_nor_padding_changes_a_document(
    lengths: list[int], extra: int, data: st.DataObject
) -> None:
    """In float64; each by itself, and all of them in another order with more padding."""
    encoder, decoder = networks(SMALL)
    x, z = documents(lengths), codes(len(lengths))
    code = torch.linspace(-1, 1, len(lengths), dtype=torch.float64)
    order = torch.tensor(data.draw(st.permutations(range(len(lengths)))))
    wider = documents(lengths, width=max(lengths) + extra)[order]
    alone = [slice(i, i + 1) for i in range(len(lengths))]

    for compute in (
        lambda x, _, code: torch.cat(encoder(x, code), 1),
        lambda x, z, code: decoder(z, code).log_prob(x),
    ):
        together = compute(x, z, code)
        shuffled = compute(wider, z[order], code[order])
        one_by_one = torch.cat(
            [
                compute(x[i, :length], z[i], code[i])
                for i, length in zip(alone, lengths, strict=True)
            ]
        )
        torch.testing.assert_close(shuffled, together[order], atol=1e-10, rtol=0)
        torch.testing.assert_close(one_by_one, together, atol=1e-10, rtol=0)


def test_documents_keep_their_value_in_float32() -> None:
    """To 1e-4 nats, at published sizes, of up to 2,000: finer than float32 can be there."""
    torch.manual_seed(0)
    decoder = LSTMDecoder(2000, LSTMConfig())
    lengths = torch.randint(2, 300, (16,)).tolist()
    x, z = documents(lengths), torch.randn(16, 32)
    with torch.no_grad():
        together = decoder(z, torch.zeros(1)).log_prob(x)
        assert together.min() < -1500
        for i, length in enumerate(lengths):
            alone = decoder(z[i : i + 1], torch.zeros(1)).log_prob(x[i : i + 1, :length])
            assert abs(float(alone - together[i])) < 1e-4


def test_step_by_step_is_teacher_forcing() -> None:
    _, decoder = networks(SMALL)
    x, z, code = documents([7, 7]), codes(2), torch.tensor([0.2], dtype=torch.float64)
    state, total = None, torch.zeros(2, dtype=torch.float64)
    for read, said in zip(x[:, :-1].T, x[:, 1:].T, strict=True):
        logits, state = decoder.step(read, z, code, state)
        total += logits.log_softmax(1).gather(1, said[:, None] - FIRST_SAID)[:, 0]
    torch.testing.assert_close(total, decoder(z, code).log_prob(x))


def test_a_row_of_padding_is_refused() -> None:
    encoder, decoder = networks(SMALL)
    x = torch.cat([documents([4]), torch.full((1, 4), PAD)])
    with pytest.raises(ValueError, match="document 1 has 0 tokens"):
        encoder(x, torch.zeros(1, dtype=torch.float64))
    with pytest.raises(ValueError, match="document 1 has -1 tokens"):
        decoder(codes(2), torch.zeros(1, dtype=torch.float64)).log_prob(x)


# --------------------------------------------------------------------------- gates and sizes


@pytest.mark.parametrize("config", [SMALL, HE])
def test_open_gates_make_the_plain_networks(config: LSTMConfig) -> None:
    gated, plain = networks(config), networks(config.plain(head_hidden=True))
    code = torch.tensor([0.4], dtype=torch.float64)
    for ours, theirs in zip(gated, plain, strict=True):
        for module in ours.modules():
            if isinstance(module, RateGate):
                module.slope.data.zero_()
                module.offset.data.fill_(50.0 if module.kind == "sigmoid" else -50.0)
        weights = {name: p for name, p in ours.state_dict().items() if name in theirs.state_dict()}
        theirs.load_state_dict(weights)
    x, z = documents([4, 6, 2]), codes(3)

    torch.testing.assert_close(gated[0](x, code), plain[0](x, code))
    torch.testing.assert_close(gated[1](z, code).log_prob(x), plain[1](z, code).log_prob(x))


def test_plain_networks_do_not_depend_on_beta_and_gated_ones_do() -> None:
    x, z = documents([4, 6, 2]), codes(3)
    low, high = (torch.tensor([code], dtype=torch.float64) for code in (-1.0, 1.0))
    for config, is_plain in ((SMALL, False), (SMALL.plain(), True), (HE, False)):
        assert config.is_plain == is_plain
        encoder, decoder = networks(config)
        assert torch.equal(encoder(x, low)[0], encoder(x, high)[0]) == is_plain
        one, other = (decoder(z, code).log_prob(x) for code in (low, high))
        assert torch.equal(one, other) == is_plain


def test_gates_and_extra_layers_are_those_of_the_published_count() -> None:
    """530,560 parameters: two layers of 512 x 512 with biases, and 5,248 of gates."""
    vocabulary = 100
    multi_rate, layers, baseline = (
        parameters(LSTMEncoder(vocabulary, config), LSTMDecoder(vocabulary, config))
        for config in (
            LSTMConfig(),
            LSTMConfig().plain(head_hidden=True),
            LSTMConfig().plain(),
        )
    )
    assert multi_rate - layers == 5_248
    assert layers - baseline == 2 * (512 * 512 + 512) == 525_312
    assert multi_rate - baseline == 530_560


def test_the_baseline_has_the_parameters_of_its_formula() -> None:
    """Two tables of embeddings, two LSTMs, a head, a first state, and a softmax."""
    vocabulary = 10_000
    expected = (
        2 * vocabulary * 256
        + 4 * 256 * (256 + 256 + 2)
        + 4 * 256 * (256 + 32 + 256 + 2)
        + (512 + 1) * 2 * 32
        + (32 + 1) * 512
        + (256 + 1) * (vocabulary - 2)
    )
    config = LSTMConfig().plain()
    found = parameters(LSTMEncoder(vocabulary, config), LSTMDecoder(vocabulary, config))
    assert found == expected
    assert abs(found / 8.821e6 - 1) < 1e-3  # as published, for a vocabulary of about that size


def test_first_weights_are_those_of_the_set_ups() -> None:
    torch.manual_seed(0)
    texar, he = (
        LSTMDecoder(2000, PUBLISHED[name]).requires_grad_(False) for name in ("texar", "he2019")
    )
    assert abs(float(texar.embedding.weight.std()) - 512**-0.5) < 1e-3
    assert 0.0999 < float(he.embedding.weight.abs().max()) <= 0.1
    for name, parameter in he.named_parameters():
        if "embedding" not in name and "gate" not in name:
            assert 0.0098 < float(parameter.abs().max()) <= 0.01
            assert abs(float(parameter.mean())) < 1e-3
    assert he.output.bias is None
    gate = LSTMDecoder(20, HE).embedding_gate
    assert gate is not None
    assert (gate.offset == -2).all()  # open, whatever the set-up


@pytest.mark.parametrize("setup", ["texar", "he2019"])
@pytest.mark.parametrize("head_hidden", [True, False])
def test_gradients_reach_every_parameter(setup: str, head_hidden: bool) -> None:
    encoder, decoder = networks(replace(SMALL, setup=setup, head_hidden=head_hidden))
    code = torch.tensor([-1.0, 1.0], dtype=torch.float64)
    x = documents([12] * 8)
    mean, log_sigma = encoder(x, code)
    noise = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    likelihood = decoder(mean + log_sigma.exp() * noise, code)
    likelihood.with_dropout(noise).log_prob(x).sum().backward()
    for network in (encoder, decoder):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name


def test_a_configuration_survives_json() -> None:
    adapter = TypeAdapter(LSTMConfig)
    for config in PUBLISHED.values():
        assert adapter.validate_json(adapter.dump_json(config)) == config


@pytest.mark.parametrize("wrong", [{"dropout_in": 1.0}, {"word_dropout": -0.1}, {"encoder": 0}])
def test_a_configuration_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LSTMConfig(**wrong)


def test_moments_are_float32_under_autocast() -> None:
    """Documents keep their values to bfloat16's precision."""
    encoder, decoder = networks(SMALL, torch.float32)
    x, z, code = documents([4, 9, 2]), codes(3).float(), torch.zeros(1)
    exact = decoder(z, code).log_prob(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mean, log_sigma = encoder(x, code)
        log_prob = decoder(z, code).log_prob(x)
    assert mean.dtype == log_sigma.dtype == torch.float32
    assert log_prob.dtype == torch.float64
    torch.testing.assert_close(log_prob, exact, rtol=0.02, atol=0)
    (log_prob.sum() + mean.sum()).backward()


def test_packed_tokens_stand_as_torch_packs_them() -> None:
    """So that a GPU, which gets torch's ``PackedSequence``, computes the same."""
    lengths, lstm = torch.tensor([3, 7, 1, 7]), nn.LSTM(2, 4).double()
    inputs, state = torch.randn(4, 7, 2).double(), torch.randn(2, 4, 4).double()
    packing = Packing.of(lengths)
    theirs = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
    rows = inputs[packing.documents, packing.positions]
    assert torch.equal(rows, theirs.data)
    assert packing.counts == tuple(theirs.batch_sizes.tolist())

    expected, last = lstm(theirs, tuple(state[:, None]))

    outputs, (hidden, cell) = run_lstm(lstm, rows, packing, (state[0], state[1]))
    torch.testing.assert_close(outputs, expected.data)
    torch.testing.assert_close((hidden, cell), (last[0][0], last[1][0]))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_gpu_computes_the_same() -> None:
    encoder, decoder = networks(SMALL, torch.float32)
    x, z, code = documents([4, 9, 2, 9]), codes(4).float(), torch.tensor([-1.0, 1.0])
    expected = encoder(x, code)[0], decoder(z, code).log_prob(x)
    found = (
        encoder.cuda()(x.cuda(), code.cuda())[0],
        decoder.cuda()(z.cuda(), code.cuda()).log_prob(x.cuda()),
    )
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours.cpu(), theirs, rtol=1e-3, atol=1e-3)
    found[1].sum().backward()


# --------------------------------------------------------------------------- dropout


def dropped(config: LSTMConfig, x: Tensor, noise: Tensor) -> Tensor:
    _, decoder = networks(config)
    code = torch.zeros(1, dtype=torch.float64)
    return decoder(codes(len(x)), code).with_dropout(noise).log_prob(x)


def test_dropout_is_of_the_document_and_its_noise() -> None:
    """Not of the batch, of padding or of earlier draws; another noise drops other features."""
    lengths = [5, 9, 3, 7]
    x, noise = documents(lengths), torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    together = dropped(SMALL, x, noise)
    torch.rand(3)  # the global generator has no part in it
    assert torch.equal(dropped(SMALL, x, noise), together)
    first = dropped(SMALL, x[:1, :5], noise[:1])
    torch.testing.assert_close(first, together[:1], atol=1e-10, rtol=0)
    assert not torch.isclose(dropped(SMALL, x, noise + 1), together).any()
    none = replace(SMALL, dropout_in=0, dropout_out=0)
    _, decoder = networks(none)
    plain = decoder(codes(4), torch.zeros(1, dtype=torch.float64)).log_prob(x)
    torch.testing.assert_close(dropped(none, x, noise), plain)
    for one in ({"dropout_in": 0}, {"dropout_out": 0}):
        other = dropped(replace(SMALL, **one), x, noise)
        assert not torch.isclose(other, together).any()
        assert not torch.isclose(other, plain).any()


def test_dropout_drops_as_often_as_it_says_and_keeps_the_mean() -> None:
    """Of 40,000 features; three standard errors. Each token has its own."""
    lengths = torch.tensor([30, 50, 20])
    packing = Packing.of(lengths)
    noise = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    words, features = draw_dropout(noise, lengths, packing, [(1, 0.0), (400, 0.25)])
    assert (words == 1).all()
    assert features.shape == (100, 400)
    assert features.unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert abs(float((features == 0).float().mean()) - 0.25) < 3 * (0.25 * 0.75 / 40_000) ** 0.5
    assert len(features.unique(dim=0)) == 100


def test_dropped_words_are_unknown_ones() -> None:
    """With nearly all dropped, a document of other words reads the same; START is never dropped."""
    config = replace(SMALL, dropout_in=0, dropout_out=0, word_dropout=1 - 1e-12)
    x, noise = documents([8, 5]), torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    _, decoder = networks(config)
    read = torch.where((x != START) & (x != PAD) & (x != END), UNKNOWN, x)
    expected = torch.zeros(2, dtype=torch.float64)
    state, z, code = None, codes(2), torch.zeros(1, dtype=torch.float64)
    for inputs, said in zip(read[:, :-1].T, x[:, 1:].T, strict=True):
        logits, state = decoder.step(inputs, z, code, state)
        chosen = logits.log_softmax(1).gather(1, (said - FIRST_SAID).clamp(min=0)[:, None])[:, 0]
        expected += torch.where(said == PAD, 0, chosen)
    torch.testing.assert_close(dropped(config, x, noise), expected)


# --------------------------------------------------------------------------- sampled softmax

SAMPLED = replace(SMALL, dropout_in=0, dropout_out=0, sampled_words=4)


def test_training_weighs_the_words_that_were_drawn() -> None:
    """Token by token, from the logits of single steps and one sample for all documents."""
    _, decoder = networks(SAMPLED)
    x, z, code = documents([8, 5]), codes(2), torch.zeros(1, dtype=torch.float64)
    noise = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    drawn = draw_words(noise, VOCABULARY - FIRST_SAID, 4)
    expected, state = torch.zeros(2, dtype=torch.float64), None
    for inputs, said in zip(x[:, :-1].T, x[:, 1:].T, strict=True):
        logits, state = decoder.step(inputs, z, code, state)
        for row, token in enumerate((said - FIRST_SAID).tolist()):
            if said[row] != PAD:
                weighed = (logits[row, drawn.words] - drawn.log_expected).exp()
                rest = weighed[drawn.words != token].sum()
                expected[row] += logits[row, token] - (logits[row, token].exp() + rest).log()

    torch.testing.assert_close(dropped(SAMPLED, x, noise), expected)


def test_only_training_samples_words() -> None:
    """Neither without noise, nor in evaluation, nor where there are not more words than draws."""
    x, noise = documents([8, 5]), torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    z, code = codes(2), torch.zeros(1, dtype=torch.float64)
    _, plain = networks(replace(SAMPLED, sampled_words=None))
    full = plain(z, code).log_prob(x)
    _, decoder = networks(SAMPLED)
    assert torch.equal(decoder(z, code).log_prob(x), full)
    assert not torch.isclose(decoder(z, code).with_dropout(noise).log_prob(x), full).any()
    assert torch.equal(decoder.eval()(z, code).with_dropout(noise).log_prob(x), full)
    for many in (VOCABULARY - FIRST_SAID, 1000):
        torch.testing.assert_close(dropped(replace(SAMPLED, sampled_words=many), x, noise), full)


@pytest.mark.parametrize(("sampled_words", "steps"), [(None, 100), (16, 200)])
def test_either_softmax_learns_the_language(sampled_words: int | None, steps: int) -> None:
    """Words of 40 that follow each other in a ring; the distortion is of the full softmax.

    Guessing costs log 38 nats a word at the start.
    """
    torch.manual_seed(0)
    config = LSTMConfig(embedding=16, encoder=4, decoder=16, codes=2, gated=False)
    config = replace(config, dropout_in=0, dropout_out=0, sampled_words=sampled_words)
    decoder = LSTMDecoder(40, config)
    first = torch.arange(8) * 4
    words = UNKNOWN + 1 + (first[:, None] + torch.arange(10)) % 36
    ends = [torch.full((8, 1), token) for token in (START, END)]
    x, z, code = torch.cat([ends[0], words, ends[1]], 1), torch.zeros(8, 2), torch.zeros(1)
    adam = torch.optim.Adam(decoder.parameters(), lr=0.02)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        noise = torch.randn(8, 2, generator=generator)
        (-decoder(z, code).with_dropout(noise).log_prob(x).mean()).backward()
        adam.step()
        adam.zero_grad()
    with torch.no_grad():
        distortion = -float(decoder(z, code).log_prob(x).mean())
    # Of the first word nothing is known but that it is one of eight; the rest follows.
    assert math.log(8) < distortion < math.log(8) + 1


def test_under_autocast_sampled_words_are_float32() -> None:
    _, decoder = networks(SAMPLED, torch.float32)
    x, z, code = documents([4, 9, 2]), codes(3).float(), torch.zeros(1)
    likelihood = decoder(z, code).with_dropout(torch.zeros(3, 2))
    exact = likelihood.log_prob(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        log_prob = likelihood.log_prob(x)
    torch.testing.assert_close(log_prob, exact, rtol=0.02, atol=0)
    log_prob.sum().backward()
    assert decoder.output.weight.grad.dtype == torch.float32


def test_a_configuration_of_before_has_the_full_softmax() -> None:
    adapter = TypeAdapter(LSTMConfig)
    before = adapter.dump_python(SMALL, mode="json")
    del before["sampled_words"]
    assert adapter.validate_python(before) == SMALL
    with pytest.raises(ValueError, match="sampled_words"):
        LSTMConfig(sampled_words=0)
