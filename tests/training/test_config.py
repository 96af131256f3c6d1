"""Learning rates over a run."""

import pytest
from pydantic import ValidationError

from mrtc.training import TrainingConfig


def test_the_constant_schedule_is_constant() -> None:
    config = TrainingConfig(steps=10, batch=4, learning_rate=0.5)
    assert {config.learning_rate_at(step) for step in range(10)} == {0.5}


def test_warm_up_rises_and_the_cosine_falls_to_zero() -> None:
    config = TrainingConfig(steps=14, batch=4, learning_rate=1.0, schedule="cosine", warmup=4)
    rates = [config.learning_rate_at(step) for step in range(15)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[9] == pytest.approx(0.5)
    assert rates[14] == pytest.approx(0.0)
    assert rates[4:] == sorted(rates[4:], reverse=True)


def test_the_cosine_ends_at_the_lowest_rate() -> None:
    config = TrainingConfig(
        steps=14, batch=4, learning_rate=1.0, schedule="cosine", warmup=4, lowest_rate=0.2
    )
    rates = [config.learning_rate_at(step) for step in range(15)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert [rates[step] for step in (9, 14)] == pytest.approx([0.6, 0.2])


def test_what_is_usual_is_none() -> None:
    """So that runs of versions without these entries are the same as those that ask for it."""
    usual = TrainingConfig(
        steps=10, batch=4, lowest_rate=0.0, optimizer="adam", accumulate=1, spectral=0.0
    )
    assert usual == TrainingConfig(steps=10, batch=4)
    assert (usual.lowest_rate, usual.optimizer, usual.accumulate, usual.spectral) == (None,) * 4
    assert usual.parts == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"warmup": 10}, "a warm-up of 10 steps needs more than 10 steps"),
        ({"learning_rate": -1.0}, "greater than 0"),
        ({"schedule": "linear"}, "'constant' or 'cosine'"),
        ({"learning_rate": 0.01, "lowest_rate": 0.1}, "cannot fall from 0.01 to a lowest rate of"),
        ({"accumulate": 3}, "a batch of 4 cannot be cut into 3 equal parts"),
        ({"spectral": -1.0}, "greater than 0"),
        ({"spectral": float("inf")}, "finite"),
        ({"optimizer": "sgd"}, "'adam' or 'adamax'"),
    ],
)
def test_bad_budgets_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainingConfig(**({"steps": 10, "batch": 4} | options))


def test_warm_up_keeps_its_share_of_other_steps() -> None:
    config = TrainingConfig(steps=1000, batch=8, warmup=100, schedule="cosine")
    shorter = config.with_steps(200)
    assert (shorter.steps, shorter.warmup) == (200, 20)
    # The same point of the schedule has the same learning rate.
    assert shorter.learning_rate_at(110) == pytest.approx(config.learning_rate_at(550))
