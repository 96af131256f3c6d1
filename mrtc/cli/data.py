"""``mrtc data``: the datasets, made ready and checked."""

import json
from typing import Annotated

import typer

from mrtc.cli import options

Name = Annotated[str, typer.Argument(help="Dataset, as `mrtc data list` names it.")]


def list_(as_json: options.Json = False) -> None:
    """List the datasets."""
    from mrtc.experiments.data import DATASETS

    table = {name: entry.summary for name, entry in DATASETS.items()}
    lines = [f"{name}: {summary}" for name, summary in table.items()]
    typer.echo(json.dumps(table) if as_json else "\n".join(lines))


def get(name: Name, quiet: options.Quiet = False) -> None:
    """Make a dataset ready, so that later commands start at once: dSprites is rendered."""
    from mrtc.devices import resolve_device
    from mrtc.experiments.data import load_data

    examples = load_data(name, None, resolve_device("cpu"), quiet=quiet)
    typer.echo(f"{name}: {len(examples)} examples ({examples.source})")


def check(name: Name, data: options.Data = None, quiet: options.Quiet = False) -> None:
    """Read a dataset whole, and print where it comes from and its checksum."""
    from mrtc.devices import resolve_device
    from mrtc.experiments.data import load_data

    examples = load_data(name, data, resolve_device("cpu"), quiet=quiet)
    typer.echo(f"{name}: {len(examples)} examples ({examples.source}), {examples.checksum}")
