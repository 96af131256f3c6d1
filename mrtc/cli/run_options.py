"""Options of commands that train: what is left out is as the preset has it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Dataset = Annotated[
    str,
    typer.Argument(
        help="Dataset, as `mrtc data list` names it, or your own: images in a folder, .zip, .npz "
        "or .h5; documents in a .txt or .txt.gz, one a line, or a folder of train.txt and so on."
    ),
]
Objective = Annotated[
    Literal["beta", "tcvae"] | None,
    typer.Option(help="beta-VAE, or beta-TCVAE, which is the usual one for dsprites only."),
]
Arch = Annotated[
    Literal["mlp", "linear", "conv", "resnet", "lstm", "nvae"] | None,
    typer.Option(help="Architecture; the first that `mrtc presets` lists if left out."),
]
Design = Annotated[
    Literal["chadebec", "burgess", "locatello", "chen"] | None,
    typer.Option(help="Whose layers, with --arch conv."),
]
Likelihood = Annotated[
    Literal["bernoulli", "squared_error", "gaussian", "logistic_mixture"] | None,
    typer.Option(help="Of pixels; it owns the units of the distortion."),
]
Sigma = Annotated[
    str | None, typer.Option(help="Of the gaussian likelihood: a number, or `learned`.")
]
SkipBroken = Annotated[
    bool, typer.Option("--skip-broken", help="Leave out your own images that cannot be read.")
]
Size = Annotated[
    int | None, typer.Option(min=4, help="Side in pixels that your own images are given (64).")
]
VocabularySize = Annotated[
    int | None, typer.Option(min=5, help="Tokens of the vocabulary at most, for documents.")
]
Longest = Annotated[
    int | None, typer.Option(min=1, help="Words of a document at most; the rest is cut off.")
]
Tokenizer = Annotated[
    Path | None,
    typer.Option(help="File of the package tokenizers that cuts documents (needs mrtc[text])."),
]
TrainFile = Annotated[
    str | None,
    typer.Option(help="Name of the training file, where a folder has none of the usual name."),
]
Preset = Annotated[str, typer.Option(help="Preset, as `mrtc presets` lists them.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Gradient steps.")]
Batch = Annotated[int | None, typer.Option(min=2, help="Examples in a step.")]
LearningRate = Annotated[float | None, typer.Option(help="Of the optimiser, at its greatest.")]
Schedule = Annotated[
    Literal["constant", "cosine"] | None, typer.Option(help="Of the learning rate.")
]
Warmup = Annotated[int | None, typer.Option(min=0, help="Steps of linear warm-up.")]
Optimizer = Annotated[
    Literal["adam", "adamax"] | None, typer.Option(help="Adam, or Adamax, which nvae has.")
]
Accumulate = Annotated[
    int | None,
    typer.Option(
        min=1, help="Parts of a batch, one after another, for less memory (beta without free bits)."
    ),
]
Spectral = Annotated[
    float | None,
    typer.Option(
        min=0, help="Weight of the greatest singular values of convolutions in the objective."
    ),
]
Hidden = Annotated[int | None, typer.Option(min=1, help="Features of hidden layers.")]
Codes = Annotated[int | None, typer.Option(min=1, help="Latent dimensions.")]
Estimator = Annotated[
    Literal["weighted", "stratified", "in-batch"] | None,
    typer.Option(help="Estimate of q(z) in a minibatch (tcvae)."),
]
RateSchedule = Annotated[
    Literal["constant", "monotonic", "cyclic", "held"] | None,
    typer.Option(help="Of the rate's weight in training (baselines, but for held)."),
]
FreeBits = Annotated[
    float | None,
    typer.Option(min=0, help="Rate of each code, in nats, that costs nothing (baselines, beta)."),
]
GroupBalance = Annotated[
    bool | None,
    typer.Option(help="Balance latent groups while the schedule is below 1 (baselines of nvae)."),
]
Checkpointing = Annotated[
    bool | None,
    typer.Option(help="Compute activations again in the backward pass, for less memory (nvae)."),
]
SampledWords = Annotated[
    int | None,
    typer.Option(min=1, help="Words that stand for all in the softmax, in training on documents."),
]
RunWorkers = Annotated[int, typer.Option(min=1, help="Runs at once, each in a process.")]
Stack = Annotated[
    int | None,
    typer.Option(min=2, help="Baselines at once, as one stacked model on one device."),
]
Ray = Annotated[
    str | None, typer.Option(help="Address of a Ray cluster, or `auto` (needs mrtc[ray]).")
]
GpusPerRun = Annotated[
    float, typer.Option(min=0, help="Share of a GPU that a run takes, with --ray.")
]
