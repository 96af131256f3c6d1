"""Trains models that have batch normalisation, together or killed; not a test, but started by one.

``normed_worker.py together FOLDER`` is one of several processes that train every model together;
``normed_worker.py killed FOLDER`` trains one whole, and one that is killed again and again.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

import mrtc.training.loop as loop
from mrtc.architectures import NVAEConfig, build_networks
from mrtc.architectures.conv import ConvConfig
from mrtc.architectures.design import IMAGE, Conv, Design
from mrtc.architectures.image_networks import ImageDecoder, ImageEncoder
from mrtc.hierarchical_vae import HierarchicalVAE
from mrtc.layers.batch_norm import WholeBatchNorm1d, WholeBatchNorm2d
from mrtc.layers.checkpointing import recompute_activations
from mrtc.objectives import ObjectiveConfig
from mrtc.randomness import torch_stream
from mrtc.rates import BetaRange
from mrtc.training import TrainingConfig, TrainingState, train
from mrtc.training.state import Checkpoint
from mrtc.vae import VAE

sys.path.insert(0, str(Path(__file__).parents[1]))  # a package may have installed another `tests`
from hierarchies import SMALL
from toys import SHAPE, Crosses

CPU = torch.device("cpu")
FLOWING = NVAEConfig(**{**vars(SMALL), "flows": 1})
NORMED = Design(
    encoder=(Conv(4, 4), Conv(6, 4)),
    encoder_dense=(10,),
    start=(6, 2),
    decoder=(Conv(4, 4),),
    output=Conv(IMAGE, 4),
    batch_norm=True,
)

MODELS: dict[str, tuple[NVAEConfig | ConvConfig, int | str]] = {
    "hierarchy": (SMALL, "example"),
    "hierarchy-groups": (SMALL, 4),
    "flow": (FLOWING, 1),
    "conv": (ConvConfig(3), 4),
}
"""Configuration, and groups of one beta each."""
BETAS = BetaRange(0.1, 10.0)
STEPS, BATCH = 3, 16
LONG = 6
KILLED_AT = (1, 5)
"""In the middle of these steps, counted from 1, of runs that save now and then only."""


def make(name: str) -> VAE:
    """Untrained; its weights depend on nothing but the name's model."""
    config, _ = MODELS[name]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.set_state(torch_stream(0, "normed").get_state())
        if isinstance(config, NVAEConfig):
            return HierarchicalVAE(*build_networks(SHAPE, config), BETAS)
        encoder = ImageEncoder(1, SHAPE[-1], NORMED, config)
        return VAE(encoder, ImageDecoder(1, NORMED, config), config.codes, BETAS)


def fit(
    name: str,
    vae: VAE,
    state: TrainingState | None = None,
    save: Callable[[TrainingState], None] = lambda _: None,
    steps: int = STEPS,
) -> TrainingState:
    return train(
        *(vae, _Examples(next(vae.parameters()).dtype)),
        ObjectiveConfig("beta", groups=MODELS[name][1]),
        TrainingConfig(steps=steps, batch=BATCH, learning_rate=0.01),
        seed=0,
        device=CPU,
        precision="fp32",
        state=state,
        save=save,
        quiet=True,
    )


