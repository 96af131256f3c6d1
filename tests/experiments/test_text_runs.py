"""A model of documents from a file to its evaluation, against plain formulations."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mrtc.architectures import LSTMConfig
from mrtc.datasets.documents import Documents
from mrtc.datasets.text import TextConfig, load_text
from mrtc.datasets.vocabulary import Vocabulary
from mrtc.errors import DataError, MrtcError
from mrtc.evaluation.decode import PosteriorDecoder
from mrtc.experiments import RunConfig, evaluate, preset, run
from mrtc.experiments.data import load_images
from mrtc.experiments.presets import baseline
from mrtc.experiments.run import build_vae, load_vae
from mrtc.experiments.stacks import in_stacks
from mrtc.experiments.tasks import Protocol, Task
from mrtc.training import TrainingConfig

CPU = torch.device("cpu")
WORDS = ["a", "cat", "dog", "sees", "runs", "the", "and", "far"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """100 documents of one to nine words."""
    draw = np.random.default_rng(0)
    lines = [" ".join(draw.choice(WORDS, size)) for size in draw.integers(1, 10, 100)]
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(lines))
    return path


def tiny(**training: object) -> RunConfig:
    config = preset("text", "quick")
    return replace(
        config,
        model=LSTMConfig(embedding=6, encoder=5, decoder=7, codes=3, word_dropout=0.1),
        training=TrainingConfig(**({"steps": 12, "batch": 8, "learning_rate": 0.01} | training)),
        objective=replace(config.objective, groups=8),
    )


@pytest.mark.oracle("perplexity")
def test_an_evaluation_is_that_of_each_document_alone(file: Path, tmp_path: Path) -> None:
    """Without batches, so without padding: rate in closed form, one draw, and perplexity."""
    run(tiny(), tmp_path / "t.pt", data=file, device="cpu", quiet=True)
    betas = np.array([0.1, 10.0])
    results = evaluate(
        *(tmp_path / "t.pt", tmp_path / "t.h5"), betas=betas, data=file, device="cpu", quiet=True
    )
    vae, config, checkpoint = load_vae(tmp_path / "t.pt")
    vocabulary = Vocabulary.from_json(checkpoint.vocabulary)
    test = load_text(file, "test", config=config.text, vocabulary=vocabulary)
    assert results.header.source == test.source
    noise = torch.randn(len(test), 3, generator=torch.Generator().manual_seed(5))
    for at, beta in enumerate(betas.tolist()):
        moments = results.moments(at)
        means, rates, distortions = [], [], []
        for document in range(len(test)):
            x = test.images(torch.tensor([document]))
            with torch.inference_mode():
                q = vae.encode(x, beta)
                z = q.mean + noise[document] * q.log_sigma.exp()
                distortions.append(-float(vae.decode(z, beta).log_prob(x)))
            means.append(q.mean.numpy()[0])
            variance = (2 * q.log_sigma).exp()
            rates.append(float((q.mean**2 + variance - 1 - variance.log()).sum() / 2))
        np.testing.assert_allclose(moments.mean, means, atol=1e-5)
        assert results.metric("rate")[at] == pytest.approx(np.mean(rates), abs=1e-5)
        decoder = PosteriorDecoder(
            *(vae, test, np.arange(len(test)), moments.mean, moments.log_sigma),
            beta=beta,
            device=CPU,
        )
        ours = decoder.distortion(0).mean()
        assert ours == results.metric("distortion")[at]
        assert ours == pytest.approx(np.mean(distortions), abs=0.1), "of other draws"
        words = int((test.lengths - 1).sum())
        total = (ours + np.mean(rates)) * len(test)
        assert results.metric("perplexity")[at] == pytest.approx(np.exp(total / words), rel=1e-5)


@pytest.mark.oracle("importance_weighted_perplexity")
def test_bounds_rise_with_samples_to_the_exact_value(file: Path, tmp_path: Path) -> None:
    """A decoder that does not read its code has p(x) = p(x|z), whatever z is."""
    run(tiny(), tmp_path / "t.pt", data=file, device="cpu", quiet=True)
    vae, _, checkpoint = load_vae(tmp_path / "t.pt")
    with torch.no_grad():
        vae.decoder.first_state.layer.weight.zero_()
        vae.decoder.lstm.weight_ih_l0[:, -3:].zero_()
        vae.encoder.mean.output.layer.weight.mul_(20)
    checkpoint.weights = vae.state_dict()
    checkpoint.save(tmp_path / "deaf.pt")
    found = [
        evaluate(
            *(tmp_path / "deaf.pt", tmp_path / f"{samples}.h5"),
            betas=np.array([0.1]),
            data=file,
            part="train",
            importance_samples=samples,
            device="cpu",
            quiet=True,
        )
        for samples in (20, 500)
    ]
    bounds = [float(results.metric("importance_weighted_bound")[0]) for results in found]
    exact = -float(found[0].metric("distortion")[0])
    elbo = exact - float(found[0].metric("rate")[0])  # of all draws
    assert elbo + 0.3 < bounds[0] < bounds[1]
    assert bounds[1] == pytest.approx(exact, abs=0.02)
    vocabulary = Vocabulary.from_json(checkpoint.vocabulary)
    lengths = load_text(file, "train", config=tiny().text, vocabulary=vocabulary).lengths
    words = float((lengths - 1).double().mean())
    perplexity = found[1].metric("importance_weighted_perplexity")[0]
    assert np.log(perplexity) == pytest.approx(-bounds[1] / words, abs=1e-9)


@pytest.mark.oracle(
    "importance_weighted_bound", "importance_weighted_perplexity", "effective_samples"
)
def test_the_bound_is_log_p_by_quadrature(file: Path, tmp_path: Path) -> None:
    """One code: p(x) is an integral over a line. The posterior is off, and wide: of a narrow one,
    too few draws lie where weights are large to tell the effective number from 500 of them.
    """
    one_code = replace(tiny(), model=LSTMConfig(embedding=6, encoder=5, decoder=7, codes=1))
    run(one_code, tmp_path / "t.pt", data=file, device="cpu", quiet=True)
    vae, config, checkpoint = load_vae(tmp_path / "t.pt")
    with torch.no_grad():
        for weight in vae.decoder.parameters():
            weight *= 3
        for head, value in ((vae.encoder.mean, 0.5), (vae.encoder.log_sigma, 0.25)):
            head.output.layer.bias.fill_(value)
            head.output.layer.weight.mul_(0.3)
    checkpoint.weights = vae.state_dict()
    checkpoint.save(tmp_path / "t.pt")
    samples, betas = 500, np.array([0.1, 10.0])
    results = evaluate(
        *(tmp_path / "t.pt", tmp_path / "t.h5"),
        betas=betas,
        data=file,
        part="train",
        importance_samples=samples,
        device="cpu",
        quiet=True,
    )
    vocabulary = Vocabulary.from_json(checkpoint.vocabulary)
    documents = load_text(file, "train", config=config.text, vocabulary=vocabulary)
    z, x = torch.linspace(-9, 9, 601), documents.images(torch.arange(len(documents)))
    step, words = float(z[1] - z[0]), float((documents.lengths - 1).double().mean())
    for at, beta in enumerate(betas.tolist()):
        with torch.inference_mode():
            q = vae.encode(x, beta)
            columns = [vae.decode(value.expand(len(x), 1), beta).log_prob(x) for value in z]
        log_joint = torch.stack(columns, 1) - (z.double() ** 2 + np.log(2 * np.pi)) / 2
        log_q = torch.distributions.Normal(q.mean, q.log_sigma.exp()).log_prob(z)
        log_p = log_joint.logsumexp(1) + np.log(step)
        gap = (log_q.exp() * (log_q - log_joint)).sum(1) * step + log_p
        assert gap.mean() > 0.1, "the ELBO is well below"
        second = (2 * log_joint - log_q).logsumexp(1) + np.log(step)  # E of the squared weights
        share = (2 * log_p - second).exp()
        stored = {
            name: float(results.metric(name)[at])
            for name in results.metrics
            if "_code" not in name and name != "code_variance"
        }
        # A draw of 500 errs by its relative variance over 1,000 below, and its root over
        # documents.
        bias, spread = (1 / share - 1) / (2 * samples), (1 / share - 1) / samples
        error = float((spread.mean() / len(x)).sqrt())
        expected = float((log_p - bias).mean())
        assert stored["importance_weighted_bound"] == pytest.approx(expected, abs=5 * error)
        assert error < 0.01
        assert stored["effective_samples"] == pytest.approx(samples * float(share.mean()), rel=0.02)
        assert stored["elbo"] < stored["importance_weighted_bound"] - 0.05
        perplexity = stored["importance_weighted_perplexity"]
        assert np.log(perplexity) * words == pytest.approx(-float(log_p.mean()), abs=0.05)
        assert perplexity < stored["perplexity"]


def test_a_run_that_was_stopped_ends_in_the_same_weights(file: Path, tmp_path: Path) -> None:
    """Dropout and the order of documents included."""
    whole = run(tiny(), tmp_path / "whole.pt", data=file, device="cpu", quiet=True)
    half = run(tiny(steps=6), tmp_path / "half.pt", data=file, device="cpu", quiet=True)
    half.config = replace(RunConfig.from_json(half.config), training=tiny().training).to_json()
    half.save(tmp_path / "half.pt")
    ended = run(tiny(), tmp_path / "half.pt", data=file, device="cpu", quiet=True, resume=True)
    assert all(torch.equal(ended.weights[name], whole.weights[name]) for name in whole.weights)
    assert ended.fingerprint() == whole.fingerprint()


def test_other_words_than_the_checkpoints_are_refused(file: Path, tmp_path: Path) -> None:
    run(tiny(), tmp_path / "t.pt", data=file, device="cpu", quiet=True)
    other = tmp_path / "other.txt"
    other.write_text(file.read_text().replace("cat", "cow"))
    with pytest.raises(DataError, match="the vocabulary does not fit the checkpoint"):
        run(tiny(), tmp_path / "t.pt", data=other, device="cpu", quiet=True, resume=True)


def test_gradients_are_scaled_down_to_the_norm_asked_for(file: Path, tmp_path: Path) -> None:
    """After one step Adam's first moment is a tenth of the gradient."""
    norms = []
    for clip in (None, 0.01):
        config = tiny(steps=1, clip=clip)
        done = run(config, tmp_path / f"{clip}.pt", data=file, device="cpu", quiet=True)
        moments = [s["exp_avg"].flatten() for s in done.state.optimizer["state"].values()]
        norms.append(float(torch.cat(moments).norm()) * 10)
    assert norms[0] > 1
    assert norms[1] == pytest.approx(0.01, rel=1e-3)


def test_stacks_train_documents_one_after_another(file: Path, tmp_path: Path) -> None:
    config = baseline(tiny(), 1.0)
    tasks = [
        Task(f"seed{seed}", tmp_path, replace(config, seed=seed), (1.0,), Protocol(file, "cpu"))
        for seed in (0, 1)
    ]
    assert [outcome.reason for outcome in in_stacks(tasks, 2, quiet=True)] == [None, None]
    assert all(task.results.exists() for task in tasks)


def test_networks_are_as_large_as_the_vocabulary(file: Path) -> None:
    documents = load_text(file, config=TextConfig())
    assert isinstance(documents, Documents)
    vae = build_vae(replace(tiny(), tokens=len(documents.vocabulary)))
    assert vae.encoder.embedding.num_embeddings == len(WORDS) + 4


def test_what_is_for_images_says_so(file: Path) -> None:
    with pytest.raises(MrtcError, match="for images, and the model is one of documents"):
        load_images(tiny(), file, CPU)
