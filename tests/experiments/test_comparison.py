"""What a comparison says beside its numbers: slopes, remarks, the page and its files."""

from pathlib import Path

import numpy as np
import pandas as pd

from mrtc.experiments.compare import compare_runs
from mrtc.experiments.comparison_report import report, slope_table, write
from mrtc.results import VARIABLES, Variable
from tests.evaluation.test_compare import BETAS, runs

TCVAE = {"objective.name": "tcvae"}


def test_slopes_are_those_of_each_kind() -> None:
    """At the optimum the ratio is 1; of a distortion that falls twice as fast it is 2."""
    ours, theirs = runs("multi-rate"), runs("baselines")
    theirs.values["distortion"][0] = 2 * theirs.values["distortion"][0]
    compared = compare_runs(ours, theirs)
    table = slope_table(compared.slopes)
    assert table.groupby("runs").size().to_dict() == {"multi-rate": 3, "baselines": 3}
    assert set(table[table.runs == "multi-rate"]["slope / beta"]) == {"1 1 1"}
    assert set(table[table.runs == "multi-rate"]["off"]) == {"0 of 3"}
    assert set(table[table.runs == "baselines"]["slope / beta"]) == {"2 1 1"}
    assert set(table[table.runs == "baselines"]["off"]) == {"1 of 3"}
    assert "## Slopes" in report(compared)


def test_the_slope_test_needs_no_baseline(tmp_path: Path) -> None:
    ours, theirs = runs("multi-rate", config=TCVAE), runs("baselines", config=TCVAE)
    ours.values["total_correlation"] = ours.values["rate"] - 3
    nats = Variable("total_correlation", ("beta",), "nats", "total correlation", "Chen et al.")
    ours.variables["total_correlation"] = nats
    compared = compare_runs(ours, theirs)
    assert compared.slopes.keys() == {"multi-rate"}
    (remark,) = [remark for remark in compared.remarks if "slope" in remark]
    assert remark.startswith("no slope test: the baselines results hold no total_correlation")
    before = list(compared.remarks)
    written = {path.name for path in write(compared, tmp_path)}
    assert {"slopes.png", "slopes.csv", "comparison.md", "mig_chen-difference.png"} <= written
    assert compared.remarks == before
    assert pd.read_csv(tmp_path / "slopes.csv").runs.unique().tolist() == ["multi-rate"]


def test_without_slopes_there_is_no_picture_of_them(tmp_path: Path) -> None:
    compared = compare_runs(runs("multi-rate", config=TCVAE), runs("baselines", config=TCVAE))
    written = {path.name for path in write(compared, tmp_path)}
    assert "slopes.png" not in written
    assert "## Slopes" not in report(compared)
    one = BETAS[:1]
    compared = compare_runs(runs("multi-rate", beta=one), runs("baselines", beta=one))
    assert "slopes.png" not in {path.name for path in write(compared, tmp_path / "one")}


def test_what_differs_and_what_failed_is_told() -> None:
    ours = runs("multi-rate", (0, 1), config={"objective.name": "beta", "training.steps": 8})
    theirs = runs("baselines", (3, 4), config={"objective.name": "beta", "training.steps": 9})
    for values in theirs.values.values():
        values[0, 1] = np.nan
    theirs.failures[3, 1.0] = "it diverged"  # type: ignore[index] -- a dict, in tests
    page = report(compare_runs(ours, theirs))
    assert "differ in training.steps: 8 (multi-rate), 9 (baselines)" in page
    assert "baselines run of seed 3 at beta 1 failed: it diverged" in page
    assert "seeds do not pair ([0, 1] and [3, 4])" in page
    assert VARIABLES["rate"].unit in page


def test_one_seed_is_no_pair_and_nothing_is_said_of_pairs() -> None:
    remarks = compare_runs(runs("multi-rate", (0,)), runs("baselines", (0,))).remarks
    assert len([remark for remark in remarks if "there is one seed of" in remark]) == 2
    assert not any("do not pair" in remark for remark in remarks)
