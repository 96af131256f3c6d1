"""What goes together in the training of hierarchies, and that older runs are the same."""

import json
from dataclasses import replace

import pytest

from mrtc.architectures import NVAEConfig
from mrtc.experiments import RunConfig, preset
from mrtc.experiments.presets import baseline
from mrtc.objectives import ObjectiveConfig

FLAT = preset("binarized-mnist", "quick", "beta")
HIERARCHY = replace(FLAT, model=NVAEConfig(), likelihood="bernoulli")
BALANCED = ObjectiveConfig("beta", groups=1, rate_schedule="monotonic", group_balance=True)


def test_groups_are_balanced_in_baselines_of_hierarchies_only() -> None:
    assert replace(baseline(HIERARCHY, 2.0), objective=BALANCED)
    with pytest.raises(ValueError, match=r"balancing of groups is for baselines, got the range 0"):
        replace(HIERARCHY, objective=replace(BALANCED, rate_schedule="held"))
    with pytest.raises(ValueError, match="the resnet architecture has none; leave it out"):
        replace(baseline(FLAT, 2.0), objective=BALANCED)


def test_multi_rate_models_may_be_held_and_not_annealed() -> None:
    held = replace(HIERARCHY.objective, rate_schedule="held")
    assert replace(HIERARCHY, objective=held).objective.rate_schedule == "held"
    with pytest.raises(ValueError, match="a cyclic schedule of the rate's weight is for baselines"):
        replace(HIERARCHY, objective=replace(held, rate_schedule="cyclic"))


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        (ObjectiveConfig("tcvae", groups=1), "sum over examples, got tcvae"),
        (ObjectiveConfig("beta", groups=1, free_bits=0.5), r"free bits 0\.5"),
        (BALANCED, "group balance True; take the whole batch at once"),
    ],
)
def test_parts_need_a_sum_over_examples(objective: ObjectiveConfig, words: str) -> None:
    plain = baseline(HIERARCHY, 2.0)
    parts = replace(plain.training, accumulate=4)
    assert replace(plain, training=parts)
    with pytest.raises(ValueError, match=words):
        replace(plain, training=parts, objective=objective)


def test_a_run_of_a_version_without_these_entries_is_the_same() -> None:
    """Read from its JSON, and compared as JSON."""
    older = json.loads(FLAT.to_json())
    for name in ("lowest_rate", "optimizer", "accumulate", "spectral"):
        assert older["training"].pop(name) is None
    assert older["objective"].pop("group_balance") is None
    assert RunConfig.from_json(json.dumps(older)) == FLAT
    assert FLAT.differences(RunConfig.from_json(json.dumps(older))) == []


def test_a_configuration_with_all_of_them_comes_back_from_its_json() -> None:
    training = replace(
        HIERARCHY.training, optimizer="adamax", lowest_rate=1e-4, accumulate=2, spectral=0.1
    )
    whole = replace(HIERARCHY, training=training)
    assert RunConfig.from_json(whole.to_json()) == whole
    (found,) = whole.differences(replace(whole, training=replace(training, accumulate=None)))
    assert found == "training.accumulate is None, asked for 2"
