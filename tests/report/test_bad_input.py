"""Reports of files that lack something, and of names that no shell and no page would like."""

import json
import shlex
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from mrtc.errors import ResultsError
from mrtc.report import render
from mrtc.report.series import Source
from mrtc.results import Results

from .conftest import BETA, make_file, source
from .test_page import data_of, without_library

pytest.importorskip("plotly", reason="reports need plotly: pip install 'mrtc[report]'")
pytest.importorskip("jinja2", reason="reports need jinja2: pip install 'mrtc[report]'")


def of(results: Results) -> Source:
    return Source(results.path, results)


def read(path: Path) -> Results:
    content = source(path).content
    assert isinstance(content, Results)
    return content


def strict(page: str) -> dict:
    """The page's data by the rules of JSON, which knows no NaN."""

    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is not JSON")

    start = page.index(">", page.index('<script id="data"')) + 1
    found = json.loads(page[start : page.index("</script>", start)], parse_constant=refuse)
    assert found == data_of(page)
    return found


def test_the_command_to_add_pictures_can_be_pasted(tmp_path: Path) -> None:
    path = make_file(tmp_path / 'it\'s "my" <b> & $HOME.h5')
    page = unescape(without_library(render([source(path)])))
    command = page.split("<code>mrtc report ")[1].split("</code>")[0]
    assert shlex.split(command) == [str(path), "--checkpoint", "CHECKPOINT.pt"]


def test_values_that_are_not_finite_are_gaps(tmp_path: Path) -> None:
    results = read(make_file(tmp_path / "a.h5"))
    metrics = {name: values.copy() for name, values in results.metrics.items()}
    metrics["rate"][1], metrics["mig_chen"][:] = np.inf, np.nan
    metrics["information"][2, :, 1] = np.nan
    page = render([of(replace(results, metrics=metrics))])
    (series,) = strict(page)["series"]
    assert [value is None for value in series["values"]["rate"]] == [False, True, *[False] * 3]
    assert series["values"]["mig_chen"] == [None] * len(BETA)
    assert [row[1] for row in series["map"]["shares"][2]] == [None] * 4
    assert "nan" not in without_library(page).split("<main>")[1].split("</main>")[0]


def test_one_beta_and_one_code(tmp_path: Path) -> None:
    results = read(make_file(tmp_path / "a.h5", BETA[:1]))
    metrics = {
        name: values[:, :1] if name in ("rate_code", "information") else values
        for name, values in results.metrics.items()
    }
    one = replace(results, header=replace(results.header, num_codes=1), metrics=metrics)
    page = render([of(one)])
    data = strict(page)
    assert data["betas"] == [0.1]
    assert len(data["series"][0]["map"]["codes"]) == 1
    assert 'max="0"' in page
    assert " disabled" in page


def test_a_file_without_numbers_says_what_to_do(tmp_path: Path) -> None:
    results = read(make_file(tmp_path / "a.h5"))
    with pytest.raises(ResultsError, match=r"a\.h5 holds no number over beta.* `mrtc rescore`"):
        render([of(replace(results, metrics={}, scores={}))])
