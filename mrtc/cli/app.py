"""``mrtc``: the table of commands, and the one place where errors become messages."""

import functools
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mrtc import __version__
from mrtc.cli import (
    baselines,
    compare,
    data,
    doctor,
    eval_mig,
    evaluate,
    figure,
    find_beta,
    freeze,
    interpolate,
    metrics,
    plot,
    presets,
    reconstruct,
    report,
    rescore,
    sample,
    score,
    train,
    traverse,
)
from mrtc.cli.inputs import require_checkpoint
from mrtc.errors import MrtcError

USER_ERROR, INTERRUPTED = 2, 130


def _reporting(command: Callable[..., None]) -> Callable[..., None]:
    """A user's mistake is one message and exit status 2; Ctrl-C is 130."""

    @functools.wraps(command)
    def reporting(**options: Any) -> None:  # noqa: ANN401 -- whatever the command takes
        try:
            for path in _checkpoints(options):
                require_checkpoint(path)
            command(**options)
        except MrtcError as error:
            sys.stderr.write(f"mrtc: {error}\n")
            raise typer.Exit(USER_ERROR) from error
        except KeyboardInterrupt as interrupt:
            sys.stderr.write(
                "mrtc: stopped, and what was done is saved; to go on, give the same command "
                "again (for training, with --resume)\n"
            )
            raise typer.Exit(INTERRUPTED) from interrupt

    return reporting


def _checkpoints(options: Mapping[str, Any]) -> list[Path]:
    """Those that were named, which are looked at before anything slow is imported."""
    named = [options.get(name) or [] for name in ("checkpoint", "checkpoints")]
    return [path for each in named for path in ([each] if isinstance(each, Path) else each)]


def _version(asked: bool | None) -> None:  # noqa: FBT001 -- typer calls it
    if asked:
        typer.echo(f"mrtc {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="mrtc",
    help="Multi-rate VAEs: train one model for every beta, and measure it over all of them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
data_app = typer.Typer(help="List, prepare and check datasets.", no_args_is_help=True)
metrics_app = typer.Typer(help="List the scores, or compare them.", invoke_without_command=True)
app.add_typer(data_app, name="data")
app.add_typer(metrics_app, name="metrics")

COMMANDS: dict[typer.Typer, dict[str, Callable[..., None]]] = {
    app: {
        "train": train.train,
        "baselines": baselines.baselines,
        "compare": compare.compare,
        "eval-mig": eval_mig.eval_mig,
        "eval": evaluate.evaluate,
        "figure": figure.figure,
        "rescore": rescore.rescore,
        "score": score.score,
        "plot": plot.plot,
        "traverse": traverse.traverse,
        "sample": sample.sample,
        "reconstruct": reconstruct.reconstruct,
        "interpolate": interpolate.interpolate,
        "doctor": doctor.doctor,
        "find-beta": find_beta.find_beta,
        "freeze": freeze.freeze,
        "report": report.report,
        "presets": presets.presets,
    },
    data_app: {"list": data.list_, "get": data.get, "check": data.check},
    metrics_app: {"agree": metrics.agree, "udr": metrics.udr},
}
for table, commands in COMMANDS.items():
    for name, command in commands.items():
        table.command(name)(_reporting(command))


metrics_app.callback()(metrics.catalogue)


@app.callback()
def _common(
    _: Annotated[
        bool | None,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = None,
) -> None:
    pass


def main() -> None:
    """Runs the command line."""
    app()
