"""``mrtc find-beta``: the beta of a multi-rate model that meets a target."""

from __future__ import annotations

import json
import math
import shlex
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mrtc.cli import options
from mrtc.errors import MrtcError

if TYPE_CHECKING:  # what stands here is slow to import, and `mrtc --help` is not
    from mrtc.evaluation.search import Found, Place
    from mrtc.experiments.find_beta import Goal


def find_beta(
    checkpoint: options.Checkpoint,
    target_rate: Annotated[float | None, typer.Option(help="Nats per example.")] = None,
    target_distortion: Annotated[
        float | None, typer.Option(help="Of an example, in the units of the likelihood.")
    ] = None,
    max_distortion: Annotated[
        float | None, typer.Option(help="The largest beta that is at most so far off.")
    ] = None,
    target_active_units: Annotated[
        int | None, typer.Option(help="How many; the range of betas that has so many.")
    ] = None,
    target_fid: Annotated[
        float | None,
        typer.Option(help="Needs the weights of a network; its value depends on --fid-samples."),
    ] = None,
    best: Annotated[
        str | None,
        typer.Option(help="A score: mig, elbo, fid, or another that `mrtc metrics` shows."),
    ] = None,
    within: Annotated[
        str | None, typer.Option(help="Range of betas, as 0.1:1; the trained one if left out.")
    ] = None,
    data: options.Data = None,
    part: options.Part = None,
    examples: Annotated[
        int | None,
        typer.Option(
            min=100,
            help="Measure on a stratified subset of so many; 2,000 if left out, or all where "
            "there are fewer.",
        ),
    ] = None,
    group: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Of a hierarchy, with --best and a score of codes, as mig: the latent group, "
            "counted from the top one (0), which is taken if left out.",
        ),
    ] = None,
    feature_network: Annotated[
        Literal["inception", "efficientnet-lite0"],
        typer.Option(help="In whose features; only the distance of inception is FID."),
    ] = "inception",
    fid_weights: options.FidWeights = None,
    fid_samples: Annotated[
        int, typer.Option(min=20, help="Draws from the prior at each beta.")
    ] = 10_000,
    fid_reference: options.FidReference = None,
    fid_reference_examples: options.FidReferenceExamples = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Find the beta that meets a target, in a dozen evaluations, with an interval.

    Give one of --target-rate, --target-distortion, --max-distortion, --target-active-units,
    --target-fid and --best.

    Example: `mrtc find-beta ckpt.pt --target-rate 20`
    """
    asked = _asked(
        {
            "--target-rate": ("rate", target_rate),
            "--target-distortion": ("distortion", target_distortion),
            "--max-distortion": ("distortion", max_distortion),
            "--target-active-units": ("active_units", target_active_units),
            "--target-fid": ("fid", target_fid),
            "--best": (best, None),
        }
    )

    from mrtc.evaluation.feature_networks import load_feature_network
    from mrtc.evaluation.realism_config import RealismConfig
    from mrtc.experiments.find_beta import find_beta as search
    from mrtc.metrics.catalogue import DISTANCES
    from mrtc.rates import BetaRange

    goal = _goal(*asked)
    is_distance = goal.quantity in DISTANCES
    found = search(
        checkpoint,
        goal,
        within=None if within is None else BetaRange.parse(within),
        data=data,
        part=part,
        examples=examples,
        group=group,
        network=load_feature_network(feature_network, fid_weights) if is_distance else None,
        realism=RealismConfig(fid_samples, fid_reference_examples),
        reference_part=fid_reference,
        seed=seed,
        device=device,
        precision=precision,
        quiet=quiet,
    )
    following = f"mrtc freeze {shlex.quote(str(checkpoint))} --beta {found.place.beta:.6g}"
    if as_json:
        typer.echo(json.dumps(_as_json(found) | {"next": following}))
        return
    typer.echo(_in_words(found, found.place))
    for place in found.others:
        typer.echo(f"also {_in_words(found, place)}; --within LOW:HIGH keeps to one place")
    typer.echo(f"{len(found.evaluations)} betas were measured; next: {following}")


Given = tuple[str | None, float | int | None]
"""A quantity, and its target if it has one."""


def _asked(given: dict[str, Given]) -> tuple[str, Given]:
    """The one goal that was asked for, with its option."""
    asked = {
        option: goal
        for option, goal in given.items()
        if (goal[0] if option == "--best" else goal[1]) is not None
    }
    if len(asked) != 1:
        seen = " and ".join(asked) or "none"
        verb = "were" if len(asked) > 1 else "was"
        raise MrtcError(
            f"one goal is needed, and {seen} {verb} given; give one of {', '.join(given)}"
        )
    ((option, goal),) = asked.items()
    return option, goal


def _goal(option: str, given: Given) -> Goal:
    from mrtc.experiments.find_beta import Goal

    quantity, target = given
    value = None if target is None else float(target)
    return Goal(str(quantity), value, is_bound=option == "--max-distortion")


def _in_words(found: Found, place: Place) -> str:
    unit = "" if found.unit in ("1", "count") else f" {found.unit}"
    low, high = place.interval
    if place.holds is not None:
        first, last = place.holds
        return (
            f"beta {place.beta:.4g}: {found.name} {place.value:g}, as from beta {first:.4g} to "
            f"{last:.4g} ({low:.4g} to {high:.4g} with 95 % noise at both ends)"
        )
    return (
        f"beta {place.beta:.4g}, 95 % interval {low:.4g} to {high:.4g}: {found.name} "
        f"{place.value:.4g}{unit}, standard error {place.error:.2g}"
    )


def _as_json(found: Found) -> dict[str, Any]:
    first, *others = (_place_as_json(found, place) for place in (found.place, *found.others))
    betas, values = zip(*found.evaluations, strict=True)
    measured = {
        "beta": {"value": betas, "unit": "1"},
        found.name: {"value": values, "unit": found.unit},
    }
    return first | {"others": others, "evaluations": measured}


def _place_as_json(found: Found, place: Place) -> dict[str, Any]:
    error = None if math.isnan(place.error) else place.error
    return {
        "beta": {
            "value": place.beta,
            "unit": "1",
            "interval": place.interval,
            "holds": place.holds,
        },
        found.name: {"value": place.value, "unit": found.unit, "standard_error": error},
    }
