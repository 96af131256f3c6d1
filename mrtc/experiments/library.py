"""Training by one call: what ``mrtc train`` does, with the same options."""

from pathlib import Path
from typing import Literal

import torch

from mrtc.devices import Precision
from mrtc.distributions import LikelihoodName
from mrtc.experiments.config import RunConfig
from mrtc.experiments.configure import build_config, find_dataset
from mrtc.experiments.one_run import Run
from mrtc.experiments.presets import ArchName
from mrtc.experiments.run import model_of, run
from mrtc.objectives import ObjectiveName, RateSchedule
from mrtc.rates import BetaRange


def train(
    dataset: Path | str,
    *,
    objective: ObjectiveName | None = None,
    arch: ArchName | None = None,
    betas: BetaRange | tuple[float | int, float | int] | str | None = None,
    beta: float | int | None = None,
    preset: str = "quick",
    out: Path | str | None = None,
    data: Path | str | None = None,
    seed: int = 0,
    steps: int | None = None,
    batch: int | None = None,
    learning_rate: float | None = None,
    schedule: Literal["constant", "cosine"] | None = None,
    warmup: int | None = None,
    optimizer: Literal["adam", "adamax"] | None = None,
    accumulate: int | None = None,
    spectral: float | int | None = None,
    checkpointing: bool | None = None,
    hidden: int | None = None,
    codes: int | None = None,
    design: Literal["chadebec", "burgess", "locatello", "chen"] | None = None,
    likelihood: LikelihoodName | None = None,
    sigma: float | Literal["learned"] | str | None = None,
    size: int | None = None,
    skip_broken: bool = False,
    vocabulary_size: int | None = None,
    longest: int | None = None,
    tokenizer: Path | str | None = None,
    train_file: str | None = None,
    sampled_words: int | None = None,
    gated: Literal["inner", "hidden", "all"] | None = None,
    gate_init: Literal["open", "paper"] | None = None,
    estimator: Literal["weighted", "stratified", "in-batch"] | None = None,
    groups: int | str | None = None,
    balance: float | int | None = None,
    rate_schedule: RateSchedule | None = None,
    free_bits: float | int | None = None,
    group_balance: bool | None = None,
    device: torch.device | str = "auto",
    precision: Precision = "auto",
    resume: bool = False,
    force: bool = False,
    tensorboard: Path | str | None = None,
    quiet: bool = False,
) -> Run:
    """Trains one model and writes its checkpoint; the same as ``mrtc train``.

    What is ``None`` is as the preset has it, and ``mrtc train --help`` says what each option is.

    Args:
        dataset: Its name, or the path of your own images or documents.
        objective: ``"beta"`` or ``"tcvae"``.
        arch: Architecture.
        betas: Range of a multi-rate model: ``"0.1:10"`` or ``(0.1, 10)``.
        beta: Train a plain baseline at this one beta instead.
        preset: Where the configuration starts from.
        out: Checkpoint to write (``.pt``); named after data set, objective, preset, betas and
            seed if left out.
        data: The dataset's official file or folder, where it is at hand.
        seed: Of all random numbers.
        steps: Gradient steps.
        batch: Examples in a step.
        learning_rate: Of the optimiser, at its greatest.
        schedule: Of the learning rate.
        warmup: Steps of linear warm-up.
        optimizer: Adam, or Adamax, which hierarchies have.
        accumulate: Parts of a batch, one after another, for less memory.
        spectral: Weight of the greatest singular values of convolutions in the objective.
        checkpointing: Compute the activations of a hierarchy's cells again, for less memory.
        hidden: Features of hidden layers.
        codes: Latent dimensions.
        design: Whose layers, of ``arch="conv"``.
        likelihood: Of pixels.
        sigma: Of a gaussian likelihood: a number, or ``"learned"``.
        size: Side in pixels that your own images are given.
        skip_broken: Leave out your own images that cannot be read.
        vocabulary_size: Tokens of the vocabulary at most, for documents.
        longest: Words of a document at most.
        tokenizer: File of the package tokenizers that cuts documents.
        train_file: Name of the training file of a folder of documents.
        sampled_words: Words that stand for all in the softmax, in training on documents.
        gated: Which layers have gates.
        gate_init: How gates start.
        estimator: Of q(z) in a minibatch, under ``"tcvae"``.
        groups: Betas in a batch: a number of equal groups, or ``"example"``.
        balance: The objective at beta is divided by this power of 1 + beta.
        rate_schedule: Of the rate's weight, for baselines; ``"held"`` for all models.
        free_bits: Rate of each code, in nats, that costs nothing, for baselines.
        group_balance: Balance latent groups while the schedule is below 1, for baselines of
            hierarchies.
        device: Where to train; the GPU, by default, where there is one.
        precision: Of the networks' matrix products.
        resume: Go on from ``out`` if it is there; begin if it is not.
        force: Overwrite ``out``.
        tensorboard: Folder for a TensorBoard log.
        quiet: Show no progress.

    Raises:
        MrtcError: If an option cannot be used, or as :func:`mrtc.experiments.run` raises it.
        KeyboardInterrupt: On Ctrl-C, after saving.
    """
    name, found = find_dataset(str(dataset), None if data is None else Path(data))
    config = build_config(
        name,
        preset,
        objective,
        betas=BetaRange(*map(float, betas)) if isinstance(betas, tuple) else betas,
        beta=None if beta is None else float(beta),
        seed=seed,
        groups=None if groups is None else str(groups),
        training={
            "steps": steps,
            "batch": batch,
            "learning_rate": learning_rate,
            "schedule": schedule,
            "warmup": warmup,
            "optimizer": optimizer,
            "accumulate": accumulate,
            "spectral": None if spectral is None else float(spectral),
            "checkpointing": checkpointing,
        },
        model={
            "hidden": hidden,
            "codes": codes,
            "design": design,
            "gated": gated,
            "gate_init": gate_init,
            "sampled_words": sampled_words,
        },
        estimator=estimator,
        balance=None if balance is None else float(balance),
        rate_schedule=rate_schedule,
        free_bits=None if free_bits is None else float(free_bits),
        group_balance=group_balance,
        arch=arch,
        likelihood=likelihood,
        sigma=None if sigma is None else str(sigma),
        size=size,
        skip_broken=skip_broken,
        text={
            "vocabulary_size": vocabulary_size,
            "longest": longest,
            "tokenizer": None if tokenizer is None else Path(tokenizer),
            "train_file": train_file,
        },
    )
    path = Path(out or _name(dataset, preset, config))
    checkpoint = run(
        config,
        path,
        data=found,
        device=device,
        precision=precision,
        resume=resume,
        force=force,
        tensorboard=tensorboard,
        quiet=quiet,
    )
    vae, config = model_of(checkpoint, path)
    return Run(path, vae, config, checkpoint, found)


def _name(dataset: Path | str, preset: str, config: RunConfig) -> str:
    objective, betas = config.objective.name, str(config.betas).replace(":", "to")
    return f"{Path(dataset).stem}-{objective}-{preset}-beta{betas}-seed{config.seed}.pt"
