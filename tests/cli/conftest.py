"""The command line run in this process, and a checkpoint to use it on."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from mrtc.cli.app import main
from mrtc.datasets.dsprites import DSprites


class Done(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


Command = Callable[..., Done]
TINY = ("--steps", "3", "--batch", "16", "--hidden", "8", "--codes", "3", "--quiet")


@pytest.fixture
def mrtc(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """Runs ``mrtc ARGUMENTS`` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["mrtc", *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as exit_:
            status = int(exit_.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Done(status, out, err)

    return run


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, dsprites: DSprites) -> Path:
    """A multi-rate model of three steps; the rendering of dSprites is made before it."""
    assert len(dsprites)
    path = tmp_path_factory.mktemp("cli") / "ckpt.pt"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["mrtc", "train", "dsprites", *TINY, "--out", str(path)])
        with pytest.raises(SystemExit) as done:
            main()
        assert not done.value.code
    return path
