"""What a step is made of: each example once an epoch, and the history's steps."""

import pytest
import torch

from mrtc.training.steps import ExampleOrder, is_recorded, shown


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
