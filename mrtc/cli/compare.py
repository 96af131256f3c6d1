"""``mrtc compare``: multi-rate runs beside repeated baselines."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mrtc.cli import options


def compare(
    results: Annotated[
        list[Path],
        typer.Argument(help="Results of multi-rate runs, one a seed, and of `mrtc baselines`."),
    ],
    out: Annotated[
        Path, typer.Option(help="Folder for the report, its tables and pictures.")
    ] = Path("comparison"),
    metrics: Annotated[
        str | None, typer.Option(help="What is compared; all that both have, if left out.")
    ] = None,
    margins: Annotated[
        str | None,
        typer.Option(help="Differences that do not matter: mig_chen=0.05,distortion=1."),
    ] = None,
    image_format: Annotated[
        Literal["png", "pdf", "svg"], typer.Option("--format", help="Of the pictures.")
    ] = "png",
    as_json: options.Json = False,
) -> None:
    """Compare multi-rate runs with baselines: curves, differences with intervals, cost.

    Both are compared at the betas of the baselines, at which the multi-rate runs must have been
    evaluated (`mrtc eval-mig ckpt.pt --betas 0.1:10:25` has those of `0.1:10:7`).

    Example: `mrtc compare multirate-seed*.h5 baselines.h5 --out comparison`
    """
    import json

    from mrtc.experiments.compare import compare_files
    from mrtc.experiments.comparison_report import difference_table, report, write

    compared = compare_files(
        results,
        metrics=None if metrics is None else metrics.split(","),
        margins=_margins(margins),
    )
    written = write(compared, out, image_format)
    if as_json:
        rows = difference_table(compared.comparison).to_json(orient="records")
        typer.echo(json.dumps({"differences": json.loads(rows), "remarks": compared.remarks}))
        return
    typer.echo(report(compared))
    typer.echo(f"{out}: {', '.join(path.name for path in written)}")


def _margins(text: str | None) -> dict[str, float]:
    from mrtc.errors import MrtcError

    margins = {}
    for part in text.split(",") if text else []:
        name, _, value = part.partition("=")
        try:
            margins[name.strip()] = float(value)
        except ValueError:
            margins[name.strip()] = 0.0
        if not margins[name.strip()] > 0:
            raise MrtcError(
                f"{part!r} in --margins is no positive margin; write metric=number, for example "
                "mig_chen=0.05,distortion=1"
            )
    return margins
