"""Numbers of a report against the files that they come from, and against pandas."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mrtc.errors import ResultsError
from mrtc.report.series import Source, gather
from mrtc.results import VARIABLES, RunSet

from .conftest import BETA, make_file, source


def make_runs(values: np.ndarray, kind: str = "baselines") -> RunSet:
    seeds, betas = values.shape
    return RunSet(
        kind=kind,  # type: ignore[arg-type]
        beta=BETA[:betas],
        seed=np.arange(seeds),
        config={"dataset": "dsprites", "likelihood": "bernoulli"},
        parameters={},
        source="dSprites",
        num_codes=4,
        factors=(),
        values={"rate": values},
        variables={"rate": VARIABLES["rate"]},
        cost={name: np.ones_like(values) for name in ("steps", "examples", "seconds")}
        | {"parameters": np.ones_like(values)},
    )


def test_a_file_is_a_series_of_its_evaluated_betas(tmp_path: Path) -> None:
    (one,) = gather([source(make_file(tmp_path / "a.h5", pending=2))])
    np.testing.assert_allclose(one.beta, BETA[:3])
    np.testing.assert_allclose(one.values["rate"], 10 / (1 + BETA[:3]))
    np.testing.assert_allclose(one.high["rate"] - one.low["rate"], 0.5)
    assert "rate_error" not in one.values
    assert one.variables["distortion"].unit == "nats"


def test_shares_are_information_over_entropy(tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.h5")
    (one,) = gather([source(path)])
    results = source(path).content
    assert one.information is not None
    metrics = results.metrics  # type: ignore[union-attr]
    for factor, entropy in enumerate(np.log([3.0, 6.0, 40.0])):
        expected = metrics["information"][..., factor] / entropy
        np.testing.assert_allclose(one.information[..., factor], expected)


def test_single_baselines_are_one_series_behind_the_others(tmp_path: Path) -> None:
    paths = [make_file(tmp_path / f"{beta:g}.h5", np.array([beta])) for beta in (5.0, 0.1)]
    both, multirate = paths, make_file(tmp_path / "m.h5")
    first, second = gather([source(path) for path in (*both, multirate)])
    assert (first.kind, second.kind) == ("multi-rate", "baselines")
    np.testing.assert_allclose(second.beta, [0.1, 5.0])
    np.testing.assert_allclose(second.values["rate"], 10 / (1 + second.beta))
    assert second.information is not None
    assert second.information.shape[0] == 2


def test_runs_are_means_over_their_seeds_with_standard_errors() -> None:
    values = np.random.default_rng(0).random((4, 3))
    values[1:, 1] = np.nan  # one seed is left
    values[0, 2] = np.nan
    (one,) = gather([Source(Path("runs.h5"), make_runs(values))])
    frame = pd.DataFrame(values)
    np.testing.assert_allclose(one.values["rate"], frame.mean())
    np.testing.assert_allclose(one.high["rate"] - one.values["rate"], frame.sem())


def test_a_squared_error_is_not_in_nats(tmp_path: Path) -> None:
    (one,) = gather([source(make_file(tmp_path / "a.h5", likelihood="squared_error"))])
    assert one.variables["distortion"].unit == "squared error"


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    one, other = make_file(tmp_path / "a.h5"), make_file(tmp_path / "b.h5", likelihood="gaussian")
    with pytest.raises(ResultsError, match="likelihood: bernoulli and gaussian; write a report"):
        gather([source(one), source(other)])
    with pytest.raises(ResultsError, match="given twice; give each results file once"):
        gather([source(one), source(one)])
    with pytest.raises(ResultsError, match="nothing to report on; give at least one"):
        gather([])
