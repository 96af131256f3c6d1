"""The page as text: whole, small enough, and nothing of a file is markup in it."""

import io
import json
import re
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mrtc.errors import ResultsError
from mrtc.report import render
from mrtc.report.sprites import sprite

from .conftest import BETA, NASTY, make_file, make_pictures, source

pytest.importorskip("plotly", reason="reports need plotly: pip install 'mrtc[report]'")
pytest.importorskip("jinja2", reason="reports need jinja2: pip install 'mrtc[report]'")


class Elements(HTMLParser):
    """Tags with their attributes, and texts by the tag that they stand in."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags:
            self.texts.append((self.tags[-1][0], data))


def data_of(page: str) -> dict:
    text = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert text
    return json.loads(text[1])


def without_library(page: str) -> str:
    """The page without plotly, which is large and not ours."""
    parts = re.split(r"(<script>.*?</script>)", page, flags=re.DOTALL)
    assert len(parts) == 5
    return parts[0] + parts[2] + parts[4]


def test_sprites_hold_every_image_at_its_place() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 5, 3), np.uint8)
    address = sprite(images)
    grid = np.asarray(Image.open(io.BytesIO(b64decode(address.split(",")[1]))))
    assert grid.shape == (2 * 6, 3 * 7, 3)
    for row, column in np.ndindex(2, 3):
        top, left = 6 * row + 1, 7 * column + 1
        np.testing.assert_array_equal(grid[top : top + 4, left : left + 5], images[row, column])


def test_data_of_files_are_text(multirate: Path, baselines: list[Path]) -> None:
    page = without_library(render([source(path) for path in (multirate, *baselines)]))
    elements = Elements(page)
    tags = {tag for tag, _ in elements.tags}
    assert not tags & {"b", "img-x", "iframe", "object"}
    assert [tag for tag, _ in elements.tags].count("script") == 1  # the data: two are taken out
    assert not any(name.startswith("on") for _, attrs in elements.tags for name in attrs)
    assert ("h1", f"{NASTY} over beta") in elements.texts
    assert NASTY in data_of(page)["series"][0]["map"]["factors"]


def test_the_policy_lets_nothing_out(multirate: Path) -> None:
    page = render([source(multirate)])
    metas = [attrs for tag, attrs in Elements(page).tags if tag == "meta"]
    policy = next(m["content"] for m in metas if m.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert "unsafe" not in rules["script-src"]
    assert len(rules["script-src"].split()) == 2
    assert set(rules) == {
        *("default-src", "script-src", "style-src", "img-src", "base-uri", "form-action"),
    }


def test_numbers_on_the_page_are_those_of_the_file(multirate: Path) -> None:
    data = data_of(render([source(multirate)]))
    np.testing.assert_allclose(data["betas"], BETA)
    (series,) = data["series"]
    np.testing.assert_allclose(series["values"]["rate"], 10 / (1 + BETA), rtol=1e-5)
    np.testing.assert_allclose(series["low"]["distortion"], 49.5 + BETA, rtol=1e-5)
    assert [frame["beta"] for frame in series["frames"]] == [0.1, 1.0, 10.0]
    assert series["map"]["codes"] == ["code 1", "code 2", "code 0", "code 3"]  # by their rates
    assert data["figures"]["plane"]["data"][0]["y"] == series["values"]["distortion"]


def test_a_file_without_pictures_says_how_to_add_them(tmp_path: Path) -> None:
    path = make_file(tmp_path / "plain.h5")
    page = render([source(path)])
    texts = " ".join(text for _, text in Elements(without_library(page)).texts)
    assert f"There are no pictures in {path}" in " ".join(texts.split())
    assert f"mrtc report {path} --checkpoint CHECKPOINT.pt" in texts
    assert data_of(page)["series"][0]["frames"] == []


def test_pictures_are_thinned_out_to_stay_small(tmp_path: Path) -> None:
    path = make_file(tmp_path / "large.h5")
    from mrtc.results.pictures import write_pictures

    write_pictures(path, make_pictures(path, shape=(64, 64, 3)))
    whole = render([source(path)])
    frames = data_of(whole)["series"][0]["frames"]
    assert len(frames) == 5
    assert "betas: with all of them" not in whole
    most = len(whole.encode()) - 10
    page = render([source(path)], most_bytes=most)
    assert len(page.encode()) < most
    shown = [frame["beta"] for frame in data_of(page)["series"][0]["frames"]]
    assert shown == [0.1, 0.5, 5.0, 10.0]
    assert "Pictures at 4 of 5 betas: with all of them" in page
    with pytest.raises(
        ResultsError, match=r"with pictures at one beta, and may have 1\.0; give few"
    ):
        render([source(path)], most_bytes=1_000_000)
