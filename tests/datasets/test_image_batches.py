"""Image files go into a file of images in their order, by any number of processes."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from mrtc.datasets import image_batches
from mrtc.datasets.conversion import Facts, convert
from mrtc.datasets.decoding import BrokenImageError, Form, decode
from mrtc.datasets.image_batches import for_each
from mrtc.datasets.image_sources import open_images
from mrtc.datasets.stored import open_stored
from mrtc.errors import DataError
from tests.datasets.image_files import cut, encoded, pixels, save

FORM = Form(8, 3)


def convert_folder(folder: Path, path: Path, **options: object) -> None:
    source = open_images(folder)

    facts = Facts(("all",), np.zeros(len(source.names), np.uint8))
    convert(path, source, source.names, FORM, facts, str, advice="mend it", quiet=True, **options)


@pytest.mark.parametrize("workers", [1, 2])
def test_files_are_converted_in_their_order(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """In batches of three, each shared by the processes, of which the last is not full."""
    monkeypatch.setattr(image_batches, "BATCH", 3)
    images = [pixels(8, 8 + at % 4, seed=at) for at in range(7)]
    files = {f"{at}.png": encoded(image) for at, image in enumerate(images)}
    convert_folder(save(tmp_path / "in", files), tmp_path / "a.h5", workers=workers)
    data = open_stored(tmp_path / "a.h5")
    expected = [decode("", file, FORM).pixels for file in files.values()]
    np.testing.assert_array_equal(
        data.images(torch.arange(7)), np.stack(expected).astype(np.float32) / 255
    )
    assert data.source == "((8, 8), (11, 8))"


def test_a_broken_image_is_named_with_its_place(tmp_path: Path):
    files = {f"{at}.png": encoded(pixels(8, 8)) for at in range(9)}
    files["6.png"] = cut(files["6.png"])
    folder = save(tmp_path / "in", files)
    with pytest.raises(DataError, match=r"in: the image 6.png .*; the 6 of 9 images .*; mend it"):
        convert_folder(folder, tmp_path / "a.h5")
    assert not (tmp_path / "a.h5").exists()


def test_batches_end_at_some_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(image_batches, "BATCH_BYTES", 99)
    monkeypatch.setattr(image_batches, "BATCH", 4)
    source = open_images(save(tmp_path, {f"{at:02}.png": bytes(10) for at in range(20)}))
    for held, size in ((0, 4), (23, 4), (30, 3), (200, 1)):
        batches = [*image_batches._batches(source, source.names, held)]
        assert {len(batch) for batch in batches[:-1]} == {size}
        assert [name for batch in batches for name, _ in batch] == [*source.names]


def test_broken_images_are_values(tmp_path: Path):
    files = {"a.png": encoded(pixels(8, 8)), "b.png": b"", "d.png": encoded(pixels(8, 8))}
    source = open_images(save(tmp_path, files))
    (tmp_path / "c.png").symlink_to(tmp_path / "missing")
    names = ["a.png", "b.png", "c.png", "d.png"]
    for workers in (1, 2):
        seen = [*for_each(partial(decode, form=FORM), source, names, 0, workers)]
        assert [isinstance(value, BrokenImageError) for value in seen] == [False, True, True, False]
        assert str(seen[1]).startswith("the image b.png cannot be read (it is none of")
