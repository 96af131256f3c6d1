"""From options to a configuration."""

from pathlib import Path
from typing import Any

import pytest

from mrtc.cli.training_options import build_config, find_dataset
from mrtc.errors import MrtcError
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


def images(dataset: str = "cifar10", **options: Any) -> RunConfig:
    return build_config(dataset, "quick", None, **(NOTHING | options))


def test_the_usual_objective_and_architecture_are_those_of_the_dataset() -> None:
    assert images("dsprites").objective.name == "tcvae"
    assert images("dsprites").model.kind == "mlp"
    assert images().objective.name == "beta"
    assert images().model.kind == "resnet"


def test_another_architecture_and_design() -> None:
    config = images("dsprites", arch="conv", model={"design": "locatello"})
    assert (config.model.kind, config.model.design) == ("conv", "locatello")
    with pytest.raises(MrtcError, match="no --design"):
        images(arch="resnet", model={"design": "chen"})
    with pytest.raises(MrtcError, match="no architecture 'linear'; choose --arch among resnet"):
        images(arch="linear")


def test_the_decoder_ends_as_the_likelihood_needs_it() -> None:
    assert images().model.output == "sigmoid"
    assert images(likelihood="bernoulli").model.output == "logits"
    gaussian = images("mnist", likelihood="gaussian", sigma="0.1")
    assert (gaussian.likelihood, gaussian.sigma, gaussian.model.output) == (
        *("gaussian", 0.1, "sigmoid"),
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigma": "0.1"}, "add --likelihood gaussian"),
        ({"sigma": "wide", "likelihood": "gaussian"}, "neither a number nor `learned`"),
        ({"sigma": "-1", "likelihood": "gaussian"}, "greater than 0"),
        ({"size": 32}, "for your own images"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, Any], message: str) -> None:
    with pytest.raises(MrtcError, match=message):
        images(**options)


def test_a_path_stands_for_the_users_own_images(tmp_path: Path) -> None:
    assert find_dataset("mnist", None) == ("mnist", None)
    assert find_dataset(str(tmp_path), None) == ("images", tmp_path)
    with pytest.raises(MrtcError, match="give one of them"):
        find_dataset(str(tmp_path), tmp_path)
    with pytest.raises(MrtcError, match="nor a folder or file of that name"):
        find_dataset("mnits", None)
