"""One training run, from a configuration to a checkpoint."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from mrtc.architectures import NVAEDecoder, NVAEEncoder, build_networks
from mrtc.datasets.documents import Documents
from mrtc.datasets.vocabulary import Vocabulary
from mrtc.devices import (
    Precision,
    is_first_process,
    processes,
    resolve_device,
    resolve_precision,
)
from mrtc.errors import CheckpointError, MrtcError
from mrtc.experiments.config import RunConfig
from mrtc.experiments.data import DATASETS, Data, load_for
from mrtc.files import claim
from mrtc.hierarchical_vae import HierarchicalVAE
from mrtc.layers import NoiseScale
from mrtc.randomness import torch_stream
from mrtc.training import Checkpoint, TrainingState, train
from mrtc.training.memory import MemoryEstimate, estimate_memory
from mrtc.training.steps import optimizer_of
from mrtc.vae import VAE


def run(
    config: RunConfig,
    out: Path | str,
    *,
    data: Path | str | None = None,
    device: torch.device | str = "auto",
    precision: Precision = "auto",
    resume: bool = False,
    force: bool = False,
    tensorboard: Path | str | None = None,
    quiet: bool = False,
) -> Checkpoint:
    """Trains one model and writes its checkpoint, also every minute on the way.

    Several processes, started by ``torchrun`` or ``accelerate launch``, share every batch and train
    as one would; the first of them writes.

    Args:
        config: The run; its ``precision`` and ``source`` are filled in here.
        out: The checkpoint to write (``.pt``).
        data: The dataset's official file, where it is at hand.
        device: Where to train; the GPU, by default, where there is one.
        precision: Of the networks' matrix products.
        resume: Go on from ``out`` if it is there; begin if it is not.
        force: Overwrite ``out``.
        tensorboard: Folder for a TensorBoard log.
        quiet: Show no progress.

    Raises:
        CheckpointError: If ``out`` cannot be resumed, or is of another run.
        OutputError: If ``out`` exists and neither ``resume`` nor ``force`` is given, or cannot be
            written.
        DivergenceError: If the objective is not finite.
        KeyboardInterrupt: On Ctrl-C or a scheduler's signal, after saving.
    """
    device, out = resolve_device(device), Path(out)
    claim(out, force=force or resume)
    start = Checkpoint.load(out) if resume and out.exists() else None
    examples = load_for(config, data, device, quiet=quiet)
    vocabulary = examples.vocabulary.to_json() if isinstance(examples, Documents) else ""
    if start is not None and start.vocabulary and isinstance(examples, Documents):
        Vocabulary.from_json(start.vocabulary).require_same(examples.vocabulary)
    config = settled(config, examples, resolve_precision(precision, device))
    vae, state = build_vae(config), TrainingState()
    if start is not None:
        require_same_run(config, start, out)
        vae.load_state_dict(start.weights)
        state = start.state

    if vae.groups and not quiet and is_first_process():
        sys.stderr.write(f"mrtc: {_memory(vae, config, device)}\n")

    def save(state: TrainingState) -> None:
        Checkpoint(config.to_json(), vae.state_dict(), state, vocabulary).save(out)

    with _recorder(tensorboard if is_first_process() else None) as record:
        state = train(
            vae,
            examples,
            config.objective,
            config.training,
            seed=config.seed,
            device=device,
            precision=config.precision,
            state=state,
            save=save,
            record=record,
            quiet=quiet,
        )
    return Checkpoint(config.to_json(), vae.state_dict(), state, vocabulary)


def _memory(vae: VAE, config: RunConfig, device: torch.device) -> MemoryEstimate:
    """What a step of each process needs."""
    training = config.training
    return estimate_memory(
        vae,
        training.batch // processes(),
        config.image_shape or DATASETS[config.dataset].image_shape,
        optimizer=partial(optimizer_of, config=training),
        objective=config.objective,
        precision=config.precision,
        accumulate=training.parts,
        checkpointing=bool(training.checkpointing),
        device=device,
    )


def settled(config: RunConfig, examples: Data, precision: Literal["fp32", "bf16"]) -> RunConfig:
    """The run with what is known of it only when its data are there."""
    config = replace(config, precision=precision, source=examples.source)
    if isinstance(examples, Documents):
        return replace(config, tokens=len(examples.vocabulary))
    shape = examples.image_shape if config.dataset == "images" else None
    return replace(config, image_shape=shape)


def build_vae(config: RunConfig) -> VAE:
    """The untrained model of a run, on the CPU; its weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.set_state(torch_stream(config.seed, "weights").get_state())
        shape = config.image_shape or DATASETS[config.dataset].image_shape
        if config.tokens is not None:
            shape = (config.tokens,)
        encoder, decoder = build_networks(shape, config.model)
    noise = None
    if config.likelihood == "gaussian":
        is_learned = config.sigma == "learned"
        sigma = 1.0 if config.sigma == "learned" else config.sigma
        noise = NoiseScale(sigma, is_learned=is_learned, is_gated=not config.is_baseline)
    if isinstance(encoder, NVAEEncoder) and isinstance(decoder, NVAEDecoder):
        return HierarchicalVAE(encoder, decoder, config.betas, config.likelihood)
    return VAE(encoder, decoder, config.model.codes, config.betas, config.likelihood, noise)


