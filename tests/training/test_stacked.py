"""Stacked training is separate training, model by model."""

import io
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from mrtc.errors import DivergenceError
from mrtc.objectives import ObjectiveConfig
from mrtc.rates import BetaRange
from mrtc.training import TrainingConfig, TrainingState, train, train_stacked
from mrtc.vae import VAE
from tests.toys import Crosses, small_vae

CPU = torch.device("cpu")
CONFIG = TrainingConfig(steps=20, batch=16, learning_rate=0.01, schedule="cosine", warmup=3)
BETA = ObjectiveConfig("beta", rate_schedule="cyclic")
TCVAE = ObjectiveConfig("tcvae", estimator="stratified", groups=2, rate_schedule="monotonic")
BETAS, SEEDS = (0.5, 2.0, 8.0), (0, 1, 1)


@dataclass(frozen=True)
class InDouble(Crosses):
    def images(self, index: Tensor) -> Tensor:
        return super().images(index).double()


@dataclass(frozen=True)
class Dimmed(Crosses):
    """Every pixel by a factor that is drawn anew."""

    def draw(self, index: Tensor, generator: torch.Generator) -> Tensor:
        images = self.images(index)
        return images * torch.rand(images.shape, generator=generator)


def models() -> list[VAE]:
    return [
        small_vae(BetaRange(beta, beta), plain=True, seed=seed)
        for beta, seed in zip(BETAS, (0, 1, 2), strict=True)
    ]


def fit(vaes: list[VAE], objective: ObjectiveConfig = TCVAE, **options: object):
    arguments = {"examples": Crosses(), "config": CONFIG, "seeds": SEEDS, "quiet": True} | options
    return train_stacked(
        vaes, objective=objective, device=CPU, **({"precision": "fp32"} | arguments)
    )


def fit_alone(model: int, vae: VAE, objective: ObjectiveConfig = TCVAE, **options: object):
    arguments = {"examples": Crosses(), "config": CONFIG, "precision": "fp32"} | options
    return train(vae, objective=objective, seed=SEEDS[model], device=CPU, quiet=True, **arguments)


def assert_same_run(
    stacked: tuple[VAE, TrainingState], alone: tuple[VAE, TrainingState], tolerance: float
) -> None:
    """In weights, optimiser, history and step."""
    (one, state), (other, expected) = stacked, alone
    assert state.step == expected.step
    assert [entry["step"] for entry in state.history] == [e["step"] for e in expected.history]
    close = {"rtol": tolerance, "atol": tolerance, "check_dtype": True}
    for entry, e in zip(state.history, expected.history, strict=True):
        assert entry.keys() == e.keys()
        # Estimates of q(z) are differences of larger numbers, so it is these that set the scale.
        scale = abs(e["objective"])
        assert all(abs(entry[name] - e[name]) <= tolerance * scale for name in e)
    torch.testing.assert_close(one.state_dict(), other.state_dict(), **close)
    torch.testing.assert_close(state.optimizer, expected.optimizer, **close)


class Snapshots:
    """Keeps what the checkpoints would hold, by model, at every save."""

    def __init__(self, vaes: list[VAE]) -> None:
        self.vaes = vaes
        self.saved: list[list[tuple[dict[str, Tensor], TrainingState]]] = [[] for _ in vaes]

    def __call__(self, model: int, state: TrainingState) -> None:
        weights = {name: w.clone() for name, w in self.vaes[model].state_dict().items()}
        kept = TrainingState(state.step, _copied(state.optimizer), list(state.history))
        self.saved[model].append((weights, kept))


