"""``--betas auto`` from command to table, and what is refused."""

import re
from pathlib import Path

import pytest

from mrtc.results import ADAPTIVE, read

from .conftest import Command

SMALL = ("--examples", "200", "--quiet", "--device", "cpu")


def test_betas_are_chosen(mrtc: Command, checkpoint: Path) -> None:
    auto = ("--betas", "auto", "--most-betas", "6", "--tolerance", "0.001")
    done = mrtc("eval-mig", checkpoint, *auto, "--out", "mig.h5", *SMALL)
    assert done.status == 0, done.err
    assert "mig.png: 6 betas, best MIG" in done.out
    results = read("mig.h5")
    assert len(results.beta) == 6
    assert results.evaluated.all()
    assert results.header.parameters[ADAPTIVE] == {
        "tolerance": 0.001,
        "most_betas": 6,
        "refined": ["rate", "distortion", "mig_chen"],
    }
    assert mrtc("plot", "mig.h5", "--kind", "rd").status == 0


def test_scores_go_by_rate_and_distortion(mrtc: Command, checkpoint: Path) -> None:
    auto = ("--betas", "auto", "--most-betas", "5", "--metrics", "sap_continuous")
    command = ("eval", checkpoint, *auto, "--out", "s.h5", *SMALL)
    done = mrtc(*command)
    assert done.status == 0, done.err
    assert read("s.h5").header.parameters[ADAPTIVE]["refined"] == ["rate", "distortion"]
    assert mrtc(*command).out == done.out  # goes on, with nothing left to do
    done = mrtc(*command, "--refine", "active_units", "--force")
    assert done.status == 0, done.err
    assert read("s.h5").header.parameters[ADAPTIVE]["refined"] == ["active_units"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--tolerance", "0.1"), "--tolerance 0.1 is of adaptive grids, and the betas are left"),
        (("--betas", "1", "--most-betas", "9"), "--most-betas 9 is of adaptive grids, .* are 1"),
        (("--betas", "auto", "--tolerance", "0"), "choose one between 0 and 1"),
        (("--betas", "auto", "--most-betas", "3"), "allow at least 5"),
        (("--betas", "auto", "--refine", "nonsense"), "cannot go by nonsense"),
        (("--betas", "automatic"), "'automatic' in 'automatic' is not a number; write a grid as"),
    ],
)
def test_what_is_refused(
    mrtc: Command, checkpoint: Path, options: tuple[str, ...], message: str
) -> None:
    done = mrtc("eval-mig", checkpoint, *options, *SMALL)
    assert done.status == 2
    assert re.search(message, done.err)
