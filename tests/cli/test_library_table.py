"""Whatever the command line can do has a function, and the documentation names it."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from mrtc.cli.app import COMMANDS, data_app, metrics_app

PAGE = Path(__file__).parents[2] / "docs" / "library.md"
GROUPS = {data_app: "data", metrics_app: "metrics"}
ROW = re.compile(r"^\| `([a-z -]+)` \| (`mrtc\..+`) \|$", re.MULTILINE)
TABLE = {
    command: re.findall(r"`([\w.]+)`", functions)
    for command, functions in ROW.findall(PAGE.read_text())
}


def test_every_command_is_in_the_table() -> None:
    commands = {
        f"{GROUPS[app]} {name}" if app in GROUPS else name
        for app, table in COMMANDS.items()
        for name in table
    }
    assert "train" in commands
    missing = (commands | {"metrics"}) - set(TABLE)
    assert not missing, f"name the functions of {missing} in {PAGE.name}"


@pytest.mark.parametrize("command", TABLE)
def test_what_the_table_names_is_there(command: str) -> None:
    for name in TABLE[command]:
        module, _, attribute = name.rpartition(".")
        found = getattr(import_module(module), attribute)
        assert callable(found) or attribute.isupper(), f"{name} is no function"
