"""Streams depend on seed and path alone."""

import numpy as np
import torch

from mrtc.randomness import numpy_stream, torch_stream


def test_a_stream_repeats_and_differs_from_its_neighbours() -> None:
    paths: list[tuple[int, tuple[str | int, ...]]] = [
        (0, ("noise", 1)),
        (0, ("noise", 2)),
        (1, ("noise", 1)),
        (0, ("beta", 1)),
        (0, ("noise1",)),
        (0, ()),
    ]
    drawn = [torch.rand(4, generator=torch_stream(seed, *path)) for seed, path in paths]
    again = [torch.rand(4, generator=torch_stream(seed, *path)) for seed, path in paths]
    assert all(torch.equal(a, b) for a, b in zip(drawn, again, strict=True))
    assert len({tuple(d.tolist()) for d in drawn}) == len(paths)


def test_numpy_streams_are_of_the_same_kind() -> None:
    one, two = numpy_stream(0, "a"), numpy_stream(0, "a")
    np.testing.assert_array_equal(one.random(3), two.random(3))
    assert numpy_stream(0, "a").random() != numpy_stream(0, "b").random()
