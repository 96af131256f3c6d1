"""``mrtc find-beta``, on an app that has this command alone."""

import json
from pathlib import Path

import pytest
import typer
from click.testing import Result
from torch import nn
from typer.testing import CliRunner

from mrtc.cli.app import _reporting
from mrtc.cli.find_beta import find_beta
from mrtc.evaluation import feature_networks
from mrtc.evaluation.feature_networks import FeatureNetwork
from tests.cli.conftest import TINY, Command

app = typer.Typer()
app.command("find-beta")(_reporting(find_beta))

SMALL = ("--examples", "300", "--device", "cpu", "--precision", "fp32", "--quiet")


def ask(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def reached(checkpoint: Path, quantity: str) -> tuple[float, float]:
    """Lowest and highest value over the range."""
    done = ask(checkpoint, "--max-distortion", "1e9", *SMALL, "--json")
    if quantity == "rate":
        done = ask(checkpoint, "--target-rate", "1e9", *SMALL)
        words = done.stderr.split("it goes from ")[1].split()
        return float(words[0]), float(words[4])
    values = json.loads(done.stdout)["evaluations"][quantity]["value"]
    return min(values), max(values)


@pytest.fixture
def rate(checkpoint: Path) -> float:
    """In the middle of what the model reaches."""
    return sum(reached(checkpoint, "rate")) / 2


def test_the_answer_says_beta_interval_and_what_comes_next(checkpoint: Path, rate: float) -> None:
    done = ask(checkpoint, "--target-rate", rate, *SMALL)
    assert done.exit_code == 0, done.stderr
    assert "95 % interval" in done.stdout
    said = float(done.stdout.split(": rate ")[1].split(" nats")[0])
    assert said == pytest.approx(rate, rel=0.02)
    assert "betas were measured; next: mrtc freeze" in done.stdout
    beta = done.stdout.split()[1].rstrip(",")
    assert float(done.stdout.split("--beta ")[1]) == pytest.approx(float(beta), rel=1e-3)


def test_the_answer_is_what_mrtc_eval_finds_there(
    mrtc: Command, checkpoint: Path, rate: float
) -> None:
    done = ask(checkpoint, "--target-rate", rate, *SMALL, "--json")
    found = json.loads(done.stdout)
    assert found["rate"]["value"] == pytest.approx(rate, rel=0.02)
    low, high = found["beta"]["interval"]
    assert low <= found["beta"]["value"] <= high
    assert len(found["evaluations"]["beta"]["value"]) <= 12
    beta = found["next"].split("--beta ")[1]
    evaluation = ("--metrics", "rate", "--out", "r.h5", "--json")
    table = json.loads(mrtc("eval", checkpoint, "--betas", beta, *SMALL, *evaluation).out)
    assert table["rate"]["value"][0] == pytest.approx(found["rate"]["value"], rel=1e-4)


def test_a_count_and_a_bound_and_a_best_can_be_asked_for(checkpoint: Path) -> None:
    low, high = reached(checkpoint, "distortion")
    assert low < high
    done = ask(checkpoint, "--max-distortion", (low + high) / 2, *SMALL, "--json")
    assert json.loads(done.stdout)["distortion"]["value"] <= (low + high) / 2
    done = ask(checkpoint, "--best", "elbo", "--within", "0.1:1", *SMALL, "--json")
    found = json.loads(done.stdout)
    assert found["elbo"]["value"] == max(found["evaluations"]["elbo"]["value"])
    done = ask(checkpoint, "--best", "active_units", *SMALL)
    assert done.exit_code == 2
    seen = ask(checkpoint, "--target-active-units", 99, *SMALL)
    assert "has 3 codes, and active_units 99 were asked for" in seen.stderr
    answers = [ask(checkpoint, "--target-active-units", n, *SMALL) for n in range(4)]
    assert any("95 % noise at both ends" in done.stdout for done in answers)
    assert {done.exit_code for done in answers} <= {0, 2}


class Rows(nn.Module):
    """The mean of every eighth of an image, by rows."""

    def forward(self, images):
        return images[:, 0].float().reshape(len(images), 8, -1).mean(2) / 255


def test_a_distance_needs_its_network_and_keeps_its_name(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    missing = ("--fid-weights", tmp_path / "none.pth")
    done = ask(checkpoint, "--target-fid", 1, *missing, *SMALL)
    assert done.exit_code == 2
    assert "the Inception weights of FID are not at" in done.stderr
    lite = FeatureNetwork("efficientnet-lite0", Rows())
    monkeypatch.setitem(feature_networks.LOADERS, "efficientnet-lite0", lambda _: lite)
    few = ("--fid-samples", "40", "--fid-reference-examples", "60")
    network = ("--feature-network", "efficientnet-lite0")
    done = ask(checkpoint, "--best", "fid", *few, *network, *SMALL, "--json")
    assert done.exit_code == 0, done.stderr
    assert "frechet_efficientnet_lite0" in json.loads(done.stdout)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "one goal is needed, and none was given; give one of --target-rate"),
        (("--target-rate", "1", "--best", "mig"), "and --target-rate and --best were given; give"),
        (("--target-rate", "1e9"), "choose a target between"),
        (("--best", "beauty"), "no 'beauty' that can be measured"),
        (("--target-rate", "1", "--within", "0.1:20"), "beta 20 lies outside the trained range"),
        (("--target-rate", "1", "--within", "1"), "'1' is not a range of betas"),
    ],
)
def test_bad_goals_are_one_message(
    checkpoint: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = ask(checkpoint, *arguments, *SMALL)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.count("mrtc: ") == 1
    assert "Traceback" not in done.output


def test_a_baseline_is_refused(mrtc: Command) -> None:
    assert mrtc("train", "dsprites", *TINY, "--beta", "4", "--out", "b.pt").status == 0
    done = ask("b.pt", "--target-rate", "1", *SMALL)
    assert done.exit_code == 2
    assert "b.pt is a baseline, trained at beta 4 alone" in done.stderr


def test_both_places_of_a_target_that_is_met_twice_are_said(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A curve with a valley, in place of the model's."""
    import numpy as np

    from mrtc.evaluation.search_model import PER_EXAMPLE

    def valley(_: object, beta: float) -> np.ndarray:
        return np.log(beta) ** 2 + np.linspace(-0.1, 0.1, 300)

    monkeypatch.setitem(PER_EXAMPLE, "rate", valley)
    done = ask(checkpoint, "--target-rate", "1", *SMALL)
    assert done.exit_code == 0
    first, second = done.stdout.splitlines()[:2]
    assert float(first.split()[1].rstrip(",")) == pytest.approx(1 / np.e, rel=0.01)
    assert second.startswith("also beta 2.7")
    assert "--within LOW:HIGH keeps to one place" in second
    done = ask(checkpoint, "--target-rate", "1", *SMALL, "--json")
    (other,) = json.loads(done.stdout)["others"]
    assert other["beta"]["value"] == pytest.approx(np.e, rel=0.01)


def test_help_has_an_example() -> None:
    done = ask("--help")
    assert done.exit_code == 0
    assert "mrtc find-beta" in done.stdout.split("Options")[0].split("Example")[1]
