"""One of several processes that train the toy model together; not a test, but started by one."""

import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from mrtc.errors import MrtcError
from mrtc.objectives import ObjectiveConfig
from mrtc.training import TrainingConfig, TrainingState, train

sys.path.insert(0, str(Path(__file__).parents[1]))  # a package may have installed another `tests`
from toys import Crosses, small_vae


@dataclass(frozen=True)
class DoubleCrosses(Crosses):
    """In float64, so that sums in another order differ in digits that nobody compares.

    Training sees each mirrored or not: which, must not depend on the number of processes.
    """

    def images(self, index: torch.Tensor) -> torch.Tensor:
        return super().images(index).double()

    def draw(self, index: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        is_mirrored = torch.rand(len(index), 1, 1, 1, generator=generator) < 0.5
        images = self.images(index)
        return torch.where(is_mirrored, images.flip(3), images)


def fit(
    name: str,
    groups: str,
    steps: int,
    batch: int,
    out: Path | None = None,
    accumulate: int | None = None,
) -> dict:
    """Trains for some steps; returns, and saves, weights and history."""
    torch.set_num_threads(1)
    objective = ObjectiveConfig(name, groups=groups if groups == "example" else int(groups))
    config = TrainingConfig(steps=steps, batch=batch, learning_rate=0.01, accumulate=accumulate)
    vae = small_vae().double()
    saved = []

    def save(state: TrainingState) -> None:
        saved.append(state.step)
        if out is not None:
            torch.save({"weights": vae.state_dict(), "history": state.history}, out)

    state = train(
        *(vae, DoubleCrosses(), objective, config),
        seed=0,
        device=torch.device("cpu"),
        precision="fp32",
        save=save,
        quiet=True,
    )
    return {"weights": vae.state_dict(), "history": state.history, "saved": saved}


if __name__ == "__main__":
    name, groups, steps, batch, out, *accumulate = sys.argv[1:]
    try:
        done = fit(name, groups, int(steps), int(batch), Path(out), *map(int, accumulate))
    except MrtcError as error:
        sys.exit(f"mrtc: {error}")
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    sys.stdout.write(f"saved {len(done['saved'])}\n")
