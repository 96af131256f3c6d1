"""Tables of checkpoints of documents, compared with what the model itself says."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mrtc.architectures import LSTMConfig
from mrtc.datasets.documents import Documents
from mrtc.datasets.text import TextConfig
from mrtc.datasets.vocabulary import END, NUM_SPECIAL, PAD, START, Vocabulary
from mrtc.errors import BetaError, DataError, MrtcError
from mrtc.experiments import RunConfig, load_vae, preset
from mrtc.experiments.presets import baseline
from mrtc.experiments.run import build_vae
from mrtc.experiments.text_models import Codes, Words, load_models
from mrtc.experiments.texts import interpolate, reconstruct, sample
from mrtc.randomness import torch_stream
from mrtc.results.texts import ModelTexts
from mrtc.token_sequences import TokenSequences
from mrtc.training import Checkpoint, TrainingState
from mrtc.vae import VAE

BETA = np.array([0.1, 1.0, 10.0])
VOCABULARY = Vocabulary(tuple("abcdefgh"))
LONGEST = 12


def config(codes: int = 3) -> RunConfig:
    return replace(
        preset("text", "quick", "beta"),
        model=LSTMConfig(embedding=8, encoder=8, decoder=8, codes=codes),
        text=TextConfig(longest=LONGEST),
        tokens=len(VOCABULARY),
    )


def save(path: Path, run: RunConfig, vocabulary: Vocabulary = VOCABULARY) -> Path:
    """An untrained model, moved far from its beginning, so that codes and beta matter."""
    vae, noise = build_vae(run), torch_stream(run.seed, "moved")
    with torch.no_grad():
        for weight in vae.parameters():
            weight += torch.randn(weight.shape, generator=noise)
    save_vae(path, run, vae, vocabulary)
    return path


def save_vae(path: Path, run: RunConfig, vae: VAE, vocabulary: Vocabulary = VOCABULARY) -> None:
    weights, text = vae.state_dict(), vocabulary.to_json()
    Checkpoint(run.to_json(), weights, TrainingState(), text).save(path)


def read(tokens: torch.Tensor) -> str:
    """One row of tokens, by hand."""
    words = []
    for token in tokens.tolist():
        if token == END:
            return " ".join(words)
        if token not in (PAD, START):
            words.append("_UNK" if token < NUM_SPECIAL else "abcdefgh"[token - NUM_SPECIAL])
    return " ".join([*words, "…"])


def likelihood(vae: VAE, z: torch.Tensor, beta: float) -> TokenSequences:
    found = vae.decode(z, torch.tensor([beta]))
    assert isinstance(found, TokenSequences)
    return found


def greedy(vae: VAE, z: torch.Tensor, beta: float, longest: int = LONGEST) -> tuple[str, ...]:
    return tuple(map(read, likelihood(vae, z, beta).greedy(longest + 2)))


def encoded(*texts: str) -> torch.Tensor:
    documents = Documents.of([text.split() for text in texts], VOCABULARY)
    return documents.images(torch.arange(len(texts)))


@pytest.fixture
def multi_rate(tmp_path: Path) -> Path:
    return save(tmp_path / "multi-rate.pt", config())


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return save(tmp_path / "plain.pt", baseline(config(), 4.0))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six documents to test on."""
    for part in ("train", "valid", "test"):
        texts = ["a b c", "h g f e d", "a zz", "b b", "c c c c", "d"]
        (tmp_path / f"{part}.txt").write_text("\n".join(texts) + "\n")
    return tmp_path


def test_samples_are_of_the_same_draws_at_every_beta(multi_rate: Path, plain: Path) -> None:
    """The likeliest words of the model itself; a baseline stands at its own beta."""
    table = sample([multi_rate, plain], betas=BETA, count=5, seed=7)

    z = torch.randn(5, 3, generator=torch_stream(7, "samples"))
    assert [model.name for model in table.models] == ["multi-rate", "plain"]
    assert [model.beta.tolist() for model in table.models] == [[0.1, 1, 10], [4]]
    for path, model in zip([multi_rate, plain], table.models, strict=True):
        vae = load_vae(path)[0]
        assert model.rates is None
        for beta, texts in zip(model.beta.tolist(), model.texts, strict=True):
            assert texts == greedy(vae, z, beta)
    rows = table.models[0].texts
    assert rows[0] != rows[2]  # beta matters, and so do codes
    assert len(set(rows[0])) > 1
    assert table.columns == tuple(f"draw {at}" for at in range(1, 6))
    assert "different" not in table.title


