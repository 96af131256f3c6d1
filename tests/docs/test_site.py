"""The site is built without a warning, is whole, and loads nothing from elsewhere."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

import mrtc
from tests.docs.shell import ROOT

sphinx = pytest.importorskip("sphinx", reason="the site needs Sphinx: pip install 'mrtc[docs]'")

LOADED = re.compile(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"([^\"]+)\"")
LINKED = re.compile(r"<link\b[^>]*\bhref=\"([^\"]+)\"")


def build(out: Path) -> Path:
    command = ("-W", "--keep-going", "-q", "-b", "html", "-d", out / "doctrees")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *command, ROOT / "docs", out / "html"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return out / "html"


def public_names() -> set[str]:
    """Functions and classes of ``mrtc`` and of its packages, by the shortest name of each."""
    names = {getattr(mrtc, name): f"mrtc.{name}" for name in mrtc._PUBLIC}
    for found in pkgutil.iter_modules(mrtc.__path__, "mrtc."):
        package = importlib.import_module(found.name)
        for name in getattr(package, "__all__", ()) if found.ispkg else ():
            if inspect.isclass(value := getattr(package, name)) or inspect.isfunction(value):
                names.setdefault(value, f"{found.name}.{name}")
    return set(names.values())


def require_all_names(site: Path) -> None:
    """Every public function and class has its entry."""
    described = set()
    for page in (site / "api").glob("*.html"):
        described |= set(re.findall(r'<dt[^>]* id="([\w.]+)"', page.read_text("utf-8")))
    assert public_names() - described == set()


def require_nothing_from_elsewhere(site: Path) -> None:
    """No script, picture or style comes over the network."""
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        text = page.read_text("utf-8")
        for address in LOADED.findall(text) + LINKED.findall(text):
            assert not re.match(r"(?:https?:)?//", address), f"{page.name} loads {address}"


def require_formulas(site: Path) -> None:
    """The browser draws them: MathML, and no dollar is left."""
    page = (site / "method.html").read_text("utf-8")
    assert page.count("<math") > 10
    assert "<msqrt>" in page
    assert "$" not in re.sub(
        r"<[^>]+>", "", page.partition("<article")[2].partition("</article")[0]
    )


def require_shapes(site: Path) -> None:
    """Arrays have their axes in signatures."""
    text = unescape(re.sub(r"<[^>]+>", "", (site / "api" / "metrics.html").read_text("utf-8")))
    assert "mean: Float64[ndarray, 'example code']" in text
    assert "_NestedSequence" not in text


@pytest.mark.slow
def test_the_site(tmp_path: Path) -> None:
    """One test, so that it is built once however many processes run tests."""
    site = build(tmp_path)
    require_all_names(site)
    require_nothing_from_elsewhere(site)
    require_formulas(site)
    require_shapes(site)
