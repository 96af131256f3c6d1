"""Tables of texts: every word is in each form, whole, and in its place."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from mrtc.errors import OutputError
from mrtc.plots.text_table import Grid, text_table, wrap
from mrtc.plots.texts import TextTable, save_table
from mrtc.results.texts import ModelTexts

WORDS = "what do you think of a $ 5 and a $ 10 note ? the price_of _UNK rose by 20 % since then"


def table(columns: int = 3, words: int = 40, *, is_path: bool = False) -> TextTable:
    """A multi-rate model at three betas and a baseline; all texts differ in their first word."""

    def row(name: str) -> tuple[str, ...]:
        long = (WORDS.split() * words)[:words]
        return tuple(" ".join([f"{name}{at}", *long]) for at in range(columns))

    rates = np.array([[20.0, 30.0], [1.0, 2.0], [0.0, 0.25]])
    texts = tuple(row(name) for name in "abc")
    multi_rate = ModelTexts("multi-rate", np.array([0.01, 1.0, 10.0]), texts, rates)
    plain = ModelTexts("plain", np.array([4.0]), (row("p"),), rates[:1])
    models = (multi_rate,) if is_path else (multi_rate, plain)
    originals = ("the first", *[""] * (columns - 2), "the last") if is_path else row("o")
    labels = tuple(f"example {at}" for at in range(columns))
    return TextTable(models, labels, "a title\nin two lines", originals, is_path=is_path)


def boxes_of(figure: Figure) -> list[Text]:
    figure.set_dpi(300)
    figure.canvas.draw()
    return [text for text in figure.texts if text.get_text()]


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.text("ab$_", min_size=1, max_size=30), max_size=30),
    st.integers(1, 20),
)
def test_wrapped_lines_are_as_full_as_they_can_be(words: list[str], width: int) -> None:
    """They hold all words in order, and a line ends only where what comes next has no room."""
    lines = wrap(" ".join(words), width, len)

    assert "".join(lines).replace(" ", "") == "".join(words)
    assert max(map(len, lines)) <= width
    for line, following in pairwise(lines):
        word = following.split()[0]
        assert len(line) == width or len(f"{line} {word}") > width
    if max(map(len, words), default=0) <= width:
        assert " ".join(lines).split() == words  # none is cut without need


@pytest.mark.parametrize("words", [0, 8, 80])
@pytest.mark.parametrize(
    ("columns", "is_path"), [(1, False), (2, False), (9, False), (2, True), (9, True)]
)
def test_nothing_is_cut_off_and_no_text_lies_on_another(
    columns: int, words: int, is_path: bool
) -> None:
    """Also with words wider than their column, and formula signs."""
    made = table(columns, words, is_path=is_path)
    texts = (("W" * 150, *made.models[0].texts[0][1:]), *made.models[0].texts[1:])
    first = ModelTexts("m" * 90, made.models[0].beta, texts, made.models[0].rates)
    made = TextTable(
        (first, *made.models[1:]), made.columns, "a title " * 30, made.originals, is_path
    )
    figure = made.figure()
    drawn = boxes_of(figure)

    boxes = np.array([text.get_window_extent().extents for text in drawn])
    assert boxes.min() >= 0
    assert (boxes[:, 2:] <= figure.bbox.size).all()
    least = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    most = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    overlap = ((most - least) > 1).all(-1) & ~np.eye(len(boxes), dtype=bool)
    assert not overlap.any()
    assert boxes[:, 1].min() < 0.2 * figure.bbox.height  # nor is there empty paper below
    grid = made.grid()
    everything = "".join(text for row in grid.cells for text in row)
    letters = "".join(text.get_text() for text in drawn).replace(" ", "")
    assert len(letters) >= len(everything.replace(" ", ""))
    assert letters.count("W") == 150


def test_a_dollar_is_a_dollar() -> None:
    """Between two of them nothing is set as a formula, in cells, labels and titles."""
    text = "pay $x_1$ now"
    figure = text_table(Grid((text,), (text,), ((text,),)), text)
    drawn = boxes_of(figure)

    plain = figure.text(0, 0, text.replace("$", "S"), size=7)
    width = plain.get_window_extent().width
    assert [one.get_text() for one in drawn] == [text] * 4
    for one in drawn:
        size, is_bold = one.get_fontsize(), one.get_fontweight() == "bold"
        ratio = one.get_window_extent().width / width * 7 / size
        assert ratio == pytest.approx(1.14 if is_bold else 1.0, rel=0.06)


def test_columns_stand_beside_each_other_while_their_texts_are_short() -> None:
    short = Grid(("r",), ("a", "b", "c", "d"), (("x" * 30,) * 4,))
    long = Grid(("r",), ("a", "b", "c", "d"), (("x" * 500,) * 4,))

    assert [band.columns for band in short.bands(100)] == [("a", "b", "c", "d")]
    assert [band.columns for band in short.bands(70)] == [("a", "b"), ("c", "d")]
    assert [band.columns for band in long.bands(100)] == [("a",), ("b",), ("c",), ("d",)]


def test_pictures_that_cannot_be_drawn_are_refused() -> None:
    with pytest.raises(OutputError, match=r"lacks a letter of 'caf.*Glyph 1114109"):
        text_table(Grid(("r",), ("c",), (("caf\U0010fffd",),)))
    with pytest.raises(OutputError, match="inches high, and a picture has at most 200; show fewer"):
        text_table(Grid(("r",), ("c",), (("word " * 60_000,),)))
    with pytest.raises(ValueError, match="give one for each row and column"):
        Grid(("r",), ("c",), (("a", "b"),))
    with pytest.raises(ValueError, match="1 rows of texts and 2 of rates at 2 betas"):
        ModelTexts("m", np.array([1.0, 2.0]), (("a",),))


def test_rows_are_betas_with_the_mean_rate_and_those_of_a_path_are_steps() -> None:
    grid = table().grid()
    assert grid.rows == (
        "original",
        "multi-rate\nbeta 0.01\nrate 25 nats",
        "multi-rate\nbeta 1\nrate 1.5 nats",
        "multi-rate\nbeta 10\nrate 0.125 nats",
        "plain\nbeta 4\nrate 25 nats",
    )
    assert [row[2].split()[0] for row in grid.cells] == ["o2", "a2", "b2", "c2", "p2"]

    path = table(is_path=True)
    grid = path.grid()
    assert grid.rows == path.columns
    assert grid.columns[1] == "beta 1\nrate 1.5 nats"
    assert [row[1].split()[0] for row in grid.cells] == ["b0", "b1", "b2"]
    assert path.heading.splitlines()[2:] == ["from: the first", "to: the last"]


def test_json_holds_all_of_it() -> None:
    made = table()
    read = json.loads(made.to_json())

    assert (read["title"], tuple(read["columns"])) == (made.title, made.columns)
    assert tuple(read["originals"]) == made.originals
    for found, model in zip(read["models"], made.models, strict=True):
        assert found["name"] == model.name
        assert found["beta"] == model.beta.tolist()
        assert found["rate_nats"] == model.rates.tolist()  # type: ignore[union-attr]
        assert tuple(map(tuple, found["texts"])) == model.texts


def test_markdown_shows_texts_as_they_are() -> None:
    """A parser of GitHub's Markdown gives back each cell letter by letter."""
    markdown = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    strange = ("a | b *c* <i>d</i>", "_UNK x_ `y` &lt; [z](w)", "\\ back $e$ ~~f~~")
    made = TextTable((ModelTexts("m", np.array([1.0]), (strange,)),), ("x", "y", "z"), "*t*\n_u_")
    tokens = markdown.parse(made.to_markdown())

    inline = [
        "".join(child.content for child in token.children)
        for token in tokens
        if token.type == "inline"
    ]
    assert inline == ["*t*", "_u_", "", "x", "y", "z", "beta 1", *strange]


