"""``mrtc presets``: what ``mrtc train --preset`` takes."""

import json

import typer

from mrtc.cli import options


def presets(as_json: options.Json = False) -> None:
    """List the presets with their budgets."""
    from mrtc.experiments import PRESETS, preset

    rows = {
        f"{dataset} {name} {arch}": (entry.summary, preset(dataset, name, arch=arch))
        for dataset, entries in PRESETS.items()
        for name, entry in entries.items()
        for arch in entry.builds
    }
    if as_json:
        typer.echo(json.dumps({key: json.loads(run.to_json()) for key, (_, run) in rows.items()}))
        return
    for key, (summary, run) in rows.items():
        training, model = run.training, run.model
        typer.echo(
            f"{key}: {summary}\n"
            f"    {training.steps} steps of {training.batch}, learning rate "
            f"{training.learning_rate:g} ({training.schedule}), {_sizes(model)}, betas "
            f"{run.betas}, groups {run.objective.groups}"
        )


def _sizes(model: object) -> str:
    """The architecture and its options, in words."""
    options = {name: value for name, value in vars(model).items() if not name.startswith("_")}
    kind = options.pop("kind")
    return ", ".join([str(kind), *(f"{name} {value}" for name, value in options.items())])
