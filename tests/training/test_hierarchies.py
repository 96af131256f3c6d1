"""Models with batch normalisation: several processes train as one, and a kill changes nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from mrtc.training import TrainingState
from mrtc.vae import VAE
from tests.training import normed_worker as worker
from tests.training.test_distributed import launch

PROCESSES = 2
LAYERS = {"1d": nn.BatchNorm1d, "2d": nn.BatchNorm2d}


def read(path: Path) -> dict:
    return torch.load(path, weights_only=True)


def weights(vae: VAE) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in vae.state_dict().items()}


def require_same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> None:
    assert one.keys() == two.keys()
    assert [name for name in one if not torch.equal(one[name], two[name])] == []


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes wrote that trained every model: they start once for all tests."""
    folder = tmp_path_factory.mktemp("together")
    ended = launch("together", folder, processes=PROCESSES, program="normed_worker.py")
    assert [status for status, _, _ in ended] == [0] * PROCESSES, ended
    return folder


@pytest.mark.parametrize("name", worker.MODELS)
def test_two_processes_train_as_one(name: str, together: Path) -> None:
    """Running statistics included, with a beta for each example, for groups within a process, and
    for all. In float64, where other orders of sums differ by 1e-16, and three steps of Adam make
    1e-10 of it where the true gradient is zero: of biases that normalisation takes out again.
    """
    vae = worker.make(name).double()
    before = weights(vae)
    history = worker.fit(name, vae).history
    for rank in range(PROCESSES):
        found = read(together / f"{name}-{rank}.pt")
        assert found["history"] == [pytest.approx(entry, rel=1e-10) for entry in history]
        assert found["weights"].keys() == vae.state_dict().keys()
        for key, weight in vae.state_dict().items():
            torch.testing.assert_close(found["weights"][key], weight, rtol=1e-8, atol=1e-9)
    after = vae.state_dict()
    moved = [key for key in before if not torch.equal(after[key], before[key])]
    assert len(moved) > 0.9 * len(before)


@pytest.mark.parametrize("momentum", [0.05, None])
@pytest.mark.parametrize("layer", LAYERS)
def test_the_layer_is_that_of_torch_on_the_whole_batch(
    layer: str, momentum: float | None, together: Path
) -> None:
    """Values, gradients and running statistics, in float32 against float64: of values near 1000
    with variance 1, four digits are left, and none by the mean of squares.
    """
    plain = LAYERS[layer](3, momentum=momentum).double()
    expected = worker.exercise(plain, [x.double() for x in worker.batches(layer)], 0, 1)
    parts = [read(together / f"{layer}-{momentum}-{rank}.pt") for rank in range(PROCESSES)]
    for what in ("out", "grad"):
        for step, whole in enumerate(expected[what]):
            found = torch.cat([part[what][step] for part in parts]).double()
            torch.testing.assert_close(found, whole, rtol=1e-3, atol=1e-3)
    for name in ("weight", "bias"):
        total = sum(part[name] for part in parts)
        torch.testing.assert_close(total.double(), expected[name], rtol=1e-3, atol=1e-2)
    require_same(parts[0]["state"], parts[1]["state"])
    for name, value in expected["state"].items():
        torch.testing.assert_close(
            parts[0]["state"][name].to(value.dtype), value, rtol=1e-4, atol=1e-4
        )


def test_a_pass_without_gradients_waits_for_nobody(together: Path) -> None:
    """One process alone made it, on the whole batch, in training mode."""
    for layer, kind in LAYERS.items():
        plain = kind(3)
        with torch.no_grad():
            worker.set_weights(plain)
            expected = plain(worker.batches(layer)[0])
        found = read(together / f"{layer}-0.05-0.pt")
        torch.testing.assert_close(found["alone"], expected)
        assert "alone" not in read(together / f"{layer}-0.05-1.pt")


def test_a_killed_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    """SIGKILL in the middle of steps: what was done since the last save is done again."""
    done = subprocess.run(
        [sys.executable, worker.__file__, "killed", str(tmp_path)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    killed = f"from 0 {-signal.SIGKILL}"
    said = ["from 0 0", *[killed] * len(worker.KILLED_AT), "from 3 0"]
    assert done.stdout.splitlines() == said, done.stderr
    assert worker.KILLED_AT[-1] == 3 + 2  # so one whole step was lost, and half of another
    one, two = (worker.Checkpoint.load(tmp_path / f"{name}.pt") for name in ("whole", "killed"))
    assert one.state.step == two.state.step == worker.LONG
    assert one.state.history == two.state.history
    require_same(dict(one.weights), dict(two.weights))


@pytest.fixture(scope="module")
def unstopped() -> tuple[VAE, TrainingState]:
    vae = worker.make("flow")
    return vae, worker.fit("flow", vae)


@pytest.mark.parametrize("step", range(1, worker.STEPS + 1))
def test_an_interrupt_at_any_step_saves_what_it_goes_on_from(
    step: int, unstopped: tuple[VAE, TrainingState]
) -> None:
    """SIGTERM in the middle of a step: it is finished, saved, and the rest follows bit for bit."""
    whole, final = unstopped
    stopped, saved = worker.make("flow"), []
    worker.at_backward(stopped, step, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(KeyboardInterrupt):
        worker.fit("flow", stopped, save=lambda state: saved.append((weights(stopped), state)))
    ((kept, state),) = saved
    assert state.step == step

    resumed = worker.make("flow")
    resumed.load_state_dict(kept)
    ended: TrainingState = worker.fit("flow", resumed, state)
    require_same(weights(resumed), weights(whole))
    assert ended.history == final.history
