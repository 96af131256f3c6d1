"""``mrtc eval --metrics fid`` and its kin, with a toy in place of the networks."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mrtc.evaluation import feature_networks
from mrtc.evaluation.feature_networks import LOADERS, FeatureNetwork
from mrtc.results import read
from tests.cli.conftest import Command

EVAL = ("--betas", "0.5,4", "--examples", "200", "--quiet", "--out", "r.h5")
SMALL = ("--fid-samples", "40", "--fid-reference-examples", "60")


class Rows(nn.Module):
    """The mean of every eighth of an image, by rows."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images[:, 0].float().reshape(len(images), 8, -1).mean(2) / 255


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LOADERS:
        network = FeatureNetwork(name, Rows())
        monkeypatch.setitem(feature_networks.LOADERS, name, lambda _, network=network: network)


@pytest.mark.usefixtures("networks")
def test_distances_stand_beside_the_other_scores(mrtc: Command, checkpoint: Path):
    names = "rate,fid,kernel_efficientnet_lite0"
    done = mrtc("eval", checkpoint, *EVAL, *SMALL, "--metrics", names)
    assert done.status == 0, done.err
    assert "covariance is singular" not in done.out
    assert "fid: of 40 examples the distance is too high" in done.out
    results = read(Path("r.h5"))
    assert set(results.scores) == {
        *("rate", "soft_active_units", "effective_dimension"),  # one computation
        *("fid", "kernel_efficientnet_lite0"),
    }
    for name in ("fid", "kernel_efficientnet_lite0"):
        assert np.isfinite(results.scores[name].value).all()
        parameters = (results.scores[name].details[0] or {})["parameters"]
        assert (parameters["samples"], parameters["reference_examples"]) == (40, 60)
    before = Path("r.h5").read_bytes()
    assert mrtc("eval", checkpoint, *EVAL, *SMALL, "--metrics", names).status == 0
    assert Path("r.h5").read_bytes() == before


@pytest.mark.usefixtures("networks")
def test_the_distance_of_another_network_is_not_called_fid(mrtc: Command, checkpoint: Path):
    lite = ("--feature-network", "efficientnet-lite0")
    done = mrtc("eval", checkpoint, *EVAL, *SMALL, "--metrics", "fid", *lite)
    assert done.status == 0, done.err
    assert "stored as frechet_efficientnet_lite0 and not to be called fid" in done.err
    assert "frechet_efficientnet_lite0" in done.out
    assert set(read(Path("r.h5")).scores) == {"frechet_efficientnet_lite0"}
    done = mrtc("eval", checkpoint, *EVAL, *SMALL, "--metrics", "realism", *lite)
    assert done.err == ""


def test_missing_weights_are_said_before_anything_is_computed(
    mrtc: Command, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: "nowhere")
    done = mrtc("eval", checkpoint, *EVAL, "--metrics", "fid")
    assert done.status == 2
    assert "the Inception weights of FID are not at nowhere" in done.err
    assert not Path("r.h5").exists()


@pytest.mark.usefixtures("networks")
def test_a_part_that_is_not_there_is_said(mrtc: Command, checkpoint: Path):
    done = mrtc("eval", checkpoint, *EVAL, "--metrics", "fid", "--fid-reference", "all")
    assert done.status == 2
    assert "dsprites has no part 'all'" in done.err