def test_words_are_drawn_at_a_temperature(multi_rate: Path) -> None:
    """As the likelihood itself draws them, and the same random numbers serve every beta."""
    table = sample([multi_rate], betas=BETA, count=5, seed=7, temperature=0.5)

    vae = load_vae(multi_rate)[0]
    z = torch.randn(5, 3, generator=torch_stream(7, "samples"))
    for beta, texts in zip(BETA.tolist(), table.models[0].texts, strict=True):
        drawn = likelihood(vae, z, beta).sample(torch_stream(7, "words"), LONGEST + 2, 0.5)
        assert texts == tuple(map(read, drawn))
    other = sample([multi_rate], betas=BETA, count=5, seed=7, temperature=2.0)
    assert other.models[0].texts != table.models[0].texts


@pytest.mark.parametrize("temperature", [None, 1.0])
@pytest.mark.parametrize("is_shared", [False, True])
def test_a_model_without_gates_gives_identical_rows(
    plain: Path, temperature: float | None, is_shared: bool
) -> None:
    """Which it would not, were the draws or the words others at each beta."""
    (model,) = load_models([plain], np.array([4.0]), extrapolate=False)
    z = torch.randn(4, 3, generator=torch_stream(0, "z"))
    words = Words(temperature, LONGEST, 0, is_shared)
    made = replace(model, beta=BETA).at_each_beta(lambda _, __: Codes(z), words)

    assert made.texts == made.texts[:1] * 3
    assert len(set(made.texts[0])) > 1


def test_reconstructions_are_of_posterior_means_with_their_rates(
    multi_rate: Path, plain: Path
) -> None:
    """The rates by the closed form of Gaussians, the originals with what is not known."""
    texts = ["a b c d", "h zz g yy zz"]
    table = reconstruct([multi_rate, plain], betas=BETA, texts=texts)

    assert table.originals == ("a b c d", "h _UNK g _UNK _UNK")
    assert table.title.endswith("unknown to the model: zz, yy")
    assert table.columns == ("text 1", "text 2")
    x = encoded(*texts)
    for path, model in zip([multi_rate, plain], table.models, strict=True):
        vae = load_vae(path)[0]
        assert model.rates is not None
        for beta, row, rates in zip(model.beta.tolist(), model.texts, model.rates, strict=True):
            with torch.inference_mode():
                posterior = vae.encode(x, beta)
                assert row == greedy(vae, posterior.mean, beta)
            mean, sigma = posterior.mean.double(), posterior.log_sigma.double().exp()
            rate = ((mean**2 + sigma**2 - 1) / 2 - sigma.log()).sum(1)
            np.testing.assert_allclose(rates, rate, rtol=1e-5)


def test_examples_of_the_data_are_those_texts(multi_rate: Path, data: Path) -> None:
    by_index = reconstruct([multi_rate], betas=BETA, examples=[1, 0], data=data)
    by_text = reconstruct([multi_rate], betas=BETA, texts=["h g f e d", "a b c"])

    assert by_index.originals == by_text.originals == ("h g f e d", "a b c")
    assert by_index.models[0].texts == by_text.models[0].texts
    assert by_index.columns == ("example 1", "example 0")
    assert "test.txt, test part, 6 documents" in by_index.title


def test_examples_are_drawn_by_the_seed(multi_rate: Path, data: Path) -> None:
    def labels(seed: int, count: int) -> tuple[str, ...]:
        made = reconstruct([multi_rate], betas=BETA[:1], count=count, seed=seed, data=data)
        return made.columns

    assert labels(0, 3) == labels(0, 3)
    assert len({labels(seed, 3) for seed in range(4)}) > 1
    assert labels(0, 100) == tuple(f"example {at}" for at in range(6))  # all that there are