def _copied(value: object):
    """By way of a file's bytes."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


@pytest.fixture
def saves_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mrtc.training.loop.SECONDS_BETWEEN_SAVES", -1.0)


@pytest.mark.parametrize("objective", [BETA, TCVAE], ids=lambda o: o.name)
@pytest.mark.parametrize("in_double", [True, False])
def test_stacked_training_is_separate_training(objective: ObjectiveConfig, in_double: bool) -> None:
    """Different betas, weights and seeds, warm-up and schedules: rounding is all that differs.

    20 steps of Adam, which divides by the size of the gradient and so makes more of rounding.
    """
    examples, tolerance = (InDouble(), 1e-10) if in_double else (Crosses(), 2e-5)
    together, apart = models(), models()
    if in_double:
        together, apart = ([vae.double() for vae in vaes] for vaes in (together, apart))
    states = fit(together, objective, examples=examples)
    for model, vae in enumerate(apart):
        alone = fit_alone(model, vae, objective, examples=examples)
        assert_same_run((together[model], states[model]), (vae, alone), tolerance)


def test_bfloat16_follows_bfloat16_alone() -> None:
    together, apart = models(), models()
    states = fit(together, precision="bf16")
    for model, vae in enumerate(apart):
        assert all(weight.dtype == torch.float32 for weight in together[model].parameters())
        alone = fit_alone(model, vae, precision="bf16")
        exact = fit_alone(model, models()[model])
        found, expected = (s.history[-1]["objective"] for s in (states[model], alone))
        assert found != exact.history[-1]["objective"]
        assert found == pytest.approx(expected, rel=0.01)


@pytest.mark.usefixtures("saves_always")
def test_a_stack_that_was_stopped_ends_in_the_same_weights() -> None:
    """From any step, bit for bit; and what is saved is of one model, not of the stack."""
    whole = models()
    snapshots = Snapshots(whole)
    final = fit(whole, save=snapshots)
    assert [[state.step for _, state in saved] for saved in snapshots.saved] == [
        list(range(1, 21))
    ] * 3
    for step in (1, 7, 19):
        resumed, states = models(), []
        for vae, saved in zip(resumed, snapshots.saved, strict=True):
            weights, state = saved[step - 1]
            vae.load_state_dict(weights)
            states.append(state)
        for pair in zip(
            zip(resumed, fit(resumed, states=states), strict=True),
            zip(whole, final, strict=True),
            strict=True,
        ):
            assert_same_run(*pair, tolerance=0.0)


@pytest.mark.parametrize("first", ["stacked", "alone"])
def test_each_loop_resumes_the_other(first: str) -> None:
    """Eight steps by one and twelve by the other, in float64: as all twenty by one."""

    class Until(InDouble):
        """Stops the run by a signal in the middle of its eighth step."""

        def images(self, index: Tensor) -> Tensor:
            calls.append(index)
            if len(calls) == 8:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().images(index)

    def begin_together(vaes: list[VAE]) -> list[TrainingState]:
        states = [TrainingState() for _ in vaes]
        with pytest.raises(KeyboardInterrupt):
            fit(vaes, examples=Until(), states=states)
        return states

    def begin_alone(vaes: list[VAE]) -> list[TrainingState]:
        states = [TrainingState() for _ in vaes]
        for model, (vae, state) in enumerate(zip(vaes, states, strict=True)):
            calls.clear()
            with pytest.raises(KeyboardInterrupt):
                fit_alone(model, vae, examples=Until(), state=state)
        return states

    calls: list[Tensor] = []
    begin = begin_together if first == "stacked" else begin_alone
    vaes = [vae.double() for vae in models()]
    states = begin(vaes)
    assert [state.step for state in states] == [8] * 3
    for state in states:
        state.optimizer = _copied(state.optimizer)
    if first == "stacked":
        for model, (vae, state) in enumerate(zip(vaes, states, strict=True)):
            fit_alone(model, vae, examples=InDouble(), state=state)
    else:
        states = fit(vaes, examples=InDouble(), states=states)
    for model, whole in enumerate(models()):
        expected = fit_alone(model, whole.double(), examples=InDouble())
        assert_same_run((vaes[model], states[model]), (whole, expected), tolerance=1e-10)


def test_a_state_holds_one_model() -> None:
    """A view of the stack would be saved with all of the stack."""
    (vae, *_), (state, *_) = (vaes := models()), fit(vaes)
    for moments in state.optimizer["state"].values():
        for value in moments.values():
            assert value.untyped_storage().nbytes() == value.nbytes
    optimizer = torch.optim.Adam(vae.parameters(), fused=True)
    optimizer.load_state_dict(state.optimizer)
    assert {int(s["step"]) for s in optimizer.state.values()} == {20}


def test_seconds_are_an_equal_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a clock that stands still but for 30 seconds between the start and the end."""
    readings = iter([100.0, *[100.0] * 20, 130.0])
    clock = SimpleNamespace(monotonic=lambda: next(readings))
    monkeypatch.setattr("mrtc.training.stacked.time", clock)
    before = [0.0, 5.0, 7.0]
    states = fit(models(), states=[TrainingState(seconds=s) for s in before])
    assert [state.seconds for state in states] == [10.0, 15.0, 17.0]


def test_a_model_that_diverges_leaves_the_others_as_they_are() -> None:
    """The others end as without it, bit for bit; the error is the one of a run alone."""
    whole, broken, alone = models(), models(), models()[1]
    final = fit(whole)
    for vae in (broken[1], alone):
        nn.init.constant_(vae.decoder.output.bias, float("nan"))
    snapshots = Snapshots(broken)
    outcomes = fit(broken, save=snapshots)
    for model in (0, 2):
        assert_same_run((broken[model], outcomes[model]), (whole[model], final[model]), 0.0)
    with pytest.raises(DivergenceError) as caught:
        fit_alone(1, alone)
    assert isinstance(outcomes[1], DivergenceError)
    assert str(outcomes[1]) == str(caught.value)
    assert "at beta 2 to 2" in str(caught.value)
    assert [len(saved) for saved in snapshots.saved] == [1, 0, 1]


