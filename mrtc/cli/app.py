"""``mrtc``: the table of commands, and the one place where errors become messages."""

import sys
from typing import Annotated

import typer

from mrtc import __version__
from mrtc.cli import data, eval_mig, plot, presets, train, traverse
from mrtc.errors import MrtcError

USER_ERROR, INTERRUPTED = 2, 130

app = typer.Typer(
    name="mrtc",
    help="Multi-rate VAEs: train one model for every beta, and measure it over all of them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("train")(train.train)
app.command("eval-mig")(eval_mig.eval_mig)
app.command("plot")(plot.plot)
app.command("traverse")(traverse.traverse)
app.command("presets")(presets.presets)
app.add_typer(data.app, name="data")


def _version(asked: bool) -> None:  # noqa: FBT001 -- typer calls it
    if asked:
        typer.echo(f"mrtc {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command line; a user's mistake is one message and exit status 2."""
    try:
        app()
    except MrtcError as error:
        sys.stderr.write(f"mrtc: {error}\n")
        sys.exit(USER_ERROR)
    except KeyboardInterrupt:
        sys.stderr.write("mrtc: stopped; what was done is saved, --resume or the same command\n")
        sys.exit(INTERRUPTED)
