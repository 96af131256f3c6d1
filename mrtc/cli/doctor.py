"""``mrtc doctor``: what may be wrong with a multi-rate model, and what to do about it."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from mrtc.cli import options

if TYPE_CHECKING:
    from pathlib import Path

    from mrtc.experiments.doctor import Diagnosis


def doctor(
    checkpoint: options.Checkpoint,
    data: options.Data = None,
    examples: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Look at so many training examples too; 1,000 with --data, or all where there are "
            "fewer. Without both, at the gates alone.",
        ),
    ] = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Look for dead gates, a rate that rises, slopes that are off, and drifting normalisation.

    Findings are advice: the exit status is 0 with them too.

    Example: `mrtc doctor ckpt.pt --examples 1000`
    """
    from mrtc.experiments.doctor import diagnose

    found = diagnose(
        checkpoint, data=data, examples=examples, seed=seed, device=device, quiet=quiet
    )
    if as_json:
        typer.echo(json.dumps(_as_json(found)))
    else:
        typer.echo(_as_text(checkpoint, found))


def _as_json(found: "Diagnosis") -> dict[str, object]:
    from dataclasses import asdict

    curve = None if found.measured is None else found.measured.curve
    return {
        "betas": [found.betas.low, found.betas.high],
        "gates": [asdict(layer) for layer in found.gates],
        "findings": [asdict(finding) for finding in found.findings],
        "not_checked": found.not_checked,
        "curve": curve
        and {
            "beta": curve.beta.tolist(),
            "rate": curve.rate.mean(1).tolist(),
            "distortion": curve.distortion.mean(1).tolist(),
        },
    }


def _as_text(checkpoint: "Path", found: "Diagnosis") -> str:
    import textwrap

    width = max(len(layer.layer) for layer in found.gates)
    lines = [f"{checkpoint}: beta {found.betas}", ""]
    lines += [f"{'layer':<{width}}{'gates':>8}{'dead':>8}{'constant':>10}"]
    for layer in found.gates:
        lines += [f"{layer.layer:<{width}}{layer.gates:>8}{layer.dead:>8}{layer.constant:>10}"]
    if found.measured is not None:
        curve = found.measured.curve
        lines += ["", f"{'beta':>10}{'rate':>12}{'distortion':>12}"]
        for at, beta in enumerate(curve.beta):
            rate, distortion = curve.rate[at].mean(), curve.distortion[at].mean()
            lines += [f"{beta:>10.3g}{rate:>12.3f}{distortion:>12.3f}"]
    lines += ["", f"{len(found.findings) or 'no'} finding{'s' * (len(found.findings) != 1)}"]
    for at, finding in enumerate(found.findings):
        lines += [f"- {finding.kind}, {finding.where}: {finding.value:.3g} {finding.unit}"]
        lines += textwrap.wrap(finding.what, 90, initial_indent="  ", subsequent_indent="  ")
        if any(finding.advice == other.advice for other in found.findings[at + 1 : at + 2]):
            continue  # it stands below the last of those that have it in common
        advice = f"what to do: {finding.advice}"
        lines += textwrap.wrap(advice, 90, initial_indent="  ", subsequent_indent="  ")
    reasons: dict[str, list[str]] = {}
    for check, reason in found.not_checked.items():
        reasons.setdefault(reason, []).append(check)
    for reason, checks in reasons.items():
        lines += [f"not checked: {', '.join(checks)} ({reason})"]
    return "\n".join(lines)
