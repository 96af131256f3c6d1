"""Progress of long work: a bar on a terminal, a line now and then on a pipe."""

import sys
import time
from collections.abc import Mapping
from types import TracebackType

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 30.0


class Progress:
    """Counts steps on standard error, with the time left and a few numbers beside it.

    Args:
        title: What is under way.
        total: Steps in all.
        done: Steps that were done before.
        unit: What a step is called.
        quiet: Show nothing.
    """

    def __init__(
        self, title: str, total: int, *, done: int = 0, unit: str = "step", quiet: bool = False
    ) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._first = self._done = done
        self._numbers = ""
        self._lines = not quiet and not sys.stderr.isatty()
        self._bar = tqdm(
            desc=title,
            total=total,
            initial=done,
            unit=unit,
            disable=quiet or self._lines,
            dynamic_ncols=True,
        )
        self._start = self._last_line = time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.close()

    def advance(self, steps: int = 1, numbers: Mapping[str, float] | None = None) -> None:
        """Counts ``steps`` and shows ``numbers``, given only when they have changed."""
        self._done += steps
        if numbers is not None:
            self._numbers = ", ".join(f"{name}={x:.4g}" for name, x in numbers.items())
            self._bar.set_postfix_str(self._numbers, refresh=False)
        self._bar.update(steps)
        now = time.monotonic()
        is_last = self._done >= self._total
        if self._lines and (is_last or now - self._last_line > SECONDS_BETWEEN_LINES):
            self._last_line = now
            sys.stderr.write(self._line(now - self._start) + "\n")

    def _line(self, elapsed: float) -> str:
        rate = (self._done - self._first) / max(elapsed, 1e-9)
        left = (self._total - self._done) / max(rate, 1e-9)
        parts = [
            f"{self._title}: {self._done}/{self._total} {self._unit}s",
            f"{rate:.3g} a second",
            f"{left:.0f} s left",
        ]
        return ", ".join([*parts, self._numbers] if self._numbers else parts)
