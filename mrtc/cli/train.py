"""``mrtc train``: one multi-rate model, or one baseline."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mrtc.cli import options, run_options


def train(
    dataset: run_options.Dataset,
    objective: run_options.Objective = None,
    arch: run_options.Arch = None,
    betas: Annotated[
        str | None, typer.Option(help="Range low:high of a multi-rate model (0.1:10).")
    ] = None,
    beta: Annotated[
        float | None, typer.Option(help="Train a plain baseline at this one beta instead.")
    ] = None,
    preset: run_options.Preset = "quick",
    out: Annotated[Path | None, typer.Option(help="Checkpoint to write (.pt).")] = None,
    data: options.Data = None,
    seed: options.Seed = 0,
    steps: run_options.Steps = None,
    batch: run_options.Batch = None,
    learning_rate: run_options.LearningRate = None,
    schedule: run_options.Schedule = None,
    warmup: run_options.Warmup = None,
    optimizer: run_options.Optimizer = None,
    accumulate: run_options.Accumulate = None,
    spectral: run_options.Spectral = None,
    checkpointing: run_options.Checkpointing = None,
    hidden: run_options.Hidden = None,
    codes: run_options.Codes = None,
    design: run_options.Design = None,
    likelihood: run_options.Likelihood = None,
    sigma: run_options.Sigma = None,
    size: run_options.Size = None,
    skip_broken: run_options.SkipBroken = False,
    vocabulary_size: run_options.VocabularySize = None,
    longest: run_options.Longest = None,
    tokenizer: run_options.Tokenizer = None,
    train_file: run_options.TrainFile = None,
    sampled_words: run_options.SampledWords = None,
    gated: Annotated[
        Literal["inner", "hidden", "all"] | None,
        typer.Option(help="Layers with gates: inner (the published jobs), hidden, all."),
    ] = None,
    gate_init: Annotated[
        Literal["open", "paper"] | None, typer.Option(help="How gates start.")
    ] = None,
    estimator: run_options.Estimator = None,
    groups: Annotated[
        str | None,
        typer.Option(help="Betas in a batch: a number of equal groups, or `example`."),
    ] = None,
    balance: Annotated[
        float | None,
        typer.Option(min=0, help="Divide the objective at beta by this power of 1 + beta."),
    ] = None,
    rate_schedule: run_options.RateSchedule = None,
    free_bits: run_options.FreeBits = None,
    group_balance: run_options.GroupBalance = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    resume: options.Resume = False,
    force: options.Force = False,
    tensorboard: Annotated[Path | None, typer.Option(help="Folder for a TensorBoard log.")] = None,
    quiet: options.Quiet = False,
) -> None:
    """Train one model and write its checkpoint.

    Example: `mrtc train dsprites --objective tcvae --out ckpt.pt`; on two GPUs: `torchrun
    --nproc-per-node 2 --no-python mrtc train dsprites --preset paper --out ckpt.pt`
    """
    options = dict(locals())  # all of them: the library has the same, by the same names
    from mrtc.devices import is_first_process, leave_processes
    from mrtc.experiments import library

    done = library.train(**options)
    leave_processes()
    if not is_first_process():
        return
    last = done.checkpoint.state.history[-1]
    typer.echo(
        f"{done.path}: {done.steps} steps, last minibatch: distortion {last['distortion']:.1f}, "
        f"rate {last['rate']:.1f} nats"
    )