def break_unseen(vae: VAE) -> None:
    """An infinite bias that shuts a unit: it stays infinite, and the objective finite."""
    nn.init.constant_(vae.encoder.first.layer.bias[:1], float("-inf"))


def test_weights_that_are_not_finite_are_not_saved() -> None:
    vaes = models()
    break_unseen(vaes[2])
    snapshots = Snapshots(vaes)
    outcomes = fit(vaes, save=snapshots)
    assert [len(saved) for saved in snapshots.saved] == [1, 1, 0]
    alone = models()[2]
    break_unseen(alone)
    with pytest.raises(DivergenceError, match="not finite after step 20") as caught:
        fit_alone(2, alone)
    assert isinstance(outcomes[2], DivergenceError)
    assert str(outcomes[2]) == str(caught.value)


@pytest.mark.usefixtures("saves_always")
def test_training_ends_when_the_first_save_finds_all_broken() -> None:
    vaes = models()
    for vae in vaes:
        break_unseen(vae)
    snapshots = Snapshots(vaes)
    outcomes = fit(vaes, save=snapshots)
    assert ["not finite after step 1;" in str(outcome) for outcome in outcomes] == [True] * 3
    assert snapshots.saved == [[], [], []]


def test_nothing_is_left_to_do_when_all_diverge() -> None:
    vaes, calls = models(), []

    class Counted(Crosses):
        def images(self, index: Tensor) -> Tensor:
            calls.append(index)
            return super().images(index)

    for vae in vaes:
        nn.init.constant_(vae.decoder.output.bias, float("nan"))
    outcomes = fit(vaes, examples=Counted())
    assert all(isinstance(outcome, DivergenceError) for outcome in outcomes)
    assert len(calls) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_all_and_stops(number: signal.Signals) -> None:
    """All but the model that had failed, which the interrupt names."""
    vaes, calls = models(), []
    nn.init.constant_(vaes[0].decoder.output.bias, float("nan"))

    class Interrupting(Crosses):
        def images(self, index: Tensor) -> Tensor:
            calls.append(index)
            if len(calls) == 11:
                os.kill(os.getpid(), number)
            return super().images(index)

    snapshots = Snapshots(vaes)
    with pytest.raises(KeyboardInterrupt) as caught:
        fit(vaes, save=snapshots, examples=Interrupting())
    assert [[state.step for _, state in saved] for saved in snapshots.saved] == [[], [11], [11]]
    (note,) = caught.value.__notes__
    assert note.startswith("model 0 had failed: the objective is not finite at step 0")


def _with_buffers(vae: VAE) -> VAE:
    vae.decoder.third = nn.Sequential(nn.BatchNorm1d(16))
    return vae


def _wider(vae: VAE) -> VAE:
    vae.decoder.third.layer = nn.Linear(16, 17)
    return vae


def _other_likelihood(vae: VAE) -> VAE:
    vae.likelihood = "squared_error"
    return vae


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: small_vae(), "is for baselines, got models for betas in 0.1:10; train"),
        (_with_buffers, "carries no buffers.* got decoder.third.0.num_batches_tracked"),
        (_wider, "one architecture, and model 2 is not"),
        (_other_likelihood, "one architecture, and model 2 is not"),
    ],
)
def test_models_that_do_not_stack_are_refused(change: Callable[[VAE], VAE], message: str) -> None:
    *others, last = models()
    with pytest.raises(ValueError, match=message):
        fit([*others, change(last)])


def test_steps_that_do_not_stack_are_refused() -> None:
    config = TrainingConfig(steps=4, batch=16, optimizer="adamax", clip=2.0, accumulate=4)
    with pytest.raises(ValueError, match=r"got clip 2\.0, optimizer adamax, accumulate 4; train"):
        fit(models(), config=config)


def test_states_and_seeds_must_fit_the_models() -> None:
    states = [TrainingState(step) for step in (3, 3, 4)]
    with pytest.raises(ValueError, match=r"at one step, got steps \[3, 3, 4\]; group them by step"):
        fit(models(), states=states)
    with pytest.raises(ValueError, match="got 3 models, 2 seeds and 3 states"):
        fit(models(), seeds=(0, 1))
    with pytest.raises(ValueError, match="got 0 models"):
        fit([], seeds=())


def test_each_model_is_shown_what_it_would_be_shown_alone() -> None:
    """Where training sees other versions of the examples every time."""
    stacked = models()
    states = fit(stacked, BETA, examples=Dimmed())
    for model, vae in enumerate(models()):
        alone = fit_alone(model, vae, BETA, examples=Dimmed())
        assert_same_run((stacked[model], states[model]), (vae, alone), 1e-4)
        plain = fit_alone(model, models()[model], BETA)
        assert plain.history[-1]["distortion"] != alone.history[-1]["distortion"]
