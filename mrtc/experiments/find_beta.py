"""The beta of a checkpoint that meets a goal: what is searched for, on which data."""

import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from mrtc.datasets.dsprites import CHEN_FACTORS
from mrtc.datasets.examples import AttributeExamples, Examples, FactorExamples
from mrtc.devices import Precision, resolve_device
from mrtc.errors import CheckpointError, MrtcError
from mrtc.evaluation.feature_networks import FeatureNetwork
from mrtc.evaluation.realism_config import RealismConfig
from mrtc.evaluation.search import Found, Quantity, find_at_most, find_target
from mrtc.evaluation.search_best import SCAN_FOR_BEST, find_best
from mrtc.evaluation.search_count import find_count
from mrtc.evaluation.search_curve import REFINE
from mrtc.evaluation.search_model import PER_EXAMPLE, Measured, MeasuredHierarchy
from mrtc.evaluation.search_roots import SCAN
from mrtc.experiments.data import DATASETS, load_for, load_images
from mrtc.experiments.evaluate import evaluation_precision
from mrtc.experiments.latent_groups import chosen_codes
from mrtc.experiments.quantities import (
    ActiveUnits,
    FrechetOfSamples,
    MeanOfExamples,
    ScoreOfCodes,
)
from mrtc.experiments.run import load_vae
from mrtc.metrics.catalogue import CATALOGUE, DISTANCES
from mrtc.progress import Progress
from mrtc.rates import BetaRange
from mrtc.results import VARIABLES, unit_of

MOST_EXAMPLES = 2000
"""Measured on unless another number is asked for."""

ALIASES = {"mig": "mig_chen"}


@dataclass(frozen=True)
class Goal:
    """What a beta is to give."""

    quantity: str
    """Of the catalogue: ``rate``, ``distortion``, ``active_units``, ``fid``, ``mig_chen`` …"""
    target: float | None = None
    """Its value; ``None`` for the best there is."""
    is_bound: bool = False
    """Whether all up to the target will do, and the largest such beta is wanted."""


def find_beta(
    checkpoint: Path | str,
    goal: Goal,
    *,
    within: BetaRange | None = None,
    data: Path | str | None = None,
    part: str | None = None,
    examples: int | None = None,
    group: int | None = None,
    network: FeatureNetwork | None = None,
    realism: RealismConfig | None = None,
    reference_part: str | None = None,
    seed: int = 0,
    device: torch.device | str = "auto",
    precision: Precision = "auto",
    quiet: bool = False,
) -> Found:
    """The beta of a multi-rate model that meets a goal, with an interval from the noise.

    Every beta sees the same examples and the same draws, so curves are smooth; ``mrtc eval`` with
    as many examples and the same seed gives the same values. See :mod:`mrtc.evaluation.search` for
    what a search sees and what it can miss.

    Args:
        checkpoint: As ``mrtc train`` wrote it, of a multi-rate model.
        goal: What is wanted.
        within: Betas to search; the trained range if left out.
        data: The dataset's official file, where it is at hand.
        part: Of the dataset's split; the test part by default, where there is one.
        examples: How many are measured on, a stratified subset; 2,000 by default, or all where
            there are fewer.
        group: Of a hierarchy, the latent group whose codes are scored; the top one by default.
            Rate, distortion, active units and samples are of all groups.
        network: In whose features, for a distance of samples from data.
        realism: Numbers of samples and of examples, for such a distance; its seed is passed over.
        reference_part: Of the split, for such a distance; that for training by default.
        seed: Of the subset and of all draws.
        device: Where to compute; the GPU, by default, where there is one.
        precision: Of the encoder's matrix products.
        quiet: Show no progress.

    Raises:
        CheckpointError: If the checkpoint cannot be used, or is a baseline.
        BetaError: If ``within`` leaves the trained range.
        DataError: If the data cannot be had.
        MrtcError: If the goal cannot be met, its quantity not be measured, or there is no such
            group.
    """
    device = resolve_device(device)
    vae, config, loaded = load_vae(checkpoint)
    if config.is_baseline:
        raise CheckpointError(
            f"{checkpoint} is a baseline, trained at beta {config.betas} alone, so there is no "
            "beta to find; give a multi-rate checkpoint, or measure this one with `mrtc eval`"
        )
    within = within or config.betas
    config.betas.require([within.low, within.high])
    name = ALIASES.get(goal.quantity, goal.quantity)
    _check(name, goal)
    codes = chosen_codes(vae.groups, vae.codes, group)
    if group is not None and not _is_of_codes(name):
        raise MrtcError(
            f"{name} is of all latent groups, and --group is for scores of codes, as --best mig; "
            "leave out --group"
        )
    vae = vae.to(device)
    quantity: Quantity | ActiveUnits
    if name in DISTANCES:
        if network is None:
            raise ValueError(f"{name} needs a feature network; give one as network")
        realism = replace(realism or RealismConfig(), seed=seed)
        reference = load_images(config, data, device, part=reference_part, quiet=quiet)
        quantity = FrechetOfSamples(vae, network, reference, realism, device, quiet=quiet)
    else:
        part = part or DATASETS[config.dataset].default_part
        dataset = load_for(
            config, data, device, part=part, vocabulary=loaded.vocabulary, quiet=quiet
        )
        asked = _number(examples, len(dataset))
        kind = MeasuredHierarchy if vae.groups else Measured
        model = kind(
            *(vae, dataset, asked, seed),
            group=codes.group or 0,
            device=device,
            precision=evaluation_precision(vae, precision, device),
            quiet=quiet,
        )
        unit = CATALOGUE[name].unit
        if name == "distortion":
            unit = unit_of(VARIABLES[name], {"likelihood": config.likelihood})
        if name == "active_units":
            quantity = ActiveUnits(model)
        elif name in PER_EXAMPLE:
            quantity = MeanOfExamples(model, name, unit)
        else:
            quantity = ScoreOfCodes(model, name, *_known(config.dataset, dataset, name, model))
            if codes.title and not quiet:
                sys.stderr.write(f"mrtc: {name} is of the codes of {codes.title}\n")
    return _search(quantity, goal, within, quiet=quiet)


