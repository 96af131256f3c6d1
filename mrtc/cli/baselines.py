"""``mrtc baselines``: a plain model for each beta and seed."""

from pathlib import Path
from typing import Annotated

import typer

from mrtc.cli import options, run_options


def baselines(
    dataset: run_options.Dataset,
    betas: Annotated[
        str, typer.Option(help="Grid low:high:count (0.1:10:7, log-spaced), list, or number.")
    ] = "0.1:10:7",
    seeds: Annotated[int, typer.Option(min=1, help="Runs at each beta: seeds 0, 1, ...")] = 3,
    objective: run_options.Objective = None,
    arch: run_options.Arch = None,
    preset: run_options.Preset = "quick",
    out: Annotated[
        Path | None,
        typer.Option(help="Results file of all runs (.h5); they are kept beside it, in .runs."),
    ] = None,
    data: options.Data = None,
    part: options.Part = None,
    steps: run_options.Steps = None,
    batch: run_options.Batch = None,
    learning_rate: run_options.LearningRate = None,
    learning_rates: Annotated[
        str | None,
        typer.Option(help="Choose among these at beta 1; `paper` stands for the published list."),
    ] = None,
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
    estimator: run_options.Estimator = None,
    rate_schedule: run_options.RateSchedule = None,
    free_bits: run_options.FreeBits = None,
    group_balance: run_options.GroupBalance = None,
    examples: Annotated[
        int | None, typer.Option(min=100, help="Evaluate on a subset of so many; all if left out.")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(help="Scores beside rate, distortion, active units and MIG.")
    ] = None,
    workers: run_options.RunWorkers = 1,
    stack: run_options.Stack = None,
    ray: run_options.Ray = None,
    gpus_per_run: run_options.GpusPerRun = 0.0,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    resume: options.Resume = False,
    force: options.Force = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Train and evaluate a plain model for each beta and seed, to one results file.

    Runs that are done stay when the command is stopped, and `--resume` goes on with the others;
    a run that fails is recorded with its reason, and `--resume` tries it again.

    Example: `mrtc baselines dsprites --betas 0.1:10:7 --seeds 3 --workers 2`
    """
    from mrtc.cli.tables import print_runs
    from mrtc.cli.training_options import choose_executor, parse_learning_rates
    from mrtc.errors import MrtcError
    from mrtc.experiments.baselines import run_baselines
    from mrtc.experiments.configure import build_config, find_dataset
    from mrtc.experiments.tasks import Protocol
    from mrtc.metrics.catalogue import choose
    from mrtc.rates import parse_grid

    name, data = find_dataset(dataset, data)
    config = build_config(
        name,
        preset,
        objective,
        betas=None,
        beta=1.0,  # each run gets its own
        seed=0,
        groups=None,
        training={
            "steps": steps,
            "batch": batch,
            "learning_rate": learning_rate,
            "schedule": schedule,
            "warmup": warmup,
            "optimizer": optimizer,
            "accumulate": accumulate,
            "spectral": spectral,
            "checkpointing": checkpointing,
        },
        model={
            "hidden": hidden,
            "codes": codes,
            "design": design,
            "sampled_words": sampled_words,
        },
        estimator=estimator,
        rate_schedule=rate_schedule,
        free_bits=free_bits,
        group_balance=group_balance,
        arch=arch,
        likelihood=likelihood,
        sigma=sigma,
        size=size,
        skip_broken=skip_broken,
        text={
            "vocabulary_size": vocabulary_size,
            "longest": longest,
            "tokenizer": tokenizer,
            "train_file": train_file,
        },
    )
    out = out or Path(f"{Path(dataset).stem}-{config.objective.name}-{preset}-baselines.h5")
    runs = run_baselines(
        config,
        out,
        betas=parse_grid(betas).tolist(),
        seeds=range(seeds),
        protocol=Protocol(
            data=data,
            device=device,
            precision=precision,
            part=part,
            examples=examples,
            metrics=() if metrics is None else choose(metrics),
        ),
        learning_rates=parse_learning_rates(learning_rates),
        executor=choose_executor(
            workers=workers, stack=stack, ray=ray, gpus_per_run=gpus_per_run, quiet=quiet
        ),
        resume=resume,
        force=force,
        quiet=quiet,
    )
    print_runs(runs, out, as_json=as_json)
    if runs.failures:
        (seed, beta), reason = next(iter(runs.failures.items()))
        raise MrtcError(
            f"{len(runs.failures)} runs failed and are not in {out}; the first, beta {beta:g} and "
            f"seed {seed}: {reason}; try them again with --resume"
        )
