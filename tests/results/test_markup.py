"""Objects in a notebook: every text escaped, every number with its unit."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from mrtc.results import RunSet, collect, read
from mrtc.results.markup import MOST_COLUMNS, MOST_ROWS, html_table, over_beta

from .test_runs import evaluation

NASTY = "<script>alert('a & b')</script>"


class Cells(HTMLParser):
    """What a browser shows, row by row."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.caption = ""
        self._tag = ""
        self.feed(text)

    def handle_starttag(self, tag: str, _: object) -> None:
        self.tags.add(tag)
        self._tag = tag
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, _: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag in ("th", "td"):
            self.rows[-1][-1] += data
        if self._tag == "caption":
            self.caption += data


def test_texts_are_shown_as_they_are_and_run_nothing() -> None:
    shown = Cells(html_table([[NASTY, NASTY]], [NASTY, NASTY], NASTY))
    assert shown.tags == {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert shown.rows == [[NASTY, NASTY], [NASTY, NASTY]]
    assert shown.caption == NASTY


def test_numbers_have_units_and_errors_and_nothing_where_there_is_none() -> None:
    beta = np.array([0.1, 10.0])
    values = {"rate": np.array([12.3456, np.nan]), "mig": np.array([0.5, 0.25])}
    shown = Cells(
        over_beta(
            beta, values, {"rate": np.array([0.123, 1.0])}, {"rate": "nats", "mig": "1"}, "title"
        )
    )
    assert shown.rows == [
        ["beta", "rate (nats)", "mig"],
        ["0.1", "12.35 ± 0.12", "0.5"],
        ["10", "", "0.25"],
    ]
    assert shown.caption == "title"


def test_a_long_table_says_what_is_left_out() -> None:
    beta = np.geomspace(0.1, 10, MOST_ROWS + 3)
    values = {f"score_{at}": beta for at in range(MOST_COLUMNS + 2)}
    shown = Cells(over_beta(beta, values, {}, dict.fromkeys(values, "1"), "title"))
    assert shown.caption == "title; 3 more betas and 2 more columns not shown"
    assert len(shown.rows) == MOST_ROWS + 1
    assert {len(row) for row in shown.rows} == {MOST_COLUMNS + 1}


def test_results_show_what_is_evaluated(filled: Path) -> None:
    results = read(filled)
    said = "2 of 3 betas evaluated, 0.1 to 10; 2 codes, 0 scores"
    assert repr(results) == f"<Results results.h5: {said}>"
    shown = Cells(results._repr_html_())
    assert shown.caption == f"results.h5: dSprites, rendered, {said}"
    heads, *rows = shown.rows
    assert heads == ["beta", "rate (nats)", "active_units (count)", "mig_chen"]
    expected = [[f"{value:.4g}" for value in row] for row in results.table().to_numpy()]
    assert rows == expected


@pytest.fixture
def runs(tmp_path: Path) -> RunSet:
    """Two runs at the one beta, and one that failed."""
    found = [evaluation(tmp_path / f"{s}.h5", np.array([2.0]), s) for s in (0, 3)]
    return collect(found, {(5, 2.0): "it diverged"})


def test_sets_of_runs_show_means_over_the_seeds_that_have_values(runs: RunSet) -> None:
    """Rates are 2 and 32: mean 17, deviation sqrt(2) * 15."""
    said = "baselines: 3 seeds, 1 betas from 2 to 2, 1 runs failed"
    assert repr(runs) == f"<RunSet of {said}>"
    shown = Cells(runs._repr_html_())
    assert shown.caption == f"toys: {said}; mean ± standard deviation over seeds"
    heads, row = shown.rows
    assert heads == ["beta", "rate (nats)", "distortion (nats)"]
    assert row == ["2", "17 ± 21", "3 ± 0"]


def test_no_object_shows_where_it_lies(filled: Path, runs: RunSet) -> None:
    results = read(filled)
    shown = repr(results) + results._repr_html_() + repr(runs) + runs._repr_html_()
    assert str(filled.parent) not in shown