def _check(name: str, goal: Goal) -> None:
    """Refuses what cannot be searched for, before any data are read."""
    measured = {
        metric.name
        for metric in CATALOGUE.values()
        if not {"decoder", "models"} & {*metric.needs}
        or metric.name in PER_EXAMPLE
        or (metric.name in DISTANCES and DISTANCES[metric.name][0] == "frechet")
    }
    scores = ", ".join(m for m in CATALOGUE if m in measured and CATALOGUE[m].direction)
    if name not in measured:
        raise MrtcError(
            f"there is no {name!r} that can be measured at one beta after another; choose among "
            f"{scores}"
        )
    if goal.target is None and not CATALOGUE[name].direction:
        raise MrtcError(
            f"there is no best {name}: neither more nor less of it is better; give a target for "
            f"it, or choose --best among {scores}"
        )
    if goal.target is not None and not math.isfinite(goal.target):
        raise MrtcError(f"the target of {name} is {goal.target}; give a finite number")


def _is_of_codes(name: str) -> bool:
    return name != "active_units" and name not in PER_EXAMPLE and name not in DISTANCES


def _number(asked: int | None, population: int) -> int:
    if asked is not None and asked > population:
        raise MrtcError(
            f"the data have {population} examples, {asked} were asked for; leave out --examples"
        )
    return asked or min(MOST_EXAMPLES, population)


def _known(
    dataset: str, examples: Examples, name: str, model: Measured
) -> tuple[Int[np.ndarray, "example factor"] | None, list[int] | None]:
    """Classes of factors or attributes, and which of them Chen's MIG scores by default."""
    if "factors" not in CATALOGUE[name].needs:
        return None, None
    if isinstance(examples, FactorExamples):
        scored = [i for i, factor in enumerate(examples.grid.names) if factor in CHEN_FACTORS]
        return examples.grid.classes(model.index), scored
    if isinstance(examples, AttributeExamples) and examples.attribute_names:
        return examples.attributes(model.index), None
    raise MrtcError(
        f"{dataset} has no known factors, so there is no {name} of it; choose a score that needs "
        "none, as --best elbo"
    )


def _search(
    quantity: Quantity | ActiveUnits, goal: Goal, within: BetaRange, *, quiet: bool
) -> Found:
    total = SCAN_FOR_BEST + REFINE if goal.target is None else SCAN + REFINE
    title = f"searching {quantity.name}"
    with Progress(title, total, unit="evaluation", quiet=quiet) as progress:

        def watch(beta: float, value: float) -> None:
            progress.advance(numbers={"beta": beta, quantity.name: value})

        if isinstance(quantity, ActiveUnits):
            return find_count(quantity, _whole(goal.target), within, watch=watch)
        if goal.target is None:
            lower = CATALOGUE.get(quantity.name)
            is_lowest = lower is None or lower.direction == "lower is better"
            return find_best(quantity, "lowest" if is_lowest else "highest", within, watch=watch)
        search = find_at_most if goal.is_bound else find_target
        return search(quantity, goal.target, within, watch=watch)


def _whole(target: float | None) -> int:
    if target is None or target != int(target):
        raise MrtcError(f"active units are counted, and the target is {target}; give a whole one")
    return int(target)
