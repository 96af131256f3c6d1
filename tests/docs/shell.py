"""Commands as a page shows them, in this process and at a small budget."""

import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mrtc.cli.app import main
from mrtc.rates import parse_grid

ROOT = Path(__file__).parents[2]

SMALL: Mapping[str, tuple[str, ...]] = {
    "train": ("--steps", "3", "--batch", "16"),
    "baselines": ("--steps", "3", "--batch", "16", "--examples", "200", "--betas", "0.1,10"),
    "eval-mig": ("--examples", "200", "--betas", "0.1,10"),
    "eval": ("--examples", "200", "--betas", "0.1,10"),
    "doctor": ("--examples", "20"),
    "find-beta": ("--examples", "100"),
    "rescore": ("--bootstrap", "2", "--null", "2"),
    "report": ("--pictures", "2"),
}
"""What a command gets on top: the last of two values is taken, so a page's own budget gives way."""

Captured = Callable[[], str]


class Shell:
    """Runs commands in the folder of the page."""

    def __init__(
        self,
        patch: pytest.MonkeyPatch,
        captured: Captured,
        budget: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._patch, self._captured = patch, captured
        self._small = {**SMALL, **budget}

    def run(self, command: str, *, small: bool = True) -> str:
        """What it prints; a test fails where it fails.

        Args:
            command: A line of a shell.
            small: At a small budget.

        Raises:
            ValueError: If nobody knows how to run it.
        """
        name, *arguments = shlex.split(command, comments=True)
        if name == "mrtc":
            arguments = [part for argument in arguments for part in _expanded(argument)]
            return self._mrtc(arguments, self._small.get(arguments[0], ()) if small else ())
        if name == "python" and Path(arguments[0]).is_file():
            done = subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
            return done.stdout.decode()
        if name == "pip":
            _require_installable(arguments)
            return ""
        raise ValueError(
            f"{command!r} is run by no test; mark its block with <!-- not run: ... -->"
        )

    def _mrtc(self, arguments: list[str], small: tuple[str, ...]) -> str:
        self._captured()
        if "--betas" in small and "--betas" in arguments:  # the page's own are not looked at then
            parse_grid(arguments[arguments.index("--betas") + 1])
        if "--data" in arguments and "--examples" in small:  # of one's own there may be fewer
            small = ()
        if "--pictures" in small and "--checkpoint" not in arguments:  # a page of files alone
            small = ()
        self._patch.setattr(sys, "argv", ["mrtc", *arguments, *small])
        status = 0
        try:
            main()
        except SystemExit as exit_:
            status = int(exit_.code or 0)
        printed = self._captured()
        assert status == 0, f"mrtc {shlex.join(arguments)} ended with {status}:\n{printed}"
        return printed


def _expanded(argument: str) -> list[str]:
    if "*" not in argument:
        return [argument]
    found = sorted(str(path) for path in Path().glob(argument))
    assert found, f"nothing is called {argument}"
    return found


def _require_installable(arguments: list[str]) -> None:
    """Nothing is installed here, but what is asked for must be there to install."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert arguments[0] == "install", arguments
    wanted = [argument for argument in arguments[1:] if argument.startswith((".", "mrtc"))]
    assert wanted, f"pip {shlex.join(arguments)} does not install this project"
    for argument in wanted:
        extras = argument.partition("[")[2].rstrip("]")
        for extra in filter(None, extras.split(",")):
            assert extra in project["optional-dependencies"], f"there is no extra {extra!r}"
    if "-c" in arguments:
        assert (ROOT / arguments[arguments.index("-c") + 1]).is_file()
