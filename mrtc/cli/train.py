"""``mrtc train``: one multi-rate model, or one baseline."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mrtc.cli import options


def train(
    dataset: Annotated[str, typer.Argument(help="Dataset, as `mrtc data list` names it.")],
    objective: Annotated[
        Literal["beta", "tcvae"], typer.Option(help="beta-VAE, or beta-TCVAE.")
    ] = "tcvae",
    betas: Annotated[
        str | None, typer.Option(help="Range low:high of a multi-rate model (0.1:10).")
    ] = None,
    beta: Annotated[
        float | None, typer.Option(help="Train a plain baseline at this one beta instead.")
    ] = None,
    preset: Annotated[str, typer.Option(help="Preset, as `mrtc presets` lists them.")] = "quick",
    out: Annotated[Path | None, typer.Option(help="Checkpoint to write (.pt).")] = None,
    data: options.Data = None,
    seed: options.Seed = 0,
    steps: Annotated[int | None, typer.Option(min=1, help="Gradient steps.")] = None,
    batch: Annotated[int | None, typer.Option(min=2, help="Examples in a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of Adam, at its greatest.")] = None,
    schedule: Annotated[
        Literal["constant", "cosine"] | None, typer.Option(help="Of the learning rate.")
    ] = None,
    warmup: Annotated[int | None, typer.Option(min=0, help="Steps of linear warm-up.")] = None,
    hidden: Annotated[int | None, typer.Option(min=1, help="Features of hidden layers.")] = None,
    codes: Annotated[int | None, typer.Option(min=1, help="Latent dimensions.")] = None,
    gated: Annotated[
        Literal["inner", "hidden", "all"] | None,
        typer.Option(help="Layers with gates: inner (the published jobs), hidden, all."),
    ] = None,
    gate_init: Annotated[
        Literal["open", "paper"] | None, typer.Option(help="How gates start.")
    ] = None,
    estimator: Annotated[
        Literal["weighted", "stratified", "in-batch"] | None,
        typer.Option(help="Estimate of q(z) in a minibatch (tcvae)."),
    ] = None,
    groups: Annotated[
        str | None,
        typer.Option(help="Betas in a batch: a number of equal groups, or `example`."),
    ] = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from --out if it exists.")] = (
        False
    ),
    force: options.Force = False,
    tensorboard: Annotated[Path | None, typer.Option(help="Folder for a TensorBoard log.")] = None,
    quiet: options.Quiet = False,
) -> None:
    """Train one model and write its checkpoint.

    Example: `mrtc train dsprites --objective tcvae --out ckpt.pt`
    """
    from mrtc.cli.training_options import build_config
    from mrtc.experiments import run

    config = build_config(
        dataset,
        preset,
        objective,
        betas=betas,
        beta=beta,
        seed=seed,
        groups=groups,
        training={
            "steps": steps,
            "batch": batch,
            "learning_rate": learning_rate,
            "schedule": schedule,
            "warmup": warmup,
        },
        model={"hidden": hidden, "codes": codes, "gated": gated, "gate_init": gate_init},
        estimator=estimator,
    )
    out = out or Path(
        f"{dataset}-{objective}-{preset}-beta{config.betas}-seed{seed}.pt".replace(":", "to")
    )
    checkpoint = run(
        config,
        out,
        data=data,
        device=device,
        precision=precision,
        resume=resume,
        force=force,
        tensorboard=tensorboard,
        quiet=quiet,
    )
    last = checkpoint.state.history[-1]
    typer.echo(
        f"{out}: {checkpoint.state.step} steps, last minibatch: distortion "
        f"{last['distortion']:.1f}, rate {last['rate']:.1f} nats"
    )
