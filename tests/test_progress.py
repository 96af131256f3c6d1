"""Progress: plain lines on a pipe, nothing when quiet."""

import pytest

from mrtc import progress
from mrtc.progress import Progress


def test_a_pipe_gets_plain_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with Progress("training", 4, done=1) as bar:
        bar.advance(numbers={"rate": 1.23456, "tc": 0.5})
        bar.advance(2)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("training: 2/4 steps, ")
    assert lines[0].endswith("s left, rate=1.235, tc=0.5")
    assert lines[1].startswith("training: 4/4 steps, ")
    assert " 0 s left" in lines[1]


def test_lines_come_now_and_then_and_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("reading", 1000) as bar:
        for _ in range(1000):
            bar.advance()
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("reading", 2, quiet=True) as bar:
        bar.advance(2)
    assert capsys.readouterr().err == ""
