"""dSprites as a data set: unpacking, and a cache that is made once and trusted only if whole."""

import errno
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock, patch

import numpy as np
import pytest
import torch

from mrtc.datasets import dsprites as module
from mrtc.datasets.dsprites import CACHE_NAME, DSprites, load
from mrtc.factors import FactorGrid


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mock]:
    """Makes the grid small, and counts how often it is rendered."""
    grid = FactorGrid(names=DSprites.grid.names, sizes=(3, 1, 2, 32, 32))
    monkeypatch.setattr(DSprites, "grid", grid)
    with patch.object(module, "_render", wraps=module._render) as render:
        yield render


def test_images_are_those_that_numpy_unpacks():
    packed = np.random.default_rng(0).integers(256, size=(10, 512), dtype=np.uint8)
    data = DSprites(torch.from_numpy(packed), "test")
    index = [3, 9, 0, 3]
    images = data.images(torch.tensor(index))
    assert images.dtype == torch.float32
    np.testing.assert_array_equal(
        images.numpy(), np.unpackbits(packed[index], axis=1).reshape(4, *DSprites.image_shape)
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_images_are_the_same_on_a_gpu():
    packed = torch.randint(256, (10, 512), dtype=torch.uint8, generator=torch.manual_seed(0))
    data, index = DSprites(packed, "test"), torch.tensor([3, 9, 0, 3])
    images = data.to("cuda").images(index)
    assert images.is_cuda
    assert torch.equal(images.cpu(), data.images(index))


def test_every_example_has_its_factors(dsprites: DSprites):
    assert len(dsprites) == len(DSprites.grid) == 737_280
    index = torch.tensor([0, 1, 32, 1024, 40 * 1024, 6 * 40 * 1024, 737_279])
    assert dsprites.factors(index).tolist() == [
        *([0, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 1, 0], [0, 0, 1, 0, 0]),
        *([0, 1, 0, 0, 0], [1, 0, 0, 0, 0], [2, 5, 39, 31, 31]),
    ]


def test_images_show_their_factors(dsprites: DSprites):
    """Position by the centre of mass, scale by the area, each to half a class."""
    index = torch.from_numpy(DSprites.grid.stratified(2000, np.random.default_rng(0)))
    index = index[index < 2 * 240 * 1024]  # squares and ellipses, symmetric about their centres
    images = dsprites.images(index)[:, 0]
    shape, scale, _, x, y = dsprites.factors(index).T
    area, centre = images.sum((1, 2)), torch.arange(64) + 0.5
    found_x, found_y = images.sum(1) @ centre / area, images.sum(2) @ centre / area
    torch.testing.assert_close(found_x, 16 + 32 * x / 31, atol=0.5, rtol=0)
    torch.testing.assert_close(found_y, 16 + 32 * y / 31, atol=0.5, rtol=0)
    size = (area / torch.tensor([4, torch.pi])[shape]).sqrt()
    torch.testing.assert_close(size, 9.6 * (0.5 + 0.1 * scale), atol=0.48, rtol=0)


def test_the_rendering_is_made_once(rendered: Mock, tmp_path: Path):
    first, second = load(cache=tmp_path), load(cache=tmp_path)
    assert rendered.call_count == 1
    assert torch.equal(first.packed, second.packed)
    assert first.checksum == second.checksum
    assert first.source == "dSprites, rendered"


@pytest.mark.usefixtures("rendered")
def test_the_environment_names_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MRTC_CACHE", str(tmp_path / "new" / "folder"))
    load()
    assert (tmp_path / "new" / "folder" / CACHE_NAME).exists()


def flip_a_bit(whole: bytes) -> bytes:
    return whole[:-1000] + bytes([whole[-1000] ^ 1]) + whole[-999:]


def of_another_version(whole: bytes) -> bytes:
    return whole.replace(b"rendering 1", b"rendering 0")


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_bit,
        of_another_version,
        lambda w: w[:-1],
        lambda w: w + b"\0",
        lambda w: bytes(len(w)),
        lambda _: b"",
    ],
    ids=["damaged", "of another version", "truncated", "too long", "foreign", "empty"],
)
def test_a_cache_that_is_not_whole_is_made_again(damage, rendered: Mock, tmp_path: Path):
    whole = load(cache=tmp_path).packed.clone()  # for the file below it is written over
    cache = tmp_path / CACHE_NAME
    before = cache.read_bytes()
    cache.write_bytes(damage(before))

    again = load(cache=tmp_path)

    assert rendered.call_count == 2
    assert torch.equal(again.packed, whole)
    assert cache.read_bytes() == before


def test_two_at_once_render_once(rendered: Mock, tmp_path: Path):
    """Both find no cache; the second waits for the first instead of rendering too."""
    render = rendered._mock_wraps
    rendered.side_effect = lambda file, **options: time.sleep(0.3) or render(file, **options)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: load(cache=tmp_path, quiet=True), range(2))
    assert rendered.call_count == 1
    assert torch.equal(first.packed, second.packed)


def test_a_whole_cache_is_opened_without_writing(rendered: Mock, tmp_path: Path):
    load(cache=tmp_path)
    with patch.object(module, "FileLock", side_effect=PermissionError):
        load(cache=tmp_path)  # a warning would be an error here
    assert rendered.call_count == 1


@pytest.mark.usefixtures("rendered")
def test_a_folder_that_cannot_be_made_costs_a_warning_only(tmp_path: Path):
    file = tmp_path / "file"
    file.touch()
    with pytest.warns(UserWarning, match="cannot be kept in .*file.*MRTC_CACHE"):
        data = load(cache=file)
    assert len(data) == len(DSprites.grid)


@pytest.mark.usefixtures("rendered")
def test_a_full_disk_costs_a_warning_only(tmp_path: Path):
    kept = load(cache=tmp_path / "kept")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with (
        patch("os.fsync", side_effect=full),
        pytest.warns(UserWarning, match="the disk is full"),
    ):
        data = load(cache=tmp_path / "full")
    assert torch.equal(data.packed, kept.packed)
    assert not (tmp_path / "full" / CACHE_NAME).exists()


@pytest.mark.usefixtures("rendered")
def test_the_bar_is_shown_on_standard_error_if_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    load(cache=tmp_path / "a", quiet=True)
    assert capsys.readouterr() == ("", "")
    load(cache=tmp_path / "b", quiet=False)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "rendering dSprites: 6/6 sprites" in shown.err
