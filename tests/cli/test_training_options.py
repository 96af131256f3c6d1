"""From options to a configuration."""

from typing import Any

import pytest

from mrtc.cli.training_options import build_config
from mrtc.experiments import RunConfig, preset
from mrtc.objectives import ObjectiveName

NOTHING: dict[str, Any] = {
    "betas": None,
    "beta": None,
    "seed": 0,
    "groups": None,
    "training": {},
    "model": {},
    "estimator": None,
}


def built(objective: ObjectiveName, **options: Any) -> RunConfig:
    return build_config("dsprites", "quick", objective, **(NOTHING | options))


@pytest.mark.parametrize("objective", ["beta", "tcvae"])
def test_without_options_it_is_the_preset(objective: ObjectiveName) -> None:
    assert built(objective) == preset("dsprites", "quick", objective)


def test_options_stand_in_the_place_of_the_preset() -> None:
    config = built(
        "tcvae",
        betas="0.5:2",
        seed=3,
        groups="example",
        training={"steps": 7, "batch": None},
        model={"hidden": 9, "gate_init": "paper"},
        estimator="stratified",
    )
    assert (config.betas.low, config.betas.high, config.seed) == (0.5, 2.0, 3)
    assert (config.training.steps, config.model.hidden, config.model.gate_init) == (7, 9, "paper")
    assert (config.objective.groups, config.objective.estimator) == ("example", "stratified")
    assert config.training.batch == preset("dsprites", "quick", "tcvae").training.batch


def test_groups_follow_a_batch_that_was_asked_for() -> None:
    """64 betas do not divide 48 examples; 16 divide both. What is asked for is not changed."""
    assert built("beta", training={"batch": 48}).objective.groups == 16
    assert built("beta", training={"batch": 48}, groups="6").objective.groups == 6
