"""One checkpoint, evaluated over a grid of beta, to a results file."""

import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64

from mrtc.datasets.dsprites import CHEN_FACTORS
from mrtc.datasets.examples import AttributeExamples, Dataset, FactorExamples
from mrtc.devices import Precision, resolve_device, resolve_precision
from mrtc.errors import MrtcError
from mrtc.evaluation import EvaluationConfig, sweep
from mrtc.evaluation.adaptive import AdaptiveGrid
from mrtc.evaluation.recalibration import Recalibration, has_batch_norm, undoes_gates
from mrtc.experiments.config import RunConfig
from mrtc.experiments.data import DATASETS, load_for
from mrtc.experiments.latent_groups import chosen_codes
from mrtc.experiments.refinement import certainty, refining
from mrtc.experiments.run import load_vae, read_config
from mrtc.metrics.information import Estimator
from mrtc.rates import BetaRange, parse_grid
from mrtc.results import ADAPTIVE, Header, Results, open_writer, read
from mrtc.results.groups import group_parameters
from mrtc.training import Checkpoint
from mrtc.vae import VAE

Grid = Float[np.ndarray, " beta"] | Sequence[float | int] | float | int | str | AdaptiveGrid | None
"""Betas as they are given in a notebook; ``None`` for the trained range."""

AUTO = "auto"
"""The word for an adaptive grid with its usual tolerance and budget."""

DEFAULT_COUNT = 50
"""Betas of an evaluation, unless told otherwise."""


