"""``mrtc doctor`` on a trained checkpoint: a table, or JSON, and status 0 with findings too."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from mrtc.cli.app import _reporting
from mrtc.cli.doctor import doctor
from mrtc.evaluation.doctor import Finding
from mrtc.training import Checkpoint
from tests.cli.conftest import TINY, Command


def run(*arguments: str | Path) -> Result:
    app = typer.Typer()
    app.command()(_reporting(doctor))
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def broken(checkpoint: Path, tmp_path: Path) -> Path:
    loaded = Checkpoint.load(checkpoint)
    loaded.weights["decoder.second.gate.offset"][:3] = 9.0
    loaded.save(tmp_path / "broken.pt")
    return tmp_path / "broken.pt"


def test_a_table_of_gates_and_findings(broken: Path) -> None:
    done = run(broken)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == f"{broken}: beta 0.1:10"
    rows = {line.split()[0]: line.split()[1:] for line in lines[2:7]}
    assert rows["layer"] == ["gates", "dead", "constant"]
    assert rows["decoder.second"][:2] == ["8", "3"]
    assert "- dead gates, decoder.second: 0.375 share" in lines
    assert "not checked: rate, slope, under-training, batch normalisation" in done.stdout


def test_json_holds_the_same(broken: Path) -> None:
    done = run(broken, "--examples", "20", "--device", "cpu", "--json", "-q")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["betas"] == [0.1, 10.0]
    dead = [finding for finding in found["findings"] if finding["kind"] == "dead gates"]
    assert [(finding["where"], finding["value"]) for finding in dead] == [("decoder.second", 0.375)]
    assert len(found["curve"]["beta"]) == len(found["curve"]["rate"]) == 8
    done = run(broken, "--examples", "20", "--device", "cpu", "-q")
    assert f"{found['curve']['rate'][0]:.3f}" in done.stdout


def test_advice_that_findings_have_in_common_is_said_once(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind the last of those beside each other."""
    advice = ("rest", "rest", "run", "rest")
    found = [Finding("kind", f"layer {n}", 1.0, "nats", "so", a) for n, a in enumerate(advice)]
    monkeypatch.setattr("mrtc.experiments.doctor.gate_findings", lambda _: iter(found))
    lines = [line.strip() for line in run(checkpoint).stdout.splitlines()]
    told = [line for line in lines if line.startswith(("- kind, layer", "what to do: "))]
    assert [line.split(": ")[1] if "what" in line else line[14] for line in told] == [
        *("0", "1", "rest", "2", "run", "3", "rest"),
    ]


def test_a_baseline_is_refused(mrtc: Command) -> None:
    assert mrtc("train", "dsprites", *TINY, "--beta", "4", "--out", "b.pt").status == 0
    done = run("b.pt")
    assert done.exit_code == 2
    assert "mrtc: b.pt is of a baseline, trained at beta 4 alone" in done.stderr
    done = run("no.pt")
    assert done.exit_code == 2
    assert "there is no checkpoint at no.pt" in done.stderr