class _Examples(Crosses):
    """Crosses, as numbers of some precision."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        object.__setattr__(self, "dtype", dtype)

    def images(self, index: torch.Tensor) -> torch.Tensor:
        return super().images(index).to(self.dtype)


def batches(layer: str) -> list[torch.Tensor]:
    """Three, far from zero, where means of squares lose the variance in float32."""
    shape = (12, 3) if layer == "1d" else (12, 3, 2, 5)
    stream = torch_stream(0, "batches", layer)
    return [1000 * at + torch.randn(shape, generator=stream) for at in (1, -2, 3)]


def normalise(layer: str, momentum: float | None, rank: int, processes: int) -> dict:
    """What one process of several gets of the batches, forward and backward."""
    kind = {"1d": WholeBatchNorm1d, "2d": WholeBatchNorm2d}[layer]
    return exercise(kind(3, momentum=momentum), batches(layer), rank, processes)


@torch.no_grad()
def set_weights(norm: nn.Module) -> None:
    norm.weight.copy_(torch.tensor([1.0, -2.0, 0.5]))
    norm.bias.copy_(torch.tensor([0.3, 0.0, -1.0]))


def exercise(norm: nn.Module, whole: list[torch.Tensor], rank: int, processes: int) -> dict:
    """A pass and its gradient for each batch; the first of several does one more, alone."""
    set_weights(norm)
    found: dict[str, list[torch.Tensor]] = {"out": [], "grad": []}
    for batch in whole:
        x = batch.chunk(processes)[rank].clone().requires_grad_()
        out = norm(x)
        # Of no symmetry: the weights of a sum are another function of the example.
        towards = torch.linspace(-1, 2, batch.numel()).view(batch.shape).chunk(processes)[rank]
        (out * towards).square().sum().backward()
        found["out"].append(out.detach())
        found["grad"].append(x.grad)
    weights = {"weight": norm.weight.grad, "bias": norm.bias.grad}
    state = {key: value.clone() for key, value in norm.state_dict().items()}
    if rank == 0 and processes > 1:  # without gradients it waits for nobody
        with torch.no_grad():
            weights["alone"] = norm(whole[0])
    return found | weights | {"state": state}


def together(folder: Path) -> None:
    for name in MODELS:
        vae = make(name).double()
        # Statistics that are exchanged, are so again when activations are computed again.
        with recompute_activations(vae, on=name == "hierarchy-groups"):
            state = fit(name, vae)
        found = {"weights": vae.state_dict(), "history": state.history}
        torch.save(found, folder / f"{name}-{os.environ['RANK']}.pt")
    rank, processes = torch.distributed.get_rank(), torch.distributed.get_world_size()
    for layer in ("1d", "2d"):
        for momentum in (0.05, None):
            found = normalise(layer, momentum, rank, processes)
            torch.save(found, folder / f"{layer}-{momentum}-{rank}.pt")


def killed(folder: Path) -> None:
    """Each run is a child of this process, which has not computed anything."""
    loop.SECONDS_BETWEEN_SAVES = 5
    readings = iter(range(10**6))
    loop.time.monotonic = lambda: float(next(readings))  # with each reading a second goes by
    _child(lambda: _run(folder / "whole.pt"))
    for step in KILLED_AT:
        _child(lambda step=step: _run(folder / "killed.pt", kill_at=step))
    _child(lambda: _run(folder / "killed.pt"))


def _child(run: Callable[[], None]) -> None:
    child = os.fork()
    if not child:
        run()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
    sys.stdout.flush()


def _run(out: Path, kill_at: int | None = None) -> None:
    vae, state = make("hierarchy"), TrainingState()
    if out.exists():
        checkpoint = Checkpoint.load(out)
        vae.load_state_dict(checkpoint.weights)
        state = checkpoint.state
    sys.stdout.write(f"from {state.step} ")
    sys.stdout.flush()
    if kill_at is not None:
        at_backward(vae, kill_at - state.step, lambda: os.kill(os.getpid(), signal.SIGKILL))
    save = lambda state: Checkpoint("", vae.state_dict(), state).save(out)  # noqa: E731
    fit("hierarchy", vae, state, save, LONG)


def at_backward(vae: VAE, count: int, act: Callable[[], None]) -> None:
    """Calls ``act`` in the middle of a step: when its gradient has come half of the way."""
    steps = iter(range(1, 10**6))

    def hook(_: torch.Tensor) -> None:
        if next(steps) == count:
            act()

    vae.decoder.start.register_hook(hook)


if __name__ == "__main__":
    torch.set_num_threads(1)
    what, folder = sys.argv[1:]
    try:
        {"together": together, "killed": killed}[what](Path(folder))
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
