"""Every code block of the documentation does what its page says.

Each page is a test: its blocks run in order, in an empty folder, and share their names. A block
``text`` after a block of a shell is the expected output; numbers and white space apart, each of its
lines is printed.
"""

import re
import shutil
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

import mrtc
from mrtc.datasets.dsprites import DSprites
from tests.docs.blocks import Block, blocks_of
from tests.docs.given import BUDGETS, FILES, NAMES, PAGES, make
from tests.docs.shell import ROOT, Shell

DOCS = ROOT / "docs"
ALL_PAGES = sorted(
    str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md") if "_build" not in path.parts
)
RUN_HERE = [
    page
    for page in ALL_PAGES
    if {"sh", "python"} & {block.kind for block in blocks_of(DOCS / page)}
]
OWN_IMAGES = ("tutorial.md", "how-to/own-images.md")
SLOW = ("comparison.md", "library.md", "metrics/README.md", "pictures.md", "tutorial.md")

NOT_RUN = Counter(
    {
        "evaluates up to 65 betas; tests/experiments has smaller ones": 1,
        "needs a frozen model of documents; tests/frozen has one": 1,
        "needs a trained hierarchy; tests/frozen has one": 1,
        "needs a model that was trained for minutes": 2,
        "needs a model that was trained for minutes, and the weights of Inception": 1,
        "needs the official file of the data set": 1,
        "needs two GPUs": 1,
        "takes a network of photographs some minutes for each beta": 1,
    }
)
"""Why lines of code are not run, and in how many blocks."""

NUMBER = re.compile(r"(?<![A-Za-z_])[-+]?(?:\d[\d,]*\.?\d*(?:e[-+]?\d+)?|nan\b|inf\b)")


@pytest.fixture
def shell(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Shell:
    page = request.node.callspec.params["page"]
    return Shell(monkeypatch, lambda: "".join(capfd.readouterr()), BUDGETS.get(page, {}))


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, dsprites: DSprites) -> Path:
    """The folder of what pages take for granted; models in it are of dSprites."""
    assert len(dsprites)
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to work in, and to import from."""
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)
    yield tmp_path
    plt.close("all")
    for name in set(sys.modules) - known:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.slow if page in SLOW else ()) for page in RUN_HERE],
)
def test_page_runs(
    page: str,
    place: Path,
    shell: Shell,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    for name in PAGES.get(page, ()):
        made = request.getfixturevalue("made")
        monkeypatch.chdir(made)
        _copy(make(name, made, partial(shell.run, small=False)), place)
    if page in OWN_IMAGES:  # which are converted, and are to leave nothing behind
        monkeypatch.setenv("MRTC_CACHE", str(place / "cache"))
    monkeypatch.setattr(mrtc, "train", partial(mrtc.train, steps=3, batch=16, quiet=True))
    monkeypatch.chdir(place)
    names: dict[str, Any] = {"__name__": "__main__", **NAMES.get(page, {})}
    printed = ""
    for block in blocks_of(DOCS / page):
        if block.file:
            (place / block.file).write_text(block.text, "utf-8")
        elif block.kind == "python" and not block.skipped:
            _run_python(block, DOCS / page, names)
        elif block.kind == "sh":
            printed = "".join(map(shell.run, block.commands))
        elif block.language == "text" and printed:
            _require_printed(block, printed)
            printed = ""


def test_what_is_not_run_has_a_reason_that_is_known() -> None:
    reasons = [b.reason for page in ALL_PAGES for b in blocks_of(DOCS / page) if b.reason]
    assert Counter(reasons) == NOT_RUN


def test_doctests_are_run_by_pytest_itself() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]
    collected = [ROOT / path for path in options["ini_options"]["testpaths"]]
    for page in ALL_PAGES:
        if any(block.kind == "doctest" for block in blocks_of(DOCS / page)):
            path = DOCS / page
            assert any(path == one or one in path.parents for one in collected), (
                f"{page} has >>> and is not in testpaths; add it there, in pyproject.toml"
            )


def test_pages_that_are_given_something_are_there() -> None:
    assert set(PAGES) <= set(RUN_HERE)
    assert {name for names in PAGES.values() for name in names} <= set(FILES)
    assert set(NAMES) <= set(RUN_HERE)


def _run_python(block: Block, page: Path, names: dict[str, Any]) -> None:
    """With the page's own line numbers, so that a traceback points into it."""
    source = "\n" * (block.line - 1) + block.text
    exec(compile(source, str(page), "exec"), names)


def _require_printed(block: Block, printed: str) -> None:
    """The expected output, numbers and white space apart, is in what was printed."""
    lines = {_form(line) for line in printed.splitlines()}
    for line in block.text.splitlines():
        assert not line.strip() or _form(line) in lines, f"{line!r} is not in\n{printed}"


def _form(line: str) -> str:
    return " ".join(NUMBER.sub("#", line).split())


def _copy(source: Path, folder: Path) -> None:
    (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / source.name)