def load_vae(path: Path | str) -> tuple[VAE, RunConfig, Checkpoint]:
    """The model of a checkpoint, on the CPU, in evaluation mode.

    Raises:
        CheckpointError: If the file cannot be used.
    """
    checkpoint = Checkpoint.load(Path(path))
    vae, config = model_of(checkpoint, Path(path))
    return vae, config, checkpoint


def model_of(checkpoint: Checkpoint, path: Path) -> tuple[VAE, RunConfig]:
    """The model in a checkpoint, on the CPU, in evaluation mode.

    Raises:
        CheckpointError: If it cannot be made; the message names ``path``.
    """
    config = read_config(checkpoint, path)
    vae = build_vae(config)
    try:
        vae.load_state_dict(checkpoint.weights)
    except RuntimeError as error:
        raise CheckpointError(
            f"the weights in {path} do not fit its configuration: {_brief(error)}; train again, "
            "or use a copy"
        ) from error
    return vae.eval(), config


def read_config(checkpoint: Checkpoint, path: Path) -> RunConfig:
    """The configuration in a checkpoint.

    Raises:
        CheckpointError: If this version of mrtc cannot read it.
    """
    try:
        return RunConfig.from_json(checkpoint.config)
    except ValueError as error:
        if '"kind": "any_model"' in checkpoint.config:
            raise CheckpointError(
                f"{path} is of networks that mrtc did not make, but mrtc.multirate; read it with "
                "mrtc.any_model.load(path, encoder, decoder)"
            ) from error
        raise CheckpointError(
            f"the configuration in {path} cannot be read: {_brief(error)}; use the version of "
            "mrtc that wrote it"
        ) from error


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def require_same_run(config: RunConfig, start: Checkpoint, out: Path) -> None:
    """Checks that the checkpoint ``start``, read from ``out``, is of the run ``config``.

    Raises:
        CheckpointError: If it is of another; the message names what differs.
    """
    found = config.differences(read_config(start, out))
    if found:
        raise CheckpointError(
            f"{out} is of another run: {'; '.join(found)}. Ask for the same run, choose another "
            "--out, or begin anew with --force instead of --resume"
        )


@contextmanager
def _recorder(folder: Path | str | None) -> Iterator[Callable[[int, dict[str, float]], None]]:
    if folder is None:
        yield lambda _step, _terms: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise MrtcError(
            "TensorBoard is not installed; install it with `pip install 'mrtc[tensorboard]'`, or "
            "leave out --tensorboard"
        ) from None
    with SummaryWriter(str(folder)) as writer:

        def record(step: int, terms: dict[str, float]) -> None:
            for name, value in terms.items():
                writer.add_scalar(f"train/{name}", value, step)

        yield record
