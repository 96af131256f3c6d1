"""Mirrored images against ``torch.flip``."""

import pytest
import torch
from scipy.stats import binomtest

from mrtc.datasets.examples import DrawnExamples
from mrtc.datasets.flipped import Flipped
from mrtc.datasets.images import ByteImages

PIXELS = torch.randint(
    256, (50, 3, 4, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
DATA = Flipped(ByteImages(PIXELS, "photographs"))
INDEX = torch.arange(50).repeat(40)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_half_of_the_images_are_mirrored_and_the_others_as_they_are():
    drawn = DATA.draw(INDEX, generator())
    plain = PIXELS[INDEX] / 255
    is_plain = (drawn == plain).flatten(1).all(1)
    is_mirrored = (drawn == torch.flip(plain, dims=[3])).flatten(1).all(1)
    assert torch.equal(is_plain, ~is_mirrored)
    assert binomtest(int(is_plain.sum()), len(INDEX)).pvalue > 0.001
    both = is_plain.reshape(40, 50)
    assert (both.any(0) & ~both.all(0)).all()  # every image is seen either way


def test_the_generator_alone_decides():
    one, same, other = (DATA.draw(INDEX, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_evaluation_sees_the_images_as_they_are():
    assert isinstance(DATA, DrawnExamples)
    index = torch.tensor([7, 0, 7])
    assert torch.equal(DATA.images(index), PIXELS[index] / 255)


def test_it_says_what_it_is():
    assert DATA.source == "photographs, in training mirrored at random"
    assert DATA.checksum == DATA.examples.checksum
    assert (len(DATA), DATA.image_shape) == (50, (3, 4, 6))


class _Elsewhere(ByteImages):
    """Says where it was sent."""

    def to(self, device: torch.device | str) -> ByteImages:
        return ByteImages(self.pixels, f"photographs on {device}")


def test_it_moves_with_its_images():
    moved = Flipped(_Elsewhere(PIXELS, "")).to("the moon")
    assert moved.source == "photographs on the moon, in training mirrored at random"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_it_draws_on_a_gpu():
    drawn = DATA.to("cuda").draw(INDEX.cuda(), torch.Generator("cuda").manual_seed(0))
    assert drawn.is_cuda
    assert drawn.shape == (2000, 3, 4, 6)
