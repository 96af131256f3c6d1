"""From options to a configuration."""

from pathlib import Path
from typing import Any

import pytest

from mrtc.errors import MrtcError
from mrtc.experiments import RunConfig, preset
from mrtc.experiments.configure import build_config, find_dataset
from mrtc.experiments.run import read_config
from mrtc.objectives import ObjectiveName
from mrtc.training import Checkpoint
from tests.cli.conftest import Command

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


def text(**options: Any) -> RunConfig:
    return build_config("text", "quick", None, **(NOTHING | options))


def test_options_of_the_softmax_and_of_free_bits() -> None:
    config = text(beta=0.5, free_bits=0.25, model={"sampled_words": 100, "codes": None})
    assert config.model.sampled_words == 100
    assert config.objective.free_bits == 0.25
    assert text(beta=0.5, free_bits=0.0) == text(beta=0.5)
    assert text().model.sampled_words is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"objective": "beta"}, r"free bits of 0\.5 nats are for baselines, got the range 0\.1:10"),
        ({"objective": "tcvae", "beta": 1.0}, r"out free bits of 0\.5 nats, or take the objective"),
        ({"objective": "beta", "beta": 1.0, "free_bits": -1.0}, "free_bits: .* greater than 0"),
        ({"objective": "beta", "model": {"sampled_words": 9}}, "mlp .* has no --sampled-words"),
    ],
)
def test_free_bits_are_of_baselines_and_sampled_words_of_documents(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(MrtcError, match=words):
        built(**({"free_bits": 0.5} | options))


def test_options_of_the_optimiser_and_of_groups() -> None:
    given = {"optimizer": "adamax", "accumulate": 4, "spectral": 0.1}
    config = built("beta", training=given)
    assert {name: getattr(config.training, name) for name in given} == given
    usual = {"optimizer": "adam", "accumulate": 1, "spectral": 0.0}
    assert built("beta", training=usual) == built("beta")
    with pytest.raises(MrtcError, match="a batch in 4 parts needs an objective that is a sum"):
        built("tcvae", training={"accumulate": 4})
    of_groups = {"group_balance": True, "rate_schedule": "monotonic"}
    with pytest.raises(MrtcError, match="the mlp architecture has none; leave it out"):
        built("beta", beta=1.0, **of_groups)
    with pytest.raises(MrtcError, match="a constant schedule; leave the balance out"):
        built("beta", beta=1.0, group_balance=True)
    assert built("beta", beta=1.0, group_balance=False) == built("beta", beta=1.0)


def test_both_commands_that_train_have_these_options(mrtc: Command, tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("\n".join(f"the {a} {b} ." for a in "abcdef" for b in "uvwxyz"))
    given = ("--steps", "2", "--batch", "4", "--codes", "2", "--quiet")
    given = (*given, "--sampled-words", "5", "--free-bits", "0.1", "--optimizer", "adamax")
    done = mrtc("train", lines, *given, "--beta", "1", "--out", "t.pt")
    assert done.status == 0, done.err
    done = mrtc("baselines", lines, *given, "--betas", "1", "--seeds", "1", "--out", "b.h5")
    assert done.status == 0, done.err
    paths = [Path("t.pt"), *Path("b.runs").glob("*.pt")]
    assert len(paths) == 2
    for path in paths:
        config = read_config(Checkpoint.load(path), path)
        assert (config.model.sampled_words, config.objective.free_bits) == (5, 0.1)
        assert config.training.optimizer == "adamax"
    done = mrtc("train", lines, *given, "--out", "m.pt")
    assert done.status == 2
    assert "free bits of 0.1 nats are for baselines" in done.err
    done = mrtc("train", lines, "--batch", "4", "--accumulate", "3", "--out", "m.pt")
    assert (done.status, "4 cannot be cut into 3 equal parts" in done.err) == (2, True)
    done = mrtc("train", lines, "--spectral", "0.1", "--steps", "2", "--quiet", "--out", "s.pt")
    assert (done.status, "spectral regularisation is of" in done.err) == (2, True)
    done = mrtc("train", lines, "--beta", "1", "--group-balance", "--out", "g.pt")
    assert (done.status, "constant schedule; leave the balance out" in done.err) == (2, True)
