"""The code of a page of the documentation: its fenced blocks, and what the page says of them.

A page speaks to the tests in comments that readers of the site do not see:

- ``<!-- not run: needs CelebA -->`` before a block, or ``<!-- not run, lines 2 3: ... -->`` for
  some of its lines;
- ``<!-- file: name.py -->``: the block is the text of this file.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FENCE = re.compile(
    r"^(?P<fence>`{3,})(?P<language>[^`\n]*)\n(?P<text>.*?)^(?P=fence)\s*$", re.M | re.S
)
NOT_RUN = re.compile(r"<!-- not run(?:, lines? (?P<lines>[\d ]+))?: (?P<reason>[^\n]+?) -->\s*\Z")
FILE = re.compile(r"<!-- file: (?P<name>\S+) -->\s*\Z")

SHELL, PYTHON = ("sh", "console"), ("python",)


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    language: str
    text: str
    before: str
    """The page up to the block."""
    line: int
    """Of its first line of code, counted from 1."""

    @property
    def reason(self) -> str | None:
        """Why it, or some of its lines, are not run."""
        found = NOT_RUN.search(self.before)
        return found["reason"] if found else None

    @cached_property
    def skipped(self) -> frozenset[int]:
        """Lines of the block that are not run, counted from 1."""
        found = NOT_RUN.search(self.before)
        if found is None:
            return frozenset()
        if found["lines"] is None:
            return frozenset(range(1, self.text.count("\n") + 1))
        return frozenset(map(int, found["lines"].split()))

    @property
    def file(self) -> str | None:
        """The file whose text it is."""
        found = FILE.search(self.before)
        return found["name"] if found else None

    @property
    def kind(self) -> str:
        """``sh``, ``python``, ``doctest``, or ``text`` for what nobody runs.

        A block without a language is a shell's; what is neither is told apart by name.
        """
        if self.language in PYTHON:
            return "doctest" if self.text.lstrip().startswith(">>> ") else "python"
        if self.language in SHELL or not self.language:
            return "sh"
        return "text"

    @property
    def commands(self) -> list[str]:
        """Of a shell's block: its commands, prompts and continued lines undone."""
        kept = [
            "" if at in self.skipped else line.removeprefix("$ ")
            for at, line in enumerate(self.text.splitlines(), 1)
        ]
        whole = "\n".join(kept).replace("\\\n", " ")
        return [line for line in whole.splitlines() if line.strip() and not line.startswith("#")]


def blocks_of(path: Path) -> list[Block]:
    """The blocks of a page, in order."""
    page = path.read_text("utf-8")
    return [
        Block(
            found["language"].strip(),
            found["text"],
            page[: found.start()],
            page.count("\n", 0, found.start("text")) + 1,
        )
        for found in FENCE.finditer(page)
    ]