@pytest.mark.parametrize("temperature", [None, 1.0])
def test_a_collapsed_posterior_shows(tmp_path: Path, temperature: float | None) -> None:
    """At rate zero every example has one reconstruction, drawn or not."""
    run, path = config(), tmp_path / "collapsed.pt"
    vae = load_vae(save(path, run))[0]
    used = reconstruct([path], betas=BETA, texts=["a b", "h h h"], temperature=temperature)
    with torch.no_grad():
        for head in (vae.encoder.mean, vae.encoder.log_sigma):  # type: ignore[union-attr, attr-defined]
            for weight in head.output.parameters():  # type: ignore[union-attr, operator]
                weight.zero_()
    save_vae(path, run, vae)
    table = reconstruct([path], betas=BETA, texts=["a b", "h h h"], temperature=temperature)

    (model,) = table.models
    assert model.labels[1] == "beta 1\nrate 0 nats"
    assert all(len(set(texts)) == 1 for texts in model.texts)
    assert any(len(set(texts)) == 2 for texts in used.models[0].texts)


@pytest.mark.parametrize("spherical", [False, True])
def test_the_ends_of_an_interpolation_are_the_reconstructions(
    multi_rate: Path, data: Path, spherical: bool
) -> None:
    """One end of the data, the other one's own; in the middle the mean of the codes is decoded."""
    between = interpolate(
        multi_rate, 1, "a b c", betas=BETA, columns=5, spherical=spherical, data=data
    )
    ends = reconstruct([multi_rate], betas=BETA, texts=["h g f e d", "a b c"])

    (made,), (expected,) = between.models, ends.models
    assert [(row[0], row[-1]) for row in made.texts] == list(expected.texts)
    np.testing.assert_array_equal(made.rates, expected.rates)  # type: ignore[arg-type]
    assert between.originals == ("h g f e d", "", "", "", "a b c")
    assert between.columns == ("0", "0.25", "0.5", "0.75", "1")
    assert between.title.startswith("from example 1 to text 2 along a")
    assert ("circle" in between.title) is spherical
    vae = load_vae(multi_rate)[0]
    with torch.inference_mode():
        first, last = vae.encode(encoded("h g f e d", "a b c"), 1.0).mean.double()
        middle = (first + last) / 2
        if spherical:  # half of an angle: the bisector of the directions, in the same formula
            cosine = first @ last / first.norm() / last.norm()
            middle = middle / ((1 + cosine) / 2).sqrt()
        assert (made.texts[1][2],) == greedy(vae, middle.float()[None], 1.0)


def test_texts_that_do_not_end_are_cut_and_marked(multi_rate: Path) -> None:
    table = sample([multi_rate], betas=BETA, count=20, longest=2)

    vae = load_vae(multi_rate)[0]
    z = torch.randn(20, 3, generator=torch_stream(0, "samples"))
    texts = [text for row in table.models[0].texts for text in row]
    assert texts == [text for beta in BETA.tolist() for text in greedy(vae, z, beta, 2)]
    assert any(text.endswith(" …") for text in texts)
    assert all(len(text.split()) <= 4 for text in texts)


