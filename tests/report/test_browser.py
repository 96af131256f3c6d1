"""The page in a browser: what the slider moves, and that nothing is asked of a network."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mrtc.report import render
from mrtc.report.series import Source
from mrtc.results import VARIABLES, Results, ScoreSeries

from .conftest import BETA, NASTY, NASTY_END, make_file, source

webdriver = pytest.importorskip("selenium.webdriver", reason="browser tests need selenium")
WebDriverWait = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait
pytest.importorskip("plotly", reason="reports need plotly: pip install 'mrtc[report]'")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium with its chromedriver"),
]
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
READY = "return document.documentElement.dataset.ready"
PHONE = 360


class Browser:
    """One page at a time, with what it logs and asks for."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, page: str, folder: Path, width: int = 1200) -> None:
        self.driver.get("about:blank")
        self.driver.get_log("performance")
        self.driver.get_log("browser")
        path = folder / "report.html"
        path.write_text(page, encoding="utf-8")
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width == PHONE},
        )
        self.driver.get(path.as_uri())
        # A driver on a busy machine may come back before the page is there.
        WebDriverWait(self.driver, 60).until(lambda _: self.run(READY) == "yes")

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def slide(self, at: int) -> None:
        """Moves the slider, and waits until what it moves has been drawn."""
        self.driver.execute_async_script(
            "const s = document.getElementById('beta'); s.value = arguments[0];"
            "s.dispatchEvent(new Event('input'));"
            "requestAnimationFrame(() => requestAnimationFrame(() => arguments[1]()));",
            at,
        )

    def text(self, selector: str) -> str:
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def cell(self, name: str, column: int = 1) -> str:
        rows = "return [...document.querySelectorAll('#now tbody tr')]"
        found = f"{rows}.find(r => r.dataset.name === arguments[0]).cells[arguments[1]].textContent"
        return self.run(found, name, column)

    def messages(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> set[str]:
        """Beginnings of all addresses asked for since the page was opened."""
        events = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        return {
            event["params"]["request"]["url"].split(":")[0]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        }


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    profile = tempfile.mkdtemp(prefix="mrtc-browser-")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    driver.set_script_timeout(60)
    try:
        yield Browser(driver)
    finally:
        driver.quit()
        shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture
def page(multirate: Path, baselines: list[Path]) -> str:
    return render([source(path) for path in (multirate, *baselines)])


def marks(browser: Browser, figure: str) -> list[tuple[float, float]]:
    """Places of the marked points: of the first series, of the second."""
    script = "return document.getElementById(arguments[0]).data.slice(2).map(t => [t.x[0], t.y[0]])"
    return [tuple(point) for point in browser.run(script, figure)]


def test_the_slider_moves_everything_and_nothing_leaves(
    browser: Browser, page: str, tmp_path: Path
) -> None:
    browser.open(page, tmp_path)
    pictures = ("reconstructions", "samples", "traversals")
    sources = {}
    for at, beta in enumerate(BETA.tolist()):
        browser.slide(at)
        assert browser.text("#beta-value") == f"{beta:g}"
        shown = browser.run(
            "return document.getElementById('beta').ariaValueText ||"
            "document.getElementById('beta').getAttribute('aria-valuetext')"
        )
        assert shown == f"beta {beta:g}"
        nearest = 0.1 if beta < np.sqrt(0.5) else 5.0  # the two baselines
        plane, curve = marks(browser, "plane"), marks(browser, "curve")
        assert plane[0] == pytest.approx((10 / (1 + beta), 50 + beta), rel=1e-5)
        assert plane[1] == pytest.approx((10 / (1 + nearest), 50 + nearest), rel=1e-5)
        assert curve[0] == pytest.approx((beta, beta / 20), rel=1e-5)
        assert float(browser.cell("rate").split(" ± ")[0]) == pytest.approx(10 / (1 + beta), 1e-3)
        assert browser.cell("rate").endswith("± 0.25")
        assert browser.cell("beta", 2) == f"{nearest:g}"
        line = "return document.getElementById('curve').layout.shapes[0].x0"
        assert browser.run(line) == pytest.approx(beta)
        sources[beta] = [
            browser.run("return document.getElementById(arguments[0]).src", name)
            for name in pictures
        ] + [browser.text("#map tbody")]
    # Pictures are at 0.1, 1 and 10, and the nearest stand for the betas between.
    for between, nearest in ((0.5, 1.0), (5.0, 10.0)):
        assert sources[between][:3] == sources[nearest][:3]
    for part in range(3):
        assert len({shown[part] for shown in sources.values()}) == 3
    assert len({shown[3] for shown in sources.values()}) == len(BETA)
    assert browser.requests() <= {"file", "data"}
    assert browser.messages() == []
    assert browser.run("return window.hacked") is None


def test_names_from_files_are_shown_as_they_are(
    browser: Browser, page: str, multirate: Path, tmp_path: Path
) -> None:
    browser.open(page, tmp_path)
    assert browser.text("h1") == f"{NASTY} over beta"
    heads = browser.run(
        "return [...document.querySelectorAll('#map thead th')].map(e => e.textContent)"
    )
    assert heads == ["", "shape", NASTY, NASTY_END]
    legend = browser.run(
        "return [...document.querySelectorAll('#plane .legendtext')].map(e => e.textContent)"
    )
    assert legend == [multirate.stem, "baselines (2 models)"]
    assert browser.run("return document.querySelectorAll('b, [onclick], [onerror]').length") == 0
    assert browser.run("return window.hacked") is None


def test_many_factors_at_many_betas_have_a_map(browser: Browser, tmp_path: Path) -> None:
    """Forty attributes, 400 betas: more shares than a function of JavaScript takes arguments."""
    results = source(make_file(tmp_path / "a.h5")).content
    assert isinstance(results, Results)
    factors = tuple(f"attribute {at}" for at in range(40))
    beta = np.geomspace(0.1, 10, 400)
    shares = np.random.default_rng(0).random((400, 16, 40))
    large = replace(
        results,
        header=replace(results.header, beta=beta, num_codes=16, factors=factors),
        evaluated=np.ones(400, bool),
        metrics={"rate": 1 / beta, "information": shares, "factor_entropy": np.ones(40)},
    )
    browser.open(render([Source(tmp_path / "a.h5", large)]), tmp_path)
    browser.slide(399)
    cell = browser.run("return document.querySelector('#map tbody td').textContent")
    code = int(browser.text("#map tbody th").split()[1])
    assert float(cell) == pytest.approx(shares[399, code, 0], abs=0.005)
    assert f"the darkest blue is {shares.max():.2g}" in browser.text("#map-note")
    assert browser.messages() == []


def test_titles_from_files_are_no_markup_for_plotly(browser: Browser, tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.h5")
    results = source(path).content
    assert isinstance(results, Results)
    variable = replace(VARIABLES["rate"], name="odd", long_name="<b>a & b</b>", unit="<i>")
    scores = {"odd": ScoreSeries(variable, {"": np.ones(5)}, (None,) * 5)}
    browser.open(render([Source(path, replace(results, metrics={}, scores=scores))]), tmp_path)
    shown = browser.run("return document.querySelector('#curve .ytitle').textContent")
    assert shown == "<b>a & b</b> (<i>)"


def test_arrow_keys_move_the_slider_and_the_change_is_told(
    browser: Browser, page: str, tmp_path: Path
) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.open(page, tmp_path)
    assert browser.text("#beta-value") == "1"
    browser.driver.find_element("id", "beta").send_keys(Keys.ARROW_RIGHT)
    WebDriverWait(browser.driver, 20).until(lambda _: "beta 5:" in browser.text("#status"))
    assert browser.text("#beta-value") == "5"
    status = browser.run(
        "const s = document.getElementById('status'); return [s.role, s.getAttribute('aria-live')]"
    )
    assert status == ["status", "polite"]


def test_everything_to_be_seen_has_words(browser: Browser, page: str, tmp_path: Path) -> None:
    browser.open(page, tmp_path)
    images = browser.run(
        "return [...document.images].filter(i => i.offsetParent).map(i => [i.alt, i.naturalWidth])"
    )
    assert len(images) == 6  # data, reconstructions, samples, traversals, two of the baseline
    assert all(alt and width for alt, width in images)
    assert len({alt for alt, _ in images}) == 6
    unnamed = browser.run(
        "return [...document.querySelectorAll('input, select')]"
        ".filter(e => !e.labels.length).length"
    )
    assert unnamed == 0


def test_another_quantity_and_another_model_are_shown(
    browser: Browser, page: str, tmp_path: Path
) -> None:
    browser.open(page, tmp_path)
    choose = (
        "const s = document.getElementById(arguments[0]); s.value = arguments[1];"
        "s.dispatchEvent(new Event('change'));"
    )
    browser.run(choose, "quantity", "rate")
    browser.slide(0)
    curve = browser.run("return document.getElementById('curve').data[0].y")
    assert curve == pytest.approx((10 / (1 + BETA)).tolist(), rel=1e-5)
    assert marks(browser, "curve")[0] == pytest.approx((0.1, 10 / 1.1), rel=1e-5)
    before = browser.run("return document.getElementById('samples').src")
    browser.run(choose, "model", "1")
    browser.slide(0)
    assert browser.run("return document.getElementById('samples').src") != before
    assert "baselines (2 models) at beta 0.1" in browser.text("#map-note")


def test_a_phone_has_nothing_beside_the_page(browser: Browser, page: str, tmp_path: Path) -> None:
    browser.open(page, tmp_path, PHONE)
    assert browser.run("return document.documentElement.scrollWidth") <= PHONE
    assert browser.run("return document.getElementById('plane').clientWidth") <= PHONE


@pytest.mark.parametrize("beta", [BETA, BETA[:1]])
def test_a_report_without_pictures_opens(
    browser: Browser, tmp_path: Path, beta: np.ndarray
) -> None:
    path = make_file(tmp_path / "plain.h5", beta)
    browser.open(render([source(path)]), tmp_path)
    browser.slide(0)
    assert "There are no pictures in" in browser.text("#how-to-add")
    assert browser.cell("mig_chen") == "0.005000"
    assert browser.messages() == []


def test_paper_shows_the_beta_that_was_chosen(browser: Browser, page: str, tmp_path: Path) -> None:
    browser.open(page, tmp_path)
    browser.slide(4)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert browser.run("return document.getElementById('beta').offsetParent") is None
        assert browser.run("return document.getElementById('beta-value').offsetParent !== null")
        assert browser.text("#beta-value") == "10"
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert browser.driver.execute_cdp_cmd("Page.printToPDF", {})["data"]
