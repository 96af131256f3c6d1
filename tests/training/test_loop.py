"""The loop: what it minimises, resuming, interrupts, and values that are not finite."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from mrtc.errors import DivergenceError
from mrtc.objectives import ObjectiveConfig
from mrtc.rates import BetaRange
from mrtc.training import TrainingConfig, TrainingState, train
from mrtc.vae import VAE
from tests.toys import Crosses, small_vae

CPU = torch.device("cpu")
CONFIG = TrainingConfig(steps=12, batch=16, learning_rate=0.01)
TCVAE = ObjectiveConfig("tcvae", groups=2)


def fit(vae: VAE, state: TrainingState | None = None, **options: object) -> TrainingState:
    arguments = {"objective": TCVAE, "config": CONFIG, "quiet": True, "seed": 0} | options
    return train(vae, Crosses(), device=CPU, precision="fp32", state=state, **arguments)


def weights(vae: VAE) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in vae.state_dict().items()}


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_seconds_of_a_run_that_goes_on_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that jumps 30 seconds with each reading."""
    readings = iter(range(0, 10**6, 30))
    monkeypatch.setattr("mrtc.training.loop.time.monotonic", lambda: float(next(readings)))
    short = replace(CONFIG, steps=1)
    alone = fit(small_vae(), config=short).seconds
    assert alone > 0
    assert fit(small_vae(), TrainingState(seconds=100.0), config=short).seconds == 100.0 + alone


class Snapshots:
    """Keeps what a checkpoint would hold, at every save."""

    def __init__(self, vae: VAE) -> None:
        self.vae = vae
        self.saved: list[tuple[dict[str, torch.Tensor], TrainingState]] = []

    def __call__(self, state: TrainingState) -> None:
        optimizer = torch.load(_bytes(state.optimizer), weights_only=True)
        kept = TrainingState(state.step, optimizer, list(state.history))
        self.saved.append((weights(self.vae), kept))


def _bytes(value: object):
    import io

    buffer = io.BytesIO()
    torch.save(value, buffer)
    buffer.seek(0)
    return buffer


def test_a_run_that_was_stopped_ends_in_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """From every step at which it could have been killed, bit for bit, history included."""
    monkeypatch.setattr("mrtc.training.loop.SECONDS_BETWEEN_SAVES", -1.0)
    whole = small_vae()
    snapshots = Snapshots(whole)
    final = fit(whole, save=snapshots)
    assert [state.step for _, state in snapshots.saved] == list(range(1, 13))
    with monkeypatch.context() as patch:
        patch.setattr("mrtc.training.loop.SECONDS_BETWEEN_SAVES", 1e9)
        never_saved = small_vae()
        fit(never_saved)
    assert same(weights(never_saved), weights(whole))

    for saved_weights, saved_state in snapshots.saved[:-1]:
        resumed = small_vae(seed=99)
        resumed.load_state_dict(saved_weights)
        state = fit(resumed, saved_state)
        assert same(weights(resumed), weights(whole))
        assert state.history == final.history


def test_the_seed_decides_everything() -> None:
    runs = [small_vae(), small_vae(), small_vae()]
    for vae, seed in zip(runs, (0, 0, 1), strict=True):
        fit(vae, seed=seed)
    assert same(weights(runs[0]), weights(runs[1]))
    assert not same(weights(runs[0]), weights(runs[2]))


def test_a_step_is_adam_on_the_mean_objective() -> None:
    """The plain formulation of one beta-VAE step, with draws from the loop's own streams."""
    from mrtc.randomness import torch_stream

    trained, plain = small_vae(), small_vae()
    config = replace(CONFIG, steps=1)
    fit(trained, objective=ObjectiveConfig("beta"), config=config)

    order = torch.randperm(64, generator=torch_stream(0, "order", 0))[:16]
    x = Crosses().images(order)
    beta = plain.betas.draw(16, torch_stream(0, "beta", 0))
    q = plain.encode(x, beta)
    z = q.sample(torch_stream(0, "posterior", 0))
    p = torch.distributions.Bernoulli(logits=plain.decode(z, beta).logits)
    rate = torch.distributions.kl_divergence(
        torch.distributions.Normal(q.mean, q.log_sigma.exp()),
        torch.distributions.Normal(0.0, 1.0),
    ).sum(1)
    (-p.log_prob(x).flatten(1).sum(1) + beta * rate).mean().backward()
    torch.optim.Adam(plain.parameters(), lr=0.01).step()

    for (name, actual), expected in zip(
        weights(trained).items(), plain.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(actual, expected, msg=name, rtol=1e-3, atol=1e-5)


def test_training_lowers_the_objective() -> None:
    """Crosses are learnt: the distortion falls below that of the best constant picture."""
    vae = small_vae(BetaRange(0.1, 0.1), plain=True)
    config = TrainingConfig(steps=500, batch=64, learning_rate=0.01)
    state = fit(vae, objective=ObjectiveConfig("beta", groups=1), config=config)
    constant = torch.distributions.Bernoulli(15 / 64).entropy().item() * 64
    assert state.history[-1]["distortion"] < 0.7 * constant


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_saves_and_stops(number: signal.Signals) -> None:
    vae = small_vae()
    snapshots = Snapshots(vae)

    def interrupt(step: int, _: dict[str, float]) -> None:
        if step == 10:
            os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt):
        fit(vae, save=snapshots, record=interrupt, config=replace(CONFIG, steps=1000))
    ((saved, state),) = snapshots.saved
    assert state.step == 11
    assert same(saved, weights(vae))
    assert signal.getsignal(number) is not None


def test_an_objective_that_is_not_finite_stops_and_saves_nothing() -> None:
    """The message says at which step, for how many examples, and at which beta."""
    vae = small_vae()
    snapshots = Snapshots(vae)

    def poison(step: int, _: dict[str, float]) -> None:
        if step == 10:
            with torch.no_grad():
                vae.decoder.output.bias[3] = float("nan")

    with pytest.raises(DivergenceError) as caught:
        fit(vae, save=snapshots, record=poison)
    message = str(caught.value)
    assert "not finite at step 11, for 16 of 16 examples, at beta 0." in message
    assert "lower the learning rate" in message
    assert snapshots.saved == []


def test_weights_that_are_not_finite_are_not_saved() -> None:
    vae = small_vae()
    snapshots = Snapshots(vae)
    poison: Callable[[int, dict[str, float]], None] = lambda _step, _terms: (  # noqa: E731
        vae.encoder.first.layer.weight.data.fill_(float("inf"))
    )
    with pytest.raises(DivergenceError, match="not finite after step 1"):
        fit(vae, save=snapshots, record=poison, config=replace(CONFIG, steps=1))
    assert snapshots.saved == []


def test_bfloat16_follows_float32() -> None:
    """The networks alone are cast: 12 steps later the objectives agree to a percent."""
    finals = []
    for precision in ("fp32", "bf16"):
        vae = small_vae()
        state = train(
            vae, Crosses(), TCVAE, CONFIG, seed=0, device=CPU, precision=precision, quiet=True
        )
        assert all(p.dtype == torch.float32 for p in vae.parameters())
        finals.append(state.history[-1]["objective"])
    assert finals[0] != finals[1]
    assert abs(finals[0] / finals[1] - 1) < 0.01
