"""Bits per dimension of models whose code lengths are known, and which likelihoods have any."""

import math
from typing import get_args

import pytest
import torch

from mrtc.distributions import Bernoulli, LikelihoodName
from mrtc.logistic_mixture import DiscretisedLogisticMixture, parameters_of
from mrtc.metrics.bits_per_dimension import MASSES, SOURCES, bits_per_dimension, derived_bits
from mrtc.results import VARIABLES

SHAPE = (3, 4, 5)
ENTRIES = math.prod(SHAPE)


@pytest.mark.parametrize(("levels", "bits"), [(256, 8), (2, 1)])
def test_a_uniform_model_has_the_bits_of_its_levels(levels: int, bits: float) -> None:
    assert bits_per_dimension(ENTRIES * math.log(levels), ENTRIES) == pytest.approx(bits)


def test_a_fair_bernoulli_has_one_bit() -> None:
    nats = -Bernoulli(torch.zeros(1, *SHAPE)).log_prob(torch.ones(1, *SHAPE)).item()
    assert bits_per_dimension(nats, ENTRIES) == pytest.approx(1)


def test_a_uniform_mixture_has_eight_bits() -> None:
    """A sharp component on each of the 256 levels: what one leaks its neighbours leak back."""
    levels = torch.linspace(-1, 1, 256, dtype=torch.float64)
    pixel = torch.cat([torch.zeros_like(levels), levels, torch.full_like(levels, -7.0)])
    assert len(pixel) == parameters_of(1, 256)
    x = torch.randint(256, (1, 1, 4, 5), generator=torch.manual_seed(0)).double() / 255
    mixture = DiscretisedLogisticMixture(pixel[None, :, None, None].expand(1, -1, 4, 5), channels=1)
    assert bits_per_dimension(-mixture.log_prob(x).item(), 20) == pytest.approx(8, abs=1e-4)


@pytest.mark.oracle("bits_per_dimension")
def test_the_parts_sum_to_the_whole() -> None:
    values = {"rate": 3.0, "distortion": 40.0, "elbo": -43.0, "mean": torch.zeros(2)}
    found = derived_bits(values, "logistic_mixture", ENTRIES)
    assert list(found) == list(SOURCES)
    assert found["bits_per_dimension"] == pytest.approx(43 / math.log(2) / ENTRIES)
    assert found["rate_bits_per_dimension"] == pytest.approx(3 / math.log(2) / ENTRIES)
    parts = found["rate_bits_per_dimension"] + found["distortion_bits_per_dimension"]
    assert parts == pytest.approx(found["bits_per_dimension"])


@pytest.mark.parametrize("likelihood", get_args(LikelihoodName))
def test_densities_errors_and_documents_have_no_bits(likelihood: LikelihoodName) -> None:
    found = derived_bits({"rate": 3.0}, likelihood, ENTRIES)
    assert set(found) == ({"rate_bits_per_dimension"} if likelihood in MASSES else set())
    assert set(MASSES) == {"bernoulli", "logistic_mixture"}


def test_the_results_file_has_a_place_for_each() -> None:
    assert {VARIABLES[name].unit for name in SOURCES} == {"bits per dimension"}


def test_examples_without_entries_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one entry, got 0; give"):
        bits_per_dimension(1.0, 0)
