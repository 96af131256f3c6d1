"""``mrtc report``, as somebody who shows results uses it."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mrtc.cli.app import app
from mrtc.results.pictures import read_pictures

pytest.importorskip("plotly", reason="reports need plotly: pip install 'mrtc[report]'")
EVALUATED = ("--betas", "0.1,1,10", "--metrics", "active_units", "--examples", "200", "--quiet")
Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    return lambda *arguments: CliRunner().invoke(app, ["report", *map(str, arguments)])


@pytest.fixture
def results(mrtc: Callable[..., object], checkpoint: Path, tmp_path: Path) -> Path:
    out = tmp_path / "multi.h5"
    mrtc("eval", checkpoint, *EVALUATED, "--out", out)
    return out


def test_an_evaluation_keeps_pictures(
    mrtc: Callable[..., object], checkpoint: Path, tmp_path: Path
):
    mrtc("eval", checkpoint, *EVALUATED, "--out", tmp_path / "kept.h5", "--pictures", "2")
    kept = read_pictures(tmp_path / "kept.h5")
    assert kept is not None
    assert kept.beta.tolist() == [0.1, 10.0]


def test_a_report_stands_beside_its_results(run: Run, results: Path, checkpoint: Path) -> None:
    assert run(results, "--quiet").exit_code == 0
    place = results.with_name("multi-report.html")
    assert "There are no pictures in" in place.read_text("utf-8")
    done = run(results, "--checkpoint", checkpoint, "--pictures", "2", "--quiet")
    assert done.exit_code == 0, done.output
    assert str(place) in done.output
    assert " MB" in done.output
    assert "There are no pictures in" not in place.read_text("utf-8")


def test_what_cannot_be_shown_is_one_message(run: Run, results: Path, checkpoint: Path) -> None:
    for arguments, words in (
        (("missing.h5",), "cannot read missing.h5"),
        ((checkpoint, "--out", "a.html"), "give the .h5 file that `mrtc eval"),
        ((results, "--out", "a.pdf"), "name a file that ends in .html or .htm"),
        ((results, results), "given twice"),
        ((results, "--checkpoint", results), "give a checkpoint that `mrtc train` wrote"),
    ):
        done = run(*arguments)
        assert done.exit_code == 2
        assert words in done.output
        assert "Traceback" not in done.output


def test_without_plotly_it_says_what_to_install(
    run: Run, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "mrtc.report.page.find_spec", lambda name: None if name == "plotly" else find(name)
    )
    done = run(results)
    assert done.exit_code == 2
    assert "reports need plotly, which is not installed; install it with `pip inst" in done.output