@settings(max_examples=20, deadline=None)
@given(width=st.integers(60, 200), is_path=st.booleans())
def test_a_terminal_shows_every_word_within_its_width(width: int, is_path: bool) -> None:
    made = table(is_path=is_path)
    shown = made.to_text(width)

    assert max(map(len, shown.splitlines())) <= width
    words = " ".join(" ".join(row) for model in made.models for row in model.texts).split()
    for word in set(words):
        assert shown.split().count(word) >= words.count(word)


def test_control_characters_command_no_terminal_and_no_words_are_said_to_be_none() -> None:
    texts = ("a \x1b[31m b", "")
    made = TextTable((ModelTexts("m", np.array([1.0]), (texts,)),), ("x", "y"))
    shown = made.to_text(80)

    assert "\x1b" not in shown
    assert "a \ufffd[31m b" in shown
    assert "(no words)" in shown
    assert json.loads(made.to_json())["models"][0]["texts"][0] == list(texts)


def test_wide_letters_take_two_places_in_a_terminal() -> None:
    made = TextTable((ModelTexts("m", np.array([1.0]), (("語" * 100,),)),), ("x",))

    assert max(map(len, made.to_text(60).splitlines())) == 10 + (60 - 10) // 2


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg", ".md", ".json", ".PNG"])
def test_each_form_is_written(tmp_path: Path, suffix: str) -> None:
    made, path = table(), tmp_path / f"a{suffix}"
    save_table(made, path)

    content = path.read_bytes()
    if suffix.lower() == ".png":
        with Image.open(path) as image:
            assert image.size[0] == 5.5 * 300
    elif suffix == ".svg":
        assert "b2" in content.decode()
    elif suffix in (".md", ".json"):
        assert content.decode() in (made.to_markdown(), made.to_json())
    else:
        assert content.startswith(b"%PDF")


def test_other_forms_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"suffix is '.gif'; choose one of .png, .pdf, .svg, .md"):
        save_table(table(), tmp_path / "a.gif")
