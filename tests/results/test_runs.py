"""Runs side by side: what goes where, what is refused, and what comes back from the file."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from mrtc.errors import ResultsError
from mrtc.results import (
    Header,
    Results,
    collect,
    is_runs_file,
    open_writer,
    read,
    read_runs,
    require_comparable,
    write_runs,
)

CONFIG = {
    "dataset": "dsprites",
    "likelihood": "bernoulli",
    "objective": {"name": "tcvae", "groups": 1},
    "model": {"kind": "mlp", "codes": 2, "hidden": 8, "gated": "none"},
    "training": {"steps": 10},
}


def evaluation(
    path: Path, betas: np.ndarray, seed: int, *, source: str = "toys", **changes: object
) -> Results:
    """Rate 10 seed + beta, distortion 5 - beta, at each beta; a baseline if there is one beta."""
    low, high = (betas[0], betas[0]) if len(betas) == 1 else (0.1, 10.0)
    config = CONFIG | {"seed": seed, "betas": {"low": float(low), "high": float(high)}} | changes
    header = Header(
        beta=betas,
        num_codes=2,
        factors=("x",),
        config=config,
        fingerprint=f"run {seed} {betas}",
        seed=0,
        source=source,
        parameters={"examples": None, "precision": "fp32" if seed else "bf16"},
        cost={"steps": 10, "examples": 160, "seconds": 2.0 + seed, "parameters": 7},
    )
    with open_writer(path, header) as writer:
        for at, beta in enumerate(betas.tolist()):
            values = {"rate": 10.0 * seed + beta, "distortion": 5 - beta}
            writer.write(at, values | {"rate_code": np.array([beta, seed])})
    return read(path)


@pytest.fixture
def baselines(tmp_path: Path) -> list[Results]:
    """Betas 0.5 and 2, seeds 0 and 3, in no order; one of the four is missing."""
    cells = [(2.0, 3), (0.5, 0), (2.0, 0)]
    return [evaluation(tmp_path / f"{b}-{s}.h5", np.array([b]), s) for b, s in cells]


def test_every_run_has_its_place(baselines: list[Results]) -> None:
    runs = collect(baselines, {(3, 0.5): "it diverged"})
    assert runs.kind == "baselines"
    assert runs.beta.tolist() == [0.5, 2.0]
    assert runs.seed.tolist() == [0, 3]
    np.testing.assert_array_equal(runs.value("rate"), [[0.5, 2.0], [np.nan, 32.0]])
    np.testing.assert_array_equal(runs.value("rate_code")[0, 1], [2.0, 0.0])
    np.testing.assert_array_equal(runs.cost["seconds"], [[2.0, 2.0], [np.nan, 5.0]])
    np.testing.assert_array_equal(runs.has_value(), [[True, True], [False, True]])
    assert "seed" not in runs.config
    assert runs.config["training.steps"] == 10


def test_multirate_runs_cost_once_a_seed(tmp_path: Path) -> None:
    betas = np.array([0.1, 1.0, 10.0])
    runs = collect([evaluation(tmp_path / f"{s}.h5", betas, s) for s in (1, 0)])
    assert runs.kind == "multi-rate"
    assert runs.cost["seconds"].tolist() == [[2.0], [3.0]]
    chosen = runs.at(np.array([1.0, 10.0 * (1 + 1e-9)]))
    np.testing.assert_array_equal(chosen.value("rate"), [[1.0, 10.0], [11.0, 20.0]])
    assert chosen.cost["seconds"].tolist() == [[2.0], [3.0]]
    with pytest.raises(ResultsError, match=r"have no beta 2; they have 0\.1, 1, 10"):
        runs.at(np.array([1.0, 2.0]))


def test_last_digits_of_a_beta_do_not_make_another(tmp_path: Path) -> None:
    runs = [
        evaluation(tmp_path / f"{s}.h5", np.array([b]), s)
        for s, b in enumerate([0.21544346900318834, 0.215443469])
    ]
    assert len(collect(runs).beta) == 1


def test_the_file_holds_the_same(baselines: list[Results], tmp_path: Path) -> None:
    path, runs = tmp_path / "runs.h5", collect(baselines, {(3, 0.5): "it diverged"})
    write_runs(path, runs)
    again = read_runs(path)
    assert is_runs_file(path)
    assert not is_runs_file(baselines[0].path)
    assert not is_runs_file(tmp_path / "nowhere.h5")
    for name in ("kind", "config", "parameters", "source", "num_codes", "factors", "failures"):
        assert getattr(again, name) == getattr(runs, name)
    assert again.variables == runs.variables
    for ours, theirs in ((again.values, runs.values), (again.cost, runs.cost)):
        assert ours.keys() == theirs.keys()
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])
    with h5py.File(path) as file:
        dims = [dim[0].name for dim in file["metrics/rate_code"].dims]
        assert dims == ["/seed", "/beta", "/code"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"training": {"steps": 20}}, r"training\.steps: 10 and 20"),
        ({"likelihood": "squared_error"}, "likelihood: bernoulli and squared_error"),
        ({"source": "other toys"}, "data: toys and other toys"),
    ],
)
def test_runs_that_differ_are_not_put_together(
    changes: dict[str, object], named: str, tmp_path: Path
) -> None:
    one = evaluation(tmp_path / "one.h5", np.array([1.0]), 0)
    two = evaluation(tmp_path / "two.h5", np.array([1.0]), 1, **changes)
    with pytest.raises(ResultsError, match=named):
        collect([one, two])


def test_the_same_run_twice_and_other_grids_are_refused(tmp_path: Path) -> None:
    one = evaluation(tmp_path / "one.h5", np.array([1.0]), 0)
    again = evaluation(tmp_path / "two.h5", np.array([1.0]), 0)
    with pytest.raises(ResultsError, match="are of the same run"):
        collect([one, again])
    dense = evaluation(tmp_path / "dense.h5", np.geomspace(0.1, 10, 5), 0)
    with pytest.raises(ResultsError, match="cannot be put together"):
        collect([dense, one])
    coarse = evaluation(tmp_path / "coarse.h5", np.geomspace(0.1, 10, 3), 1)
    with pytest.raises(ResultsError, match=r"betas: 0\.1 to 10 \(5\) and 0\.1 to 10 \(3\)"):
        collect([dense, coarse])
    with pytest.raises(ResultsError, match="at least one"):
        collect([])


def test_results_of_no_run_are_refused(tmp_path: Path) -> None:
    header = Header(
        beta=np.array([1.0]),
        num_codes=2,
        factors=(),
        config={},
        fingerprint="",
        seed=0,
        source="codes",
        parameters={},
    )
    with open_writer(tmp_path / "codes.h5", header) as writer:
        writer.write(0, {"rate": 1.0})
    with pytest.raises(ResultsError, match="does not say which run"):
        collect([read(tmp_path / "codes.h5")])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"likelihood": "squared_error"}, "likelihood"),
        ({"source": "other toys"}, "data"),
        ({"dataset": "mnist"}, "dataset"),
        ({"objective": {"name": "beta", "groups": 1}}, r"objective\.name"),
        ({"model": {"kind": "mlp", "codes": 3, "gated": "inner"}}, r"model\.codes"),
    ],
)
def test_kinds_that_measure_different_things_are_not_compared(
    changes: dict[str, object], named: str, baselines: list[Results], tmp_path: Path
) -> None:
    gated = {"model": CONFIG["model"] | {"gated": "inner"}}
    dense = evaluation(tmp_path / "dense.h5", np.array([0.5, 2.0]), 0, **(gated | changes))
    with pytest.raises(ResultsError, match=f"cannot be compared: {named}"):
        require_comparable(collect([dense]), collect(baselines))


def test_another_budget_is_told_and_gates_are_not(baselines: list[Results], tmp_path: Path) -> None:
    changes = {
        "model": CONFIG["model"] | {"gated": "inner"},
        "objective": CONFIG["objective"] | {"groups": 8},
        "training": {"steps": 99},
    }
    dense = evaluation(tmp_path / "dense.h5", np.array([0.5, 2.0]), 0, **changes)
    told = require_comparable(collect([dense]), collect(baselines))
    assert told == ["training.steps: 99 (multi-rate), 10 (baselines)"]
