"""How the site is built: ``make docs``, or ``sphinx-build -W --keep-going -b html docs OUT``."""

import sys
from pathlib import Path

from numpy.typing import ArrayLike
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx
from sphinx.util.typing import stringify_annotation

from mrtc import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "mrtc"
author = "The mrtc authors"
copyright = author  # noqa: A001 -- Sphinx's word
release = version = __version__

extensions = [
    "myst_parser",
    "offline_math",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "_ext"]
highlight_language = "none"

myst_enable_extensions = ["dollarmath"]
myst_dmath_allow_space = False
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"mrtc {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_show_sourcelink = False
html_show_sphinx = False

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
napoleon_google_docstring = True
napoleon_numpy_docstring = False

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

ARRAY_LIKE = stringify_annotation(ArrayLike, "smart")
"""What numpy's name stands for: seven types that no reader wants to see."""


def setup(app: Sphinx) -> None:
    """Signatures have ``ArrayLike`` where the source has it; commands are of one colour."""

    def shorten(*event: object) -> tuple[str | None, ...]:
        return tuple(
            part.replace(ARRAY_LIKE, "ArrayLike") if isinstance(part, str) else None
            for part in event[-2:]
        )

    app.add_lexer("sh", TextLexer)
    app.connect("autodoc-process-signature", shorten)
