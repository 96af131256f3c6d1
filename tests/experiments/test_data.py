"""Datasets by name: what each name loads, and how training sees it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mrtc.datasets.binarised import Binarised
from mrtc.datasets.examples import DrawnExamples, Images
from mrtc.errors import DataError
from mrtc.experiments import RunConfig, preset
from mrtc.experiments.config import DatasetName
from mrtc.experiments.data import DATASETS, load_data, load_for
from mrtc.experiments.presets import PRESETS

CPU = torch.device("cpu")


def test_every_dataset_has_presets_that_fit_its_images() -> None:
    """Each architecture of each preset is built for the images of its dataset."""
    assert set(DATASETS) == set(PRESETS) == set(DatasetName.__args__)
    for dataset, presets in PRESETS.items():
        for name, entry in presets.items():
            for arch in entry.builds:
                config = preset(dataset, name, arch=arch)
                assert (config.dataset, config.preset, config.model.kind) == (dataset, name, arch)
                assert RunConfig.from_json(config.to_json()) == config


def test_the_paper_presets_have_its_budget() -> None:
    """200 epochs of whole batches of 128, the first ten of warm-up: by hand for three sets."""
    steps = {name: preset(name, "paper").training for name in ("binarized-mnist", "cifar10")}
    assert (steps["binarized-mnist"].steps, steps["binarized-mnist"].warmup) == (78_000, 3_900)
    assert steps["cifar10"].batch == 128
    celeba = preset("celeba", "paper")
    assert (celeba.training.steps, celeba.model.codes) == (254_200, 64)
    assert (celeba.likelihood, celeba.model.output) == ("squared_error", "sigmoid")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for at in range(30):
        pixels = rng.integers(0, 256, (20, 26, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{at:02}.png")
    return tmp_path


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MRTC_CACHE", str(tmp_path_factory.mktemp("cache")))


def test_own_images_have_the_size_of_their_run(folder: Path) -> None:
    config = preset("images", "quick")
    images = load_for(config, folder, CPU, quiet=True)
    assert images.image_shape == (3, 64, 64)
    assert len(images) == 27
    assert len(load_for(config, folder, CPU, part="test", quiet=True)) == 3
    small = load_data("images", folder, CPU, size=32, quiet=True)
    assert small.image_shape == (3, 32, 32)


def test_own_images_need_a_place() -> None:
    with pytest.raises(DataError, match="--data PATH"):
        load_data("images", None, CPU)


@pytest.mark.data
@pytest.mark.parametrize("name", ["mnist", "omniglot-28"])
def test_grey_images_are_binarised_anew_in_training(name: str, shared_data: Path) -> None:
    train = load_data(name, shared_data / name.split("-")[0], CPU, quiet=True)
    assert isinstance(train, DrawnExamples)
    index = torch.arange(50)
    once, again = (train.draw(index, torch.manual_seed(seed)) for seed in (0, 1))
    assert set(once.unique().tolist()) == {0.0, 1.0}
    assert not torch.equal(once, again)
    test = load_data(name, shared_data / name.split("-")[0], CPU, part="test", quiet=True)
    assert isinstance(test, Binarised)
    assert torch.equal(test.draw(index, torch.manual_seed(0)), test.images(index))


@pytest.mark.data
def test_faces_are_mirrored_in_training_alone(shared_data: Path) -> None:
    train = load_data("celeba", shared_data / "celeba", CPU, quiet=True)
    assert isinstance(train, DrawnExamples)
    assert train.image_shape == (3, 64, 64)
    valid: Images = load_data("celeba", shared_data / "celeba", CPU, part="valid", quiet=True)
    assert not isinstance(valid, DrawnExamples)
