"""Training and evaluation of wrapped models by the loops that train and evaluate ours."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from mrtc.any_model import MultiRateVAE, evaluate, fit, load, multirate
from mrtc.errors import BetaError, DataError
from mrtc.randomness import torch_stream
from mrtc.results import kind_of
from mrtc.training import Checkpoint
from tests.toys import Crosses

BETAS = (0.02, 2.0)


def wrapped(seed: int = 0) -> MultiRateVAE:
    """Convolutions, an encoder that gives a pair, and no layer of ours."""

    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(1, 8, 4, 2, 1), nn.ELU(), nn.Flatten())
            self.mean, self.log_sigma = nn.Linear(128, 4), nn.Linear(128, 4)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            hidden = self.body(x)
            return self.mean(hidden), self.log_sigma(hidden)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = Pair()
        decoder = nn.Sequential(
            nn.Linear(4, 128), nn.ELU(), nn.Linear(128, 64), nn.Unflatten(1, (1, 8, 8))
        )
    return multirate(encoder, decoder, latent=4, betas=BETAS)


def crosses() -> Tensor:
    return Crosses().images(torch.arange(64))


def objective(vae: MultiRateVAE, beta: float) -> tuple[float, float, float]:
    """Rate, distortion and objective per image in nats, written out, with one draw."""
    x = crosses()
    vae.eval()
    with torch.no_grad():
        posterior = vae.encode(x, beta)
        mean, sigma = posterior.mean, posterior.log_sigma.exp()
        z = mean + sigma * torch.randn(mean.shape, generator=torch_stream(0, "z"))
        logits = vae.decoder(z, vae.betas.standardise(torch.tensor([beta])))
    entropy = nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    rate = 0.5 * (mean**2 + sigma**2 - 1 - 2 * sigma.log()).sum()
    return float(rate) / 64, float(entropy) / 64, float(entropy + beta * rate) / 64


def test_training_lowers_the_objective_at_both_ends_of_the_range() -> None:
    """And beta is a price: at the high end less rate is paid, and more distortion is borne."""
    vae = wrapped()
    before = [objective(vae, beta)[2] for beta in BETAS]
    state = fit(vae, crosses(), steps=150, batch=32, learning_rate=1e-2, seed=0, quiet=True)
    low, high = (objective(vae, beta) for beta in BETAS)
    assert low[2] < 0.6 * before[0]
    assert high[2] < 0.8 * before[1]
    assert low[0] > 2 * high[0]
    assert low[1] < high[1]
    assert (state.step, state.history[-1]["step"]) == (150, 149)
    assert not vae.training


def test_training_goes_on_from_a_file_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    whole, half = wrapped(), wrapped()
    fit(whole, crosses(), steps=6, batch=16, quiet=True)
    fit(half, crosses(), steps=3, batch=16, out=tmp_path / "own.pt", quiet=True)
    fresh = wrapped(seed=1)
    again = load(tmp_path / "own.pt", fresh.encoder.network, fresh.decoder.network)
    state = Checkpoint.load(tmp_path / "own.pt").state
    fit(again, crosses(), steps=6, batch=16, state=state, quiet=True)
    ours, theirs = whole.state_dict(), again.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


class Files(Dataset[tuple[Tensor, int]]):
    """As a folder of images with labels; with an attribute that means something else to mrtc."""

    images = "files"

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return crosses()[index], index


@pytest.mark.parametrize(
    "data",
    [
        (crosses() * 255).to(torch.uint8),
        crosses().double(),
        TensorDataset(crosses(), torch.arange(64)),
        Files(),
        Crosses(),
    ],
    ids=["bytes", "double", "tensors", "files", "mrtc"],
)
def test_data_of_any_form_train_alike(data: object) -> None:
    ours, theirs = wrapped(), wrapped()
    fit(ours, crosses(), steps=2, batch=16, quiet=True)
    fit(theirs, data, steps=2, batch=16, quiet=True)
    for one, two in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, two)


def test_an_evaluation_is_that_of_our_own_models(tmp_path: Path) -> None:
    """Rates against the formula; distortion is of one draw, so near another draw's."""
    vae = wrapped()
    fit(vae, crosses(), steps=60, batch=32, quiet=True)
    results = evaluate(vae, crosses(), tmp_path / "own.h5", quiet=True)
    assert kind_of(results) == "multi-rate"
    assert len(results.table()) == 20
    for at in (0, 9, 19):
        rate, distortion, _ = objective(vae, float(results.beta[at]))
        np.testing.assert_allclose(results.metrics["rate"][at], rate, rtol=1e-4)
        np.testing.assert_allclose(results.metrics["distortion"][at], distortion, rtol=0.1)
    one = evaluate(vae, crosses(), tmp_path / "one.h5", betas=np.array([0.5]), quiet=True)
    assert one.header.fingerprint == results.header.fingerprint
    with pytest.raises(BetaError, match="outside the trained range"):
        evaluate(vae, crosses(), tmp_path / "far.h5", betas=np.array([5.0]), quiet=True)


def test_a_baseline_is_evaluated_at_its_beta(tmp_path: Path) -> None:
    made = wrapped()
    plain = multirate(made.encoder.network, made.decoder.network, latent=4, betas=0.5, plain=True)
    fit(plain, crosses(), steps=3, batch=16, quiet=True)
    results = evaluate(plain, crosses(), tmp_path / "plain.h5", quiet=True)
    assert (results.beta.tolist(), kind_of(results)) == ([0.5], "baselines")


class Pictures(Dataset[object]):
    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> object:
        return "a picture", index


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (torch.rand(64, 1, 4, 4), r"shape \(1, 4, 4\), and the decoder puts out \(1, 8, 8\)"),
        (2 * torch.rand(64, 1, 8, 8) - 1, r"values from -.* bernoulli .* \[0, 1\]; scale"),
        (torch.full((64, 1, 8, 8), float("nan")), "values from nan"),
        (torch.rand(0, 1, 8, 8), "there are no examples"),
        (torch.rand(5, 1, 8, 8), "5 examples, fewer than batch=16"),
        (Pictures(), "gives a str for an example; .*ToTensor"),
    ],
)
def test_data_that_cannot_be_used_are_refused(data: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit(wrapped(), data, steps=1, batch=16, quiet=True)
