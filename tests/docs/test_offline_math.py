"""Formulas as MathML, against elements written by hand."""

import importlib.util
import re

import pytest

from tests.docs.shell import ROOT

pytest.importorskip("sphinx", reason="the site needs Sphinx: pip install 'mrtc[docs]'")
from docutils.utils.math import MathError

SPEC = importlib.util.spec_from_file_location("offline_math", ROOT / "docs/_ext/offline_math.py")
assert SPEC is not None
assert SPEC.loader is not None
offline_math = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(offline_math)


def bare(tex: str, *, is_block: bool = False) -> str:
    """The elements inside ``<math>``, without white space."""
    mathml = re.sub(r">\s+<", "><", offline_math.to_mathml(tex, is_block=is_block).strip())
    return re.sub(r"^<math[^>]*>|</math>$", "", mathml)


def test_a_fraction() -> None:
    assert bare(r"\frac{a}{b}") == "<mfrac><mi>a</mi><mi>b</mi></mfrac>"


@pytest.mark.parametrize(
    ("spelt", "known"),
    [
        (r"\big( a \big)", "( a )"),
        (r"\Bigl( a \Bigr)", "( a )"),
        (r"b / \textstyle\sum_k a", r"b / \sum_k a"),
        (r"a, \dots", r"a, \ldots"),
        ("a ‖ b", r"a \| b"),
        (r"\bigcup_k a", r"\bigcup_k a"),
    ],
)
def test_what_the_converter_does_not_know_is_spelt_otherwise(spelt: str, known: str) -> None:
    assert bare(spelt) == re.sub(
        r"^<math[^>]*>|</math>$",
        "",
        re.sub(r">\s+<", "><", offline_math.tex2mathml(known, as_block=False).strip()),
    )


def test_an_index_of_a_letter_with_an_accent_stands_beside_it() -> None:
    assert bare(r"\tilde I_j").startswith("<msub><mrow><mover")


def test_a_logarithm_keeps_its_distance() -> None:
    assert "<mspace" in bare(r"\log p")
    assert "<mspace" not in bare(r"\log(p)")


def test_an_unknown_command_is_said() -> None:
    with pytest.raises(MathError, match="unheard"):
        offline_math.to_mathml(r"\unheard{a}", is_block=True)


def test_a_formula_that_ends_too_early_is_said() -> None:
    with pytest.raises(MathError, match="braces"):
        offline_math.to_mathml(r"\{ \frac{a", is_block=True)
    assert "<mfrac>" in offline_math.to_mathml(r"\{ \frac{a}{b}", is_block=True)
