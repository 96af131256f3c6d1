"""Data without known factors, in parts: what works, and what is refused."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mrtc.datasets.binarized_mnist import BinarizedMNIST
from mrtc.experiments import data
from mrtc.results import read
from tests.cli.conftest import Command


@pytest.fixture(autouse=True)
def noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """300 images of noise in each part, in place of digits."""

    def load(_: Path | None, part: str, *, quiet: bool) -> BinarizedMNIST:
        seed = len(part) + quiet  # parts differ
        bits = np.random.default_rng(seed).integers(0, 256, (300, 98), np.uint8)
        return BinarizedMNIST(torch.from_numpy(bits), f"noise, {part}")

    entry = replace(data.DATASETS["binarized-mnist"], load=load)
    monkeypatch.setitem(data.DATASETS, "binarized-mnist", entry)


@pytest.fixture
def trained(mrtc: Command) -> None:
    options = ("--objective", "beta", "--steps", "201", "--batch", "16", "--out", "l.pt", "--quiet")
    done = mrtc("train", "binarized-mnist", "--arch", "linear", *options)
    assert done.status == 0, done.err


@pytest.mark.usefixtures("trained")
def test_it_is_evaluated_on_its_test_part_without_scores_of_factors(mrtc: Command) -> None:
    common = ("--betas", "0.1,1", "--examples", "100", "--quiet")
    done = mrtc("eval", "l.pt", *common)
    assert done.status == 0, done.err
    assert "distortion" in done.out
    assert "mig_chen" not in done.out
    assert re.search(r"^distortion +squared error +\d", done.out, re.M), "the preset's likelihood"
    assert re.search(r"^rate +nats +\d", done.out, re.M)
    results = read(Path("l-scores.h5"))
    assert results.header.source == "noise, test"
    assert results.header.parameters["part"] == "test"
    assert not results.factors
    assert mrtc("eval", "l.pt", *common, "--part", "valid", "--out", "v.h5").status == 0
    assert read(Path("v.h5")).header.source == "noise, valid"


@pytest.mark.usefixtures("trained")
def test_what_needs_factors_or_another_part_is_refused(mrtc: Command) -> None:
    for arguments, words in {
        ("eval-mig", "l.pt"): "has no known factors, so there is no MIG of l.pt",
        ("eval", "l.pt", "--part", "all"): "has no part 'all'; its parts are train, valid, test",
        ("train", "binarized-mnist", "--hidden", "5"): "resnet architecture of this preset has no",
    }.items():
        done = mrtc(*arguments)
        assert done.status == 2, arguments
        assert words in done.err
