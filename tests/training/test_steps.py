"""What a step is made of: each example once an epoch, and the history's steps."""

import pytest
import torch

from mrtc.objectives import ObjectiveConfig
from mrtc.training import TrainingConfig, TrainingState, train
from mrtc.training.steps import (
    ExampleOrder,
    is_recorded,
    optimizer_of,
    set_learning_rate,
    shown,
)
from mrtc.vae import VAE
from tests.toys import Crosses, small_vae


def test_every_epoch_shows_every_example_once() -> None:
    order = ExampleOrder(10, 3, seed=0)
    epochs = [torch.cat([order.batch_at(3 * e + i) for i in range(3)]) for e in range(2)]
    assert all(len(set(epoch.tolist())) == 9 for epoch in epochs)
    assert not torch.equal(*epochs)
    with pytest.raises(ValueError, match="a batch of 11 needs as many examples, got 10"):
        ExampleOrder(10, 11, seed=0)


def test_any_step_can_be_had_first() -> None:
    """As a run does that goes on, whatever was asked for before."""
    whole, resumed = (ExampleOrder(10, 3, seed=1) for _ in range(2))
    batches = [whole.batch_at(step) for step in range(9)]
    for step in (7, 8, 0, 4):
        assert torch.equal(resumed.batch_at(step), batches[step])


def test_the_last_step_is_recorded_too() -> None:
    assert [step for step in range(24) if is_recorded(step, 24)] == [0, 10, 20, 23]


def test_terms_without_a_short_name_are_not_shown() -> None:
    means = {"objective": 3.0, "rate": 1.0, "total_correlation": 0.5}
    assert shown(means) == {"rate": 1.0, "tc": 0.5}


def fit(vae: VAE, config: TrainingConfig, state: TrainingState | None = None) -> TrainingState:
    return train(
        *(vae, Crosses(), ObjectiveConfig("beta"), config),
        seed=0,
        device=torch.device("cpu"),
        precision="fp32",
        state=state,
        quiet=True,
    )


def test_gates_move_as_many_times_as_fast_as_asked() -> None:
    """The first step of Adam is the learning rate, whatever the gradient."""
    before, vae = small_vae().state_dict(), small_vae()
    fit(vae, TrainingConfig(steps=1, batch=16, learning_rate=1e-3, gate_speed=7.0))
    for name, weight in vae.state_dict().items():
        moved = (weight - before[name]).abs().max().item()
        assert moved == pytest.approx(7e-3 if ".gate." in name else 1e-3, rel=1e-2)


def test_adamax_is_what_its_authors_wrote() -> None:
    """Algorithm 2 of Kingma and Ba (2015), with gates at twice the speed."""
    vae = small_vae().double()
    config = TrainingConfig(
        steps=1, batch=1, learning_rate=1e-2, gate_speed=2.0, optimizer="adamax"
    )
    optimizer = optimizer_of(vae, config)
    set_learning_rate(optimizer, config.learning_rate)
    expected = {name: weight.detach().clone() for name, weight in vae.named_parameters()}
    momentum = {name: torch.zeros_like(weight) for name, weight in expected.items()}
    greatest = {name: torch.zeros_like(weight) for name, weight in expected.items()}
    generator = torch.Generator().manual_seed(0)
    for step in range(1, 5):
        for name, weight in vae.named_parameters():
            weight.grad = torch.randn(weight.shape, generator=generator).double()
            momentum[name] = 0.9 * momentum[name] + 0.1 * weight.grad
            greatest[name] = torch.maximum(0.999 * greatest[name], weight.grad.abs())
            rate = (2 if ".gate." in name else 1) * 1e-2 / (1 - 0.9**step)
            expected[name] -= rate * momentum[name] / greatest[name]
        optimizer.step()
    torch.testing.assert_close(dict(vae.named_parameters()), expected, rtol=1e-5, atol=1e-8)


def test_a_run_with_fast_gates_goes_on_as_if_it_had_not_stopped() -> None:
    config = TrainingConfig(steps=12, batch=16, learning_rate=1e-2, gate_speed=7.0)
    whole, stopped = small_vae(), small_vae()
    fit(whole, config)
    state = fit(stopped, TrainingConfig(steps=6, batch=16, learning_rate=1e-2, gate_speed=7.0))
    fit(stopped, config, state)
    torch.testing.assert_close(stopped.state_dict(), whole.state_dict(), rtol=0, atol=0)


def test_a_baseline_has_no_gates_to_be_fast() -> None:
    vae = small_vae(plain=True)
    fit(vae, TrainingConfig(steps=1, batch=16, gate_speed=7.0))
