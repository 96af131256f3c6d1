"""Formulas as MathML, which browsers draw themselves: no script, no font, no network.

Docutils brings the converter. It knows less of LaTeX than pages use, so sizes of brackets are left
out here, and some things are spelt otherwise; what it does not know then is a warning, and a
warning ends the build.
"""

import re

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

SPELLINGS = (
    (re.compile(r"\\(?:[bB]igg?[lr]?|textstyle|displaystyle)(?![A-Za-z])\s*"), ""),
    (re.compile(r"\\dots(?![A-Za-z])"), r"\\ldots"),
    (re.compile(r"\\(tilde|hat|bar) ([A-Za-z])"), r"{\\\1 \2{}}"),  # or its index is below
    (re.compile(r"\\(log|exp) (?=[A-Za-z\\])"), r"\\\1\\,"),
    (re.compile("‖"), r"\\|"),
)

log = logging.getLogger(__name__)


def to_mathml(tex: str, *, is_block: bool) -> str:
    """The formula as a ``<math>`` element.

    Raises:
        MathError: If the formula has something that the converter does not know.
    """
    if len(re.findall(r"(?<!\\){", tex)) != len(re.findall(r"(?<!\\)}", tex)):
        raise MathError("braces do not match")  # which the converter takes as it comes
    for pattern, spelling in SPELLINGS:
        tex = pattern.sub(spelling, tex)
    return tex2mathml(tex, as_block=is_block)


def _visit(translator: HTML5Translator, node: nodes.math | nodes.math_block) -> None:
    is_block = isinstance(node, nodes.math_block)
    try:
        formula = to_mathml(node.astext(), is_block=is_block)
    except MathError as error:
        log.warning("formula %r: %s", node.astext(), error, location=node)
        formula = f"<code>{translator.encode(node.astext())}</code>"
    translator.body.append(f'<div class="math">{formula}</div>' if is_block else formula)
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers the renderer ``mathml``."""
    app.add_html_math_renderer("mathml", (_visit, None), (_visit, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
