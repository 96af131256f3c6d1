"""What is compared before a frozen model is written."""

import math

import pytest
import torch

from mrtc.frozen.check import difference


def test_differences_are_relative_to_the_largest_value_or_one() -> None:
    near, far = torch.tensor([0.1, 0.2]), torch.tensor([-40.0, 3.0])
    assert difference([near + 0.01, far], [near, far]) == pytest.approx(0.01)
    assert difference([near, far + 1], [near, far]) == pytest.approx(1 / 40)
    assert difference([near.double(), far], [near.double(), far]) == 0


@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_no_number_is_not_near(place: int) -> None:
    ours, theirs = [torch.zeros(2) for _ in range(3)], [torch.zeros(2) for _ in range(3)]
    ours[place][1] = math.nan
    assert math.isnan(difference(ours, theirs))
