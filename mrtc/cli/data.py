"""``mrtc data``: the datasets, made ready and checked."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from mrtc.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mrtc.datasets.examples import Dataset

Name = Annotated[str, typer.Argument(help="Dataset, as `mrtc data list` names it.")]


def list_(as_json: options.Json = False) -> None:
    """List the datasets.

    Example: `mrtc data list`
    """
    from mrtc.experiments.data import DATASETS

    table = {name: entry.summary for name, entry in DATASETS.items()}
    lines = [f"{name}: {summary}" for name, summary in table.items()]
    typer.echo(json.dumps(table) if as_json else "\n".join(lines))


def get(name: Name, data: options.Data = None, quiet: options.Quiet = False) -> None:
    """Make a dataset ready, so that later commands start at once.

    It is downloaded, or made of the official files that --data names: dSprites is rendered, CelebA
    is cut and scaled.

    Example: `mrtc data get mnist`; `mrtc data get celeba --data folder`
    """
    for label, examples in _parts(name, data, quiet=quiet):
        typer.echo(f"{label}: {len(examples)} examples ({examples.source})")


def check(name: Name, data: options.Data = None, quiet: options.Quiet = False) -> None:
    """Read a dataset whole, and print where it comes from and its checksum.

    Example: `mrtc data check mnist --data folder`
    """
    for label, examples in _parts(name, data, quiet=quiet):
        typer.echo(f"{label}: {len(examples)} examples ({examples.source}), {examples.checksum}")


def _parts(name: str, data: "Path | None", *, quiet: bool) -> "Iterator[tuple[str, Dataset]]":
    """The parts of a dataset by their labels, or the whole of it; own images by their path."""
    from mrtc.devices import resolve_device
    from mrtc.experiments.configure import find_dataset
    from mrtc.experiments.data import DATASETS, load_data

    found, data = find_dataset(name, data)
    device = resolve_device("cpu")
    for part in DATASETS[found].parts or (None,):
        label = name if part is None else f"{name}, {part} part"
        yield label, load_data(found, data, device, part=part, quiet=quiet)