def evaluate(
    checkpoint: Path | str | os.PathLike[str],
    out: Path | str | None = None,
    *,
    betas: Grid = None,
    data: Path | str | None = None,
    part: str | None = None,
    factors: tuple[str, ...] | None = None,
    examples: int | None = None,
    most: int | None = None,
    keep: int = 10_000,
    estimator: Estimator = "quadrature",
    samples: int = 10_000,
    importance_samples: int = 0,
    seed: int = 0,
    recalibrate: int = 0,
    extrapolate: bool = False,
    device: torch.device | str = "auto",
    precision: Precision = "auto",
    group: int | None = None,
    force: bool = False,
    quiet: bool = False,
) -> Results:
    """Rate, distortion, active units and MIG at every beta; goes on where ``out`` left off.

    Args:
        checkpoint: As ``mrtc train`` wrote it; a :class:`mrtc.experiments.one_run.Run` stands for
            its own.
        out: The results file to write (``.h5``), beta by beta; ``CKPT-results.h5`` if left out.
        betas: The grid: values, or as a command takes it (``"0.1:10:50"``, ``"0.5,1,4"``); by
            default 50 over the trained range. ``"auto"``, or an
            :class:`mrtc.evaluation.adaptive.AdaptiveGrid`, puts them where curves bend; a baseline
            has its one beta all the same.
        data: The dataset's official file, where it is at hand.
        part: Of the dataset's split; the test part by default, where there is one.
        factors: Factors whose gaps make up the MIG; by default Chen et al.'s, without shape.
        examples: How many are encoded, a stratified subset; ``None`` for all.
        most: Encode a subset of so many where there are more, and ``examples`` is left out.
        keep: How many, of those, are decoded and stored.
        estimator: Of the entropies behind the MIG.
        samples: Draws for each entropy, with ``sampling``.
        importance_samples: Draws of each kept posterior for the importance-weighted bound on
            log p(x); 0 for no bound.
        seed: Of subsets and draws.
        recalibrate: Batches of 128 training examples from which the statistics of batch
            normalisation are measured anew at each beta; 0 for the running means of training.
        extrapolate: Allow betas outside the trained range.
        device: Where to compute; the GPU, by default, where there is one.
        precision: Of the encoder's matrix products; hierarchies are evaluated in float32.
        group: Of a hierarchy, the latent group whose codes are stored, and make up the MIG and
            other scores of codes, along the way of posterior means; by default the top one, 0. Any
            other costs a second way down. Rate, distortion and active units are of all groups.
        force: Overwrite ``out``, whatever it holds.
        quiet: Show no progress.

    Raises:
        BetaError: If betas cannot be read, or one lies outside the trained range and
            ``extrapolate`` is not set.
        CheckpointError: If the checkpoint cannot be used.
        MrtcError: If an adaptive grid goes by what is not measured, or there is no such group.
        ResultsError: If ``out`` holds another evaluation, or is being written.
        OutputError: If ``out`` cannot be written.
    """
    device, checkpoint = resolve_device(device), Path(checkpoint)
    out = checkpoint.with_name(f"{checkpoint.stem}-results.h5") if out is None else Path(out)
    vae, config, loaded = load_vae(checkpoint)
    codes = chosen_codes(vae.groups, vae.codes, group)
    resolved = evaluation_precision(vae, precision, device)
    beta, adaptive = _grid(betas, config.betas)
    config.betas.require(beta.tolist(), extrapolate=extrapolate)
    part = part or DATASETS[config.dataset].default_part
    dataset = load_for(config, data, device, part=part, vocabulary=loaded.vocabulary, quiet=quiet)
    if adaptive is not None:
        adaptive = refining(adaptive, dataset)
    factors = _scored_factors(config.dataset, dataset, factors)
    population = len(dataset)
    if examples is None and most is not None and most < population:
        examples = most
    if examples is not None and examples > population:
        raise MrtcError(
            f"{config.dataset} has {population} examples, {examples} were asked for; leave out "
            "--examples to use all"
        )
    evaluation = EvaluationConfig(
        factors, examples, keep, estimator, samples, seed, importance_samples
    )
    grid = dataset.grid if isinstance(dataset, FactorExamples) else None
    index, kept = evaluation.choose(population, grid)
    names, classes = _known_of(dataset, index[kept])
    header = Header(
        beta=beta,
        num_codes=codes.where.stop - codes.where.start,
        factors=names,
        config=json.loads(config.to_json()),
        fingerprint=loaded.fingerprint(),
        seed=seed,
        source=dataset.source,
        parameters=asdict(evaluation)
        | {"precision": resolved, "encoded": len(index)}
        | ({} if part is None else {"part": part})
        | ({} if codes.group is None else group_parameters(vae.groups, codes.group))
        | _normalisation(vae, recalibrate)
        | ({} if adaptive is None else {ADAPTIVE: asdict(adaptive)}),
        index=index[kept],
        classes=classes,
        cost=_cost(config, loaded, vae),
    )
    recalibration = None
    if recalibrate:
        if undoes_gates(vae) and not quiet:
            sys.stderr.write(
                "mrtc: this model has gates before batch normalisation, whose statistics at one "
                "beta divide them out again: expect a worse model than without --recalibrate\n"
            )
        train = load_for(config, data, device, quiet=quiet)
        recalibration = Recalibration(train, recalibrate, seed)
    with open_writer(out, header, force=force) as writer:
        sweep(
            *(vae, dataset, evaluation, writer),
            device=device,
            precision=resolved,
            recalibration=recalibration,
            adaptive=adaptive,
            quiet=quiet,
        )
    results = read(out)
    if adaptive is not None and not quiet:
        sys.stderr.write(f"mrtc: {certainty(results, adaptive)}\n")
    return results


def evaluation_precision(vae: VAE, asked: Precision, device: torch.device) -> Precision:
    """Of the encoder's matrix products, on a device.

    Raises:
        MrtcError: If it is not for this model: the codes of a hierarchy are drawn by its decoder,
            which is always evaluated in float32.
    """
    if not vae.groups:
        return resolve_precision(asked, device)
    if asked == "bf16":
        raise MrtcError(
            f"this model has {len(vae.groups)} latent groups, which its decoder draws, and "
            "decoders are evaluated in float32; leave out --precision bf16"
        )
    return "fp32"


def require_factors(checkpoint: Path | str) -> None:
    """Checks that the data of a run have known factors, which a MIG needs.

    Raises:
        CheckpointError: If the checkpoint cannot be used.
        MrtcError: If the data have none.
    """
    dataset = read_config(Checkpoint.load(Path(checkpoint)), Path(checkpoint)).dataset
    if not DATASETS[dataset].factors:
        raise MrtcError(
            f"{dataset} has no known factors, so there is no MIG of {checkpoint}; evaluate it with "
            "`mrtc eval`"
        )


