"""Configurations: round trip, checks across fields, and what differs."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from mrtc.architectures import ConvConfig, MLPConfig, NVAEConfig, ResNetConfig
from mrtc.errors import MrtcError
from mrtc.experiments import PRESETS, RunConfig, preset
from mrtc.experiments.presets import baseline
from mrtc.experiments.run import build_vae
from mrtc.objectives import ObjectiveConfig
from mrtc.rates import BetaRange

EVERY = [(dataset, name) for dataset, presets in PRESETS.items() for name in presets]


@pytest.mark.parametrize(("dataset", "name"), EVERY)
@pytest.mark.parametrize("objective", ["beta", "tcvae"])
def test_a_configuration_comes_back_from_its_json(dataset: str, name: str, objective) -> None:
    for config in (
        preset(dataset, name, objective),
        baseline(preset(dataset, name, objective), 4.0),
    ):
        assert RunConfig.from_json(config.to_json()) == config


def test_the_paper_preset_is_the_published_set_up() -> None:
    """18,000 steps of 2,048 with Adam at 1e-3, 1,200 units, 10 codes, beta in 0.1:10."""
    config = preset("dsprites", "paper", "tcvae")
    assert (config.training.steps, config.training.batch) == (18_000, 2048)
    assert config.training.learning_rate == 1e-3
    assert (config.training.schedule, config.training.warmup) == ("constant", 0)
    assert (config.model.hidden, config.model.codes, config.model.gated) == (1200, 10, "inner")
    assert config.betas == BetaRange(0.1, 10.0)
    assert config.objective.estimator == "weighted"


def test_a_baseline_is_the_same_run_without_gates() -> None:
    config = preset("dsprites", "quick", "tcvae")
    plain = baseline(config, 4.0)
    assert plain.is_baseline
    assert plain.model == replace(config.model, gated="none")
    assert plain.training == config.training
    assert not any("gate" in name for name in build_vae(plain).state_dict())


def test_gates_and_range_go_together() -> None:
    config = preset("dsprites", "quick", "tcvae")
    with pytest.raises(ValidationError, match="a model for one beta has no gates"):
        replace(config, betas=BetaRange(4.0, 4.0))
    with pytest.raises(ValidationError, match="cannot be cut into 3 equal groups"):
        replace(config, objective=ObjectiveConfig("tcvae", groups=3))


def test_differences_name_the_fields_with_both_values() -> None:
    config = preset("dsprites", "quick", "tcvae")
    other = replace(config, seed=5, training=replace(config.training, batch=64))
    assert config.differences(config) == []
    assert set(config.differences(other)) == {
        "seed is 5, asked for 0",
        f"training.batch is 64, asked for {config.training.batch}",
    }


def test_unknown_names_list_the_choices() -> None:
    with pytest.raises(MrtcError, match="no preset 'huge' for dsprites; choose among quick, paper"):
        preset("dsprites", "huge", "tcvae")
    with pytest.raises(MrtcError, match="no dataset 'cats'; choose among dsprites"):
        preset("cats", "quick", "tcvae")


def test_the_seed_decides_the_first_weights() -> None:
    config = preset("dsprites", "quick", "beta")
    one, two = build_vae(config), build_vae(config)
    other = build_vae(replace(config, seed=1))
    for a, b, c in zip(one.parameters(), two.parameters(), other.parameters(), strict=True):
        assert a.equal(b)
        assert a.ndim == 1 or not a.equal(c)


def test_a_schedule_of_the_rate_is_for_baselines() -> None:
    config = preset("dsprites", "quick", "tcvae")
    annealed = replace(config.objective, rate_schedule="monotonic")
    with pytest.raises(ValueError, match="monotonic schedule of the rate's weight is for"):
        replace(config, objective=annealed)
    plain = baseline(config, 4.0)
    assert replace(plain, objective=replace(plain.objective, rate_schedule="monotonic"))


def test_a_sigmoid_and_a_bernoulli_likelihood_are_refused() -> None:
    config = preset("dsprites", "quick", "tcvae")
    sigmoid = ConvConfig(design="burgess", output="sigmoid")
    with pytest.raises(ValueError, match="takes logits, and this decoder ends in a sigmoid"):
        replace(config, model=sigmoid)
    assert replace(config, model=sigmoid, likelihood="squared_error")


@pytest.mark.parametrize("architecture", [ConvConfig, MLPConfig, ResNetConfig])
def test_a_logistic_mixture_is_for_a_decoder_that_puts_out_one(architecture: type) -> None:
    config = replace(preset("dsprites", "quick", "beta"), model=architecture())
    with pytest.raises(ValueError, match="logistic_mixture does not go with this"):
        replace(config, likelihood="logistic_mixture")
    mixture = NVAEConfig(output="logistic_mixture")
    with pytest.raises(ValueError, match="bernoulli does not go with this nvae"):
        replace(config, model=mixture)
    assert replace(config, model=mixture, likelihood="logistic_mixture")
