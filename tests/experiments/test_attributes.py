"""Data of which attributes are known: they are stored and scored, though they form no grid."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mrtc.architectures import MLPConfig
from mrtc.datasets.images import ByteImages
from mrtc.errors import MrtcError
from mrtc.evaluation.scoring import score_results
from mrtc.experiments import data, evaluate, preset, run
from mrtc.metrics.mig_histogram import mig_locatello

NAMES = ("left", "bright")


@dataclass(frozen=True, eq=False)
class Halves(ByteImages):
    """Noise with one half lit; two attributes, of which the second is a coin."""

    @property
    def attribute_names(self) -> tuple[str, ...]:
        return NAMES

    def to(self, device: torch.device | str) -> "Halves":
        return Halves(self.pixels.to(device), self.source)

    def attributes(self, index: np.ndarray) -> np.ndarray:
        return np.stack([index % 2, index // 7 % 2], axis=1)


@pytest.fixture(autouse=True)
def halves(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_: Path | None, part: str, *, quiet: bool) -> Halves:
        pixels = np.random.default_rng(len(part) + quiet).integers(0, 40, (400, 1, 28, 28))
        pixels[0::2, ..., :14] += 200
        pixels[1::2, ..., 14:] += 200
        return Halves(torch.from_numpy(pixels.astype(np.uint8)), "halves")

    entry = replace(data.DATASETS["mnist"], load=load)
    monkeypatch.setitem(data.DATASETS, "mnist", entry)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    config = preset("mnist", "quick", arch="mlp")
    training = replace(config.training, steps=300, warmup=0, learning_rate=3e-3)
    model = MLPConfig(hidden=32, codes=4)
    run(replace(config, training=training, model=model), tmp_path / "m.pt", quiet=True)
    return tmp_path / "m.pt"


def test_attributes_are_stored_and_scored(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.h5"
    evaluate(checkpoint, out, betas=np.array([0.01, 1.0]), examples=200, keep=200, quiet=True)
    results = score_results(out, ["mig_locatello", "mig_chen"], quiet=True)
    assert results.factors == NAMES
    moments = results.moments(0)
    index = results.header.index
    np.testing.assert_array_equal(moments.classes, np.stack([index % 2, index // 7 % 2], 1))
    expected = mig_locatello(moments.mean, moments.classes).value
    assert results.scores["mig_locatello"].value[0] == pytest.approx(expected)
    # A code tells the halves apart, and none the coin: the information is of the first alone.
    per_factor = results.scores["mig_chen"].values["_factor"][0]
    assert 0 <= per_factor[1] < 0.05 < per_factor[0], per_factor


def test_an_attribute_that_there_is_not(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(MrtcError, match="no factor smile; choose --factors among left,bright"):
        evaluate(checkpoint, tmp_path / "r.h5", betas=np.array([1.0]), factors=("smile",))


def test_there_is_nothing_to_recalibrate_without_batch_normalisation(
    checkpoint: Path, tmp_path: Path
) -> None:
    with pytest.raises(MrtcError, match="leave out --recalibrate"):
        evaluate(checkpoint, tmp_path / "r.h5", betas=np.array([1.0]), recalibrate=2)
