"""Runs of a second."""

from dataclasses import replace
from pathlib import Path

import pytest

from mrtc.datasets.dsprites import DSprites
from mrtc.experiments import RunConfig, preset
from mrtc.experiments.tasks import Protocol


@pytest.fixture
def tiny(dsprites: DSprites) -> RunConfig:
    """Five steps of eight hidden features; the rendering of dSprites is made before it."""
    assert len(dsprites)
    config = preset("dsprites", "quick", "tcvae")
    return replace(
        config,
        model=replace(config.model, hidden=8, codes=3),
        training=replace(config.training, steps=5, batch=16),
    )


@pytest.fixture
def protocol() -> Protocol:
    """On 200 images."""
    return Protocol(examples=200, keep=100, device="cpu", precision="fp32")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where runs go."""
    return tmp_path / "runs"