def _known_of(
    dataset: Dataset, index: Int64[np.ndarray, " kept"]
) -> tuple[tuple[str, ...], Int64[np.ndarray, "kept factor"] | None]:
    """Names of factors, or of attributes, and their classes; nothing where nothing is known."""
    if isinstance(dataset, FactorExamples):
        return dataset.grid.names, dataset.grid.classes(index)
    if isinstance(dataset, AttributeExamples) and dataset.attribute_names:
        return dataset.attribute_names, dataset.attributes(index)
    return (), None


def _scored_factors(name: str, dataset: Dataset, asked: tuple[str, ...] | None) -> tuple[str, ...]:
    known, _ = _known_of(dataset, np.arange(1))
    if not known:
        if asked:
            raise MrtcError(
                f"{name} has no known factors, and {', '.join(asked)} were asked for; leave out "
                "--factors"
            )
        return ()
    if asked is None:
        return CHEN_FACTORS if isinstance(dataset, FactorExamples) else known
    unknown = [factor for factor in asked if factor not in known]
    if unknown or not asked:
        raise MrtcError(
            f"{name} has no factor {', '.join(unknown) or 'that is scored'}; choose --factors "
            f"among {','.join(known)}"
        )
    return asked


def _normalisation(vae: VAE, recalibrate: int) -> dict[str, str]:
    """How batch normalisation was done, where there is any.

    Raises:
        MrtcError: If it was to be recalibrated, and there is none.
    """
    if not has_batch_norm(vae):
        if recalibrate:
            raise MrtcError(
                "this architecture has no batch normalisation, so there is nothing to recalibrate; "
                "leave out --recalibrate"
            )
        return {}
    if not recalibrate:
        return {"batch_norm": "running means of training"}
    how = f"at each beta, from {recalibrate} batches of 128 training examples"
    return {"batch_norm": how + (", which undoes the gates before it" if undoes_gates(vae) else "")}


def _cost(config: RunConfig, checkpoint: Checkpoint, vae: VAE) -> dict[str, float | int]:
    """What the run cost, for the ledger of a comparison."""
    steps, seconds = checkpoint.state.step, checkpoint.state.seconds
    cost: dict[str, float | int] = {
        "steps": steps,
        "examples": steps * config.training.batch,
        "parameters": sum(weight.numel() for weight in vae.parameters()),
    }
    return cost if math.isnan(seconds) else cost | {"seconds": seconds}


def _grid(
    betas: Grid, trained: BetaRange
) -> tuple[Float[np.ndarray, " beta"], AdaptiveGrid | None]:
    """The grid that was asked for, and how to choose among its betas, if not to take all."""
    if isinstance(betas, str) and betas == AUTO:
        betas = AdaptiveGrid()
    if isinstance(betas, AdaptiveGrid):
        if trained.is_single:
            return _over(trained, 1), None
        return betas.candidates(trained), betas
    return _fixed(betas, trained), None


def _fixed(
    betas: Float[np.ndarray, " beta"] | Sequence[float | int] | float | int | str | None,
    trained: BetaRange,
) -> Float[np.ndarray, " beta"]:
    """A grid all of which is evaluated; all its forms have the same checks."""
    if isinstance(betas, np.ndarray):
        return betas
    if betas is None:
        return _over(trained, DEFAULT_COUNT)
    if isinstance(betas, str):
        return parse_grid(betas)
    values = [betas] if isinstance(betas, float | int) else betas
    return parse_grid(",".join(repr(float(beta)) for beta in values))


def default_betas(checkpoint: Path | str, count: int = DEFAULT_COUNT) -> Float[np.ndarray, " beta"]:
    """``count`` betas over the trained range, log-spaced; the one beta of a baseline.

    Raises:
        CheckpointError: If the checkpoint cannot be used.
    """
    return _over(read_config(Checkpoint.load(Path(checkpoint)), Path(checkpoint)).betas, count)


def _over(betas: BetaRange, count: int) -> Float[np.ndarray, " beta"]:
    return np.array([betas.low]) if betas.is_single else np.geomspace(betas.low, betas.high, count)
