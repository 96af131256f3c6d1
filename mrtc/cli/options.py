"""Options that mean the same in every command."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Data = Annotated[
    Path | None,
    typer.Option(help="Official data file, or its folder; left out, dSprites is rendered."),
]
Part = Annotated[
    str | None,
    typer.Option(help="Of the dataset's official split; the test part if left out."),
]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto.")]
Precision = Annotated[
    Literal["auto", "fp32", "bf16"],
    typer.Option(help="Of matrix products; auto is bf16 where the device is fast at it."),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with what is there.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Recalibrate = Annotated[
    int,
    typer.Option(
        min=0,
        help="Batches of training examples from which batch normalisation is measured anew at each "
        "beta; 0 for the running means of training.",
    ),
]
Extrapolate = Annotated[
    bool, typer.Option("--extrapolate", help="Allow betas outside the trained range.")
]
Betas = Annotated[
    str | None,
    typer.Option(
        help="Grid low:high:count (0.1:10:50, log-spaced), list 0.5,1,4, or one number; the "
        "trained range if left out."
    ),
]
Checkpoint = Annotated[Path, typer.Argument(help="Checkpoint that `mrtc train` wrote (.pt).")]
Group = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Of a hierarchy: the latent group whose codes are stored and scored, counted from the "
        "top one (0), which is taken if left out.",
    ),
]
Metrics = Annotated[
    str,
    typer.Option(
        help="Names, families, or all (without the slow ones); `mrtc metrics` shows them."
    ),
]
Workers = Annotated[int, typer.Option(min=1, help="Processes; the values do not depend on them.")]
Bootstrap = Annotated[
    int,
    typer.Option(
        min=0,
        help="Resamples of the examples for a 95 % interval of each score of means and factors; "
        "each costs as much as the score.",
    ),
]
Null = Annotated[
    int, typer.Option(min=0, help="Permutations for what the same scores give by chance.")
]
FidWeights = Annotated[
    Path | None,
    typer.Option(help="Weights of inception, as torch-fidelity or pytorch-fid publish them."),
]
FidReference = Annotated[
    str | None,
    typer.Option(
        help="Part of the dataset that samples are compared with; that for training if left out, "
        "as published values are."
    ),
]
FidReferenceExamples = Annotated[
    int | None, typer.Option(min=2, help="A random subset of it; all if left out.")
]
