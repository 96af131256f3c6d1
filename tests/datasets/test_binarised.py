"""Binary draws against the grey values they are drawn by."""

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import binomtest, kstest

from mrtc.datasets import binarised as module
from mrtc.datasets import mnist
from mrtc.datasets.binarised import Binarised
from mrtc.datasets.examples import DrawnExamples
from mrtc.datasets.images import ByteImages

ALL = torch.arange(256)


def one_grey(copies: int = 40, side: int = 10) -> ByteImages:
    """``copies`` channels of 10 x 10 pixels in each of the 256 greys; 4,000 is no power of two."""
    grey = torch.arange(256, dtype=torch.uint8)[:, None, None, None]
    return ByteImages(grey.expand(256, copies, side, side).contiguous(), "greys")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(fresh: bool) -> torch.Tensor:
    data = Binarised(one_grey(), is_fresh=fresh)
    return data.draw(ALL, generator()) if fresh else data.images(ALL)


@pytest.mark.parametrize("fresh", [False, True])
def test_a_pixel_is_ink_with_the_probability_of_its_grey(fresh: bool):
    """Of 256 exact binomial tests, the p-values are spread evenly; white and black are certain."""
    images = drawn(fresh)
    assert set(images.unique().tolist()) == {0.0, 1.0}
    assert not images[0].any()
    assert images[255].all()
    ink = images.flatten(1).sum(1).int().tolist()
    p = [binomtest(ink[grey], 4000, grey / 255).pvalue for grey in range(1, 255)]
    assert kstest(p, "uniform").pvalue > 0.01


@pytest.mark.parametrize("fresh", [False, True])
def test_pixels_are_drawn_apart(fresh: bool):
    """Neighbours in a row, in a column, in channel and in the list of images do not agree more."""
    grey = torch.full((64, 3, 32, 32), 128, dtype=torch.uint8)
    data = Binarised(ByteImages(grey, ""), is_fresh=fresh)
    images = data.draw(torch.arange(64), generator()) - 128 / 255
    for axis in range(4):
        n = images.shape[axis]
        product = images.narrow(axis, 0, n - 1) * images.narrow(axis, 1, n - 1)
        assert abs(product.mean() / 0.25) * product.numel() ** 0.5 < 4


def test_fixed_images_do_not_depend_on_the_order_of_access(monkeypatch: pytest.MonkeyPatch):
    whole = Binarised(one_grey(), is_fresh=True).images(ALL)
    monkeypatch.setattr(module, "ROWS", 7)
    data = Binarised(one_grey(), is_fresh=False)
    index = torch.randperm(256, generator=generator())
    for part in index.split(50):
        assert torch.equal(data.images(part), whole[part])
    assert torch.equal(data.images(torch.tensor([9, 9])), whole[[9, 9]])


def test_the_fixed_images_stay_the_same():
    """By the checksum, golden since they were first drawn: numbers in tables are of these."""
    assert Binarised(one_grey(1, 8), is_fresh=False).checksum == "crc32:d00e1a78"
    other = Binarised(one_grey(1, 8), is_fresh=False, seed=778)
    assert other.checksum != Binarised(one_grey(1, 8), is_fresh=False).checksum


def test_the_checksum_is_of_the_fixed_images():
    data = Binarised(one_grey(1, 8), is_fresh=True)
    bits = np.packbits(data.images(ALL).numpy().astype(bool))
    assert data.checksum == f"crc32:{zlib.crc32(bits.tobytes()):08x}"


def test_training_sees_other_draws_each_time_and_the_same_for_a_seed():
    data = Binarised(one_grey(), is_fresh=True)
    assert isinstance(data, DrawnExamples)
    index = torch.tensor([100, 3, 100])
    one, same, other = (data.draw(index, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert not torch.equal(one[0], one[2])
    assert one.shape == (3, 40, 10, 10)


def test_if_not_fresh_training_sees_the_fixed_images():
    data = Binarised(one_grey(), is_fresh=False)
    assert torch.equal(data.draw(ALL, generator()), data.images(ALL))


def test_it_says_what_it_is():
    fresh, fixed = (Binarised(one_grey(), is_fresh=is_fresh) for is_fresh in (True, False))
    assert fixed.source == "greys, binarised by chance (seed 777)"
    assert fresh.source == "greys, binarised by chance (seed 777), in training anew"
    assert len(fixed) == 256
    assert fixed.image_shape == (40, 10, 10)


def test_it_moves_to_a_device():
    moved = Binarised(one_grey(), is_fresh=True, seed=5).to("cpu")
    assert (moved.is_fresh, moved.seed) == (True, 5)
    assert torch.equal(moved.images(ALL), Binarised(one_grey(), False, seed=5).images(ALL))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_fixed_images_are_the_same_on_a_gpu():
    data = Binarised(one_grey(), is_fresh=True)
    moved = data.to("cuda")
    images = moved.images(ALL)
    assert images.is_cuda
    assert torch.equal(images.cpu(), data.images(ALL))
    fresh = moved.draw(ALL, torch.Generator("cuda").manual_seed(0))
    assert fresh.is_cuda
    assert abs(fresh.mean().item() - 0.5) < 0.01


@pytest.mark.data
def test_the_ink_of_mnist_is_its_grey(shared_data: Path):
    """Of 38 million black pixels none is ink, and of the others as many as their greys say."""
    grey = mnist.load(shared_data / "mnist", quiet=True)
    data = Binarised(grey, is_fresh=True)
    ink = expected = variance = 0.0
    for index in torch.arange(len(grey)).split(10_000):
        images, p = data.images(index), grey.images(index).double()
        assert not images[p == 0].any()
        assert images[p == 1].all()
        ink += images.sum(dtype=torch.float64).item()
        expected += p.sum().item()
        variance += (p * (1 - p)).sum().item()
    assert abs(ink - expected) < 4 * variance**0.5
