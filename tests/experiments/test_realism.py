"""Which distances are asked for, and from a checkpoint to scores in its results file."""

from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import nn

from mrtc.errors import ResultsError
from mrtc.evaluation.feature_networks import FeatureNetwork
from mrtc.evaluation.realism_config import RealismConfig
from mrtc.evaluation.realism_samples import Sampler
from mrtc.experiments import RunConfig, evaluate, run
from mrtc.experiments import realism as experiment
from mrtc.experiments.data import load_for
from mrtc.experiments.realism import distances_asked, evaluate_realism, renamed
from mrtc.metrics.catalogue import choose

BETAS = np.array([0.5, 4.0])
SMALL = RealismConfig(samples=60, reference_examples=100, subsets=2, subset_size=20)


class Rows(nn.Module):
    """The mean of every eighth of an image, by rows."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images[:, 0].float().reshape(len(images), 8, -1).mean(2) / 255


@pytest.fixture
def checkpoint(tiny: RunConfig, tmp_path: Path) -> Path:
    path = tmp_path / "ckpt.pt"
    run(tiny, out=path, device="cpu", quiet=True)
    return path


def evaluated(checkpoint: Path) -> Path:
    out = checkpoint.with_suffix(".h5")
    common = {"examples": 100, "keep": 100, "device": "cpu", "quiet": True}
    evaluate(checkpoint, out, betas=BETAS, **common)
    return out


def test_names_say_which_network_unless_one_is_named():
    assert distances_asked(["rate", "kid", "fid"]) == {"inception": ("kernel", "frechet")}
    lite = {"efficientnet-lite0": ("frechet",)}
    assert distances_asked(["frechet_efficientnet_lite0"]) == lite
    assert distances_asked(["fid"], "efficientnet-lite0") == lite
    assert list(distances_asked(choose("realism"))) == ["inception", "efficientnet-lite0"]
    both = {"inception": ("frechet", "kernel")}
    assert distances_asked(choose("realism"), "inception") == both
    assert distances_asked(choose("all")) == {}
    assert renamed(["fid"], "efficientnet-lite0") == {"fid": "frechet_efficientnet_lite0"}
    assert renamed(choose("realism"), "efficientnet-lite0") == {}
    assert renamed(["fid", "rate"], None) == renamed(["fid", "rate"], "inception") == {}


def test_scores_are_added_to_the_evaluation_and_kept(checkpoint: Path):
    out = evaluated(checkpoint)
    network = FeatureNetwork("rows", Rows())
    common = {"config": SMALL, "device": "cpu", "quiet": True}
    results = evaluate_realism(checkpoint, out, network, **common)
    assert np.isfinite(results.scores["frechet_rows"].value).all()
    assert np.isfinite(results.metric("rate")).all()
    before = out.read_bytes()
    with patch.object(Sampler, "features", side_effect=AssertionError):
        evaluate_realism(checkpoint, out, network, **common)
    assert out.read_bytes() == before


@pytest.mark.parametrize("part", [None, "valid"])
def test_the_reference_is_the_training_part_unless_another_is_named(
    checkpoint: Path, part: str | None
):
    """``load_images`` takes no part for that of training, not for the one of the file."""
    out = evaluated(checkpoint)
    with patch.object(experiment, "load_images", wraps=without_part) as load:
        evaluate_realism(
            *(checkpoint, out, FeatureNetwork("rows", Rows())),
            config=SMALL,
            part=part,
            device="cpu",
            quiet=True,
        )
    assert [call.kwargs["part"] for call in load.call_args_list] == [part]


def without_part(config: RunConfig, *where: object, part: str | None, quiet: bool) -> object:
    """dSprites has no parts."""
    assert part in {None, "valid"}
    return load_for(config, *where, quiet=quiet)


def test_results_of_another_model_are_refused(checkpoint: Path, tiny: RunConfig, tmp_path: Path):
    other = tmp_path / "other.pt"
    run(replace(tiny, seed=1), out=other, device="cpu", quiet=True)
    with pytest.raises(ResultsError, match="is of other weights than"):
        evaluate_realism(other, evaluated(checkpoint), FeatureNetwork("rows", Rows()))