def test_a_long_text_is_cut_as_those_of_training_were(multi_rate: Path) -> None:
    table = reconstruct([multi_rate], betas=BETA, texts=["a b " * 20])

    assert table.originals == (" ".join(["a b"] * (LONGEST // 2)),)


def test_models_of_other_sizes_have_other_draws_and_the_title_says_so(
    tmp_path: Path, multi_rate: Path
) -> None:
    other = save(tmp_path / "other.pt", config(codes=5))
    table = sample([multi_rate, other], betas=BETA)

    assert table.title.endswith("models of 3 and 5 codes have different draws")
    assert isinstance(table.models[1], ModelTexts)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("qq zz", "knows none of the words of 'qq zz'; give a text like those"),
        ("A B", "capitals as there"),
        ("", "the text '' has no words"),
        (" \n", "has no words; give one to encode"),
    ],
)
def test_texts_that_cannot_be_read_are_refused(multi_rate: Path, text: str, words: str) -> None:
    with pytest.raises(MrtcError, match=words):
        reconstruct([multi_rate], betas=BETA, texts=["a", text])
    with pytest.raises(MrtcError, match=words):
        interpolate(multi_rate, "a", text, betas=BETA)


@pytest.mark.parametrize("example", [-1, 6])
def test_an_example_that_is_not_there_is_refused(
    multi_rate: Path, data: Path, example: int
) -> None:
    words = f"there is no example {example}; text has 0 to 5"
    with pytest.raises(MrtcError, match=words):
        reconstruct([multi_rate], betas=BETA, examples=[0, example], data=data)
    with pytest.raises(MrtcError, match=words):
        interpolate(multi_rate, "a", example, betas=BETA, data=data)


def test_examples_need_their_data(multi_rate: Path) -> None:
    with pytest.raises(DataError, match="text has no usual place: add --data PATH; name a file"):
        reconstruct([multi_rate], betas=BETA)


def test_either_texts_or_examples_are_given(multi_rate: Path) -> None:
    for options in ({"texts": ["a"], "examples": [0]}, {"texts": []}, {"examples": ()}):
        with pytest.raises(ValueError, match="give texts or examples, at least one"):
            reconstruct([multi_rate], betas=BETA, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("temperature", [0.0, -1.0, 1e-9, float("nan"), float("inf")])
def test_temperatures_that_cannot_be_used_are_refused(multi_rate: Path, temperature: float) -> None:
    with pytest.raises(MrtcError, match=r"cannot be used; give one of at least 0.01, or none"):
        sample([multi_rate], betas=BETA, temperature=temperature)


def test_a_low_temperature_draws_the_likeliest_words(multi_rate: Path) -> None:
    """Where these are clear; a tie at 0.01 is a difference of logits of some hundredths."""
    cold = sample([multi_rate], betas=BETA, count=20, temperature=0.01).models[0].texts
    likeliest = sample([multi_rate], betas=BETA, count=20).models[0].texts

    assert np.mean(np.array(cold) == np.array(likeliest)) > 0.8


def test_betas_outside_the_range_are_refused(multi_rate: Path, plain: Path) -> None:
    outside = np.array([1.0, 20.0])
    with pytest.raises(BetaError, match="beta 20 lies outside the trained range"):
        sample([multi_rate, plain], betas=outside)
    with pytest.raises(BetaError, match="trained at beta 4"):
        sample([plain], betas=outside)
    table = sample([multi_rate], betas=outside, count=2, extrapolate=True)
    assert table.models[0].beta.tolist() == [1, 20]


def test_models_that_do_not_go_together_are_refused(tmp_path: Path, multi_rate: Path) -> None:
    other = save(tmp_path / "other.pt", config(), Vocabulary(tuple("abcdefgx")))
    with pytest.raises(MrtcError, match="different vocabularies, of 12 and 12 tokens; show models"):
        sample([multi_rate, other], betas=BETA)
    run = preset("dsprites", "quick", "beta")
    image = tmp_path / "image.pt"
    Checkpoint(run.to_json(), build_vae(run).state_dict(), TrainingState()).save(image)
    with pytest.raises(MrtcError, match=r"image.pt is a model of images \(dsprites\)"):
        sample([multi_rate, image], betas=BETA)


class Letters:
    """A stand-in for tokenizers of the package, whose words are letters."""

    decoder = SimpleNamespace(decode="".join)
    no_padding = no_truncation = lambda _: None

    @classmethod
    def from_str(cls, _: str) -> "Letters":
        return cls()

    def encode(self, line: str, add_special_tokens: bool = True) -> SimpleNamespace:
        return SimpleNamespace(tokens=[*line, *["[SEP]"] * add_special_tokens])


def test_words_of_a_tokenizer_are_joined_by_it_and_by_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", SimpleNamespace(Tokenizer=Letters))  # type: ignore[arg-type]
    file = tmp_path / "letters.json"
    file.write_text("{}")
    text = TextConfig(longest=LONGEST, tokenizer=file)
    run, name = replace(config(), text=text), text.tokenisation().name

    path = save(tmp_path / "letters.pt", run, Vocabulary(tuple("abcdefgh"), name))
    assert reconstruct([path], betas=BETA, texts=["badge"]).originals == ("badge",)
    file.write_text("{ }")
    with pytest.raises(DataError, match="put back the tokenizer that it was trained with"):
        sample([path], betas=BETA)
