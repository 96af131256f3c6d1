"""A batch in parts is the undivided batch, and so is one in parts that processes share."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from mrtc.errors import DivergenceError
from mrtc.objectives import ObjectiveConfig
from mrtc.training import TrainingConfig, TrainingState, train
from mrtc.vae import VAE
from tests.toys import Crosses, small_vae
from tests.training.test_distributed import launch
from tests.training.worker import DoubleCrosses
from tests.training.worker import fit as fit_double

CONFIG = TrainingConfig(steps=3, batch=12, learning_rate=0.01, clip=1.0)


@dataclass(frozen=True)
class InDouble(Crosses):
    """In float64, where sums in another order differ in digits that nobody compares."""

    def images(self, index: torch.Tensor) -> torch.Tensor:
        return super().images(index).double()


def fit(config: TrainingConfig, groups: int | str, examples: Crosses) -> tuple[VAE, TrainingState]:
    vae = small_vae().double()
    state = train(
        *(vae, examples, ObjectiveConfig("beta", groups=groups), config),
        seed=0,
        device=torch.device("cpu"),
        precision="fp32",
        quiet=True,
    )
    return vae, state


@pytest.mark.parametrize(
    ("groups", "parts", "examples"),
    [
        ("example", 3, InDouble()),
        (6, 3, InDouble()),  # groups within a part
        (2, 6, InDouble()),  # parts within a group
        (4, 6, InDouble()),  # neither
        (1, 12, DoubleCrosses()),  # drawn anew at each step
    ],
)
def test_parts_train_as_the_whole(groups: int | str, parts: int, examples: Crosses) -> None:
    whole, expected = fit(CONFIG, groups, examples)
    vae, state = fit(replace(CONFIG, accumulate=parts), groups, examples)
    torch.testing.assert_close(vae.state_dict(), whole.state_dict(), rtol=1e-7, atol=1e-9)
    for ours, theirs in zip(state.history, expected.history, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-9)


def test_processes_share_each_part(tmp_path: Path) -> None:
    """Three parts of four examples, two for each process."""
    out = tmp_path / "weights.pt"
    ended = launch("beta", "4", "5", "12", out, "3")
    assert [status for status, _, _ in ended] == [0, 0], ended
    together, alone = torch.load(out, weights_only=True), fit_double("beta", "4", 5, 12)
    for name, weight in alone["weights"].items():
        torch.testing.assert_close(together["weights"][name], weight, rtol=1e-7, atol=1e-9)


def test_a_part_that_is_not_finite_stops_the_run() -> None:
    class Poisoned(InDouble):
        def images(self, index: torch.Tensor) -> torch.Tensor:
            return super().images(index) / (len(index) != 4)

    with pytest.raises(DivergenceError, match="at step 0, for 4 of 4 examples"):
        fit(replace(CONFIG, accumulate=3), "example", Poisoned())
