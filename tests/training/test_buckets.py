"""Batches of like lengths: each document once an epoch, from seed and step alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Int
from torch import Tensor

from mrtc.randomness import torch_stream
from mrtc.training.buckets import BucketOrder


def lengths(population: int) -> Int[Tensor, " document"]:
    return torch.randint(3, 200, (population,), generator=torch_stream(0, "lengths"))


def epoch(order: BucketOrder, steps: int, number: int = 0) -> Int[Tensor, "step batch"]:
    return torch.stack([order.batch_at(steps * number + at) for at in range(steps)])


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60), st.integers(1, 7), st.integers(1, 5), st.integers(0, 9))
def test_no_document_is_seen_twice_an_epoch(population, batch, pool, seed) -> None:
    if batch > population:
        with pytest.raises(ValueError, match=f"a batch of {batch} needs as many"):
            BucketOrder(lengths(population), batch, seed)
        return
    order, steps = BucketOrder(lengths(population), batch, seed, pool=pool), population // batch
    for number in range(2):
        seen = epoch(order, steps, number)
        assert seen.shape == (steps, batch)
        assert len(seen.unique()) == steps * batch
        assert 0 <= seen.min() <= seen.max() < population


def test_any_step_can_be_had_first() -> None:
    whole, resumed = (BucketOrder(lengths(100), 8, seed=1, pool=3) for _ in range(2))
    batches = [whole.batch_at(step) for step in range(36)]
    for step in (30, 31, 0, 13):
        assert torch.equal(resumed.batch_at(step), batches[step])
    other = BucketOrder(lengths(100), 8, seed=2, pool=3)
    assert not torch.equal(other.batch_at(0), batches[0])


def test_a_pool_is_sorted_as_a_plain_program_sorts_it() -> None:
    """With one pool for all, the batches are the sorted lengths, cut."""
    known = lengths(96)
    batches = epoch(BucketOrder(known, 8, seed=0, pool=12), 12)
    made = sorted(known[rows].sort().values.tolist() for rows in batches)
    assert [length for rows in made for length in rows] == sorted(known.tolist())


def test_like_lengths_are_together_and_their_order_is_not_told() -> None:
    known = lengths(6400)
    order = BucketOrder(known, 32, seed=0)
    batches = epoch(order, 200)
    spread = known[batches].float().std(1)
    assert spread.mean() < 0.05 * known.float().std()

    # Neither the step before nor the row in a batch tells of the length.
    means = known[batches].float().mean(1)
    assert abs(torch.corrcoef(torch.stack([means[1:], means[:-1]]))[0, 1]) < 0.3
    excess = (known[batches] - means[:, None]).mean(0)
    standard_error = spread.mean() / 200**0.5
    assert excess.abs().max() < 4.5 * standard_error

    # Other epochs put other documents together.
    both = [{frozenset(rows.tolist()) for rows in epoch(order, 200, at)} for at in (0, 1)]
    assert not both[0] & both[1]


def test_the_rest_left_out_is_of_any_length() -> None:
    """Each document is left out of as many epochs as another: 3 of 19, here of 600."""
    known = torch.arange(19)
    order, kept = BucketOrder(known, 4, seed=0), torch.zeros(19)
    for number in range(600):
        kept[epoch(order, 4, number).flatten()] += 1
    share = 3 / 19
    error = (600 * share * (1 - share)) ** 0.5
    assert (kept - 600 * (1 - share)).abs().max() < 4 * error


def test_a_pool_of_one_batch_has_no_regard_to_length() -> None:
    known = lengths(3200)
    batches = epoch(BucketOrder(known, 32, seed=0, pool=1), 100)
    assert known[batches].float().std(1).mean() > 0.9 * known.float().std()
    with pytest.raises(ValueError, match="at least one batch, got 0"):
        BucketOrder(known, 32, seed=0, pool=0)
