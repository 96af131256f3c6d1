"""Tables are read as pandas reads them, rows go to their images, and faults are named by line."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrtc.datasets.tables import Attributes, read_csv, table_of
from mrtc.errors import DataError

TEXT = b'file,shape,x\nb.png,2,-7\n\n"a, b.png",0,3\nsub/c.png,1,300\n'


def test_a_table_is_read_as_pandas_reads_it():
    table = read_csv("labels.csv", TEXT)
    expected = pd.read_csv(io.BytesIO(TEXT), index_col=0)
    assert table.names == ("shape", "x") == tuple(expected.columns)
    assert [*table.row_of] == [*expected.index]
    np.testing.assert_array_equal(table.values, expected.to_numpy())


@settings(max_examples=20, deadline=None)
@given(st.permutations(["b.png", "a, b.png", "sub/c.png"]), st.integers(0, 3))
def test_rows_follow_the_files(files: list[str], count: int):
    expected = pd.read_csv(io.BytesIO(TEXT), index_col=0).loc[files[:count]]
    rows = read_csv("labels.csv", TEXT).of(files[:count])
    np.testing.assert_array_equal(rows.values, expected.to_numpy())


def test_marks_of_other_systems_are_no_part_of_a_name():
    table = read_csv("labels.csv", b"\xef\xbb\xbffile, shape\r\na.png,1\r\n")
    assert table.names == ("shape",)
    assert [*table.row_of] == ["a.png"]


BAD = {
    "not text": (b"file,x\n\xff,1\n", "is no table of comma-separated values in UTF-8"),
    "empty": (b"", "is no table of comma-separated values"),
    "open quote": (b'file,x\n"a.png,1\n', "is no table of comma-separated values"),
    "no header": (b"a.png,1\nb.png,2\n", "first line should name the columns.*got a.png, 1;"),
    "no columns": (b"file\na.png\n", "first line should name the columns"),
    "equal names": (b"file,x,x\na.png,1,2\n", "first line should name the columns"),
    "no rows": (b"file,x\n", "has no rows"),
    "too few": (b"file,x,y\na.png,1,2\nb.png,1\n", r"line 3: .* 2 whole numbers \(x, y\), got 1"),
    "too many": (b"file,x\na.png,1,2\n", "line 2: .* 1 whole numbers .*, got 2 after 'a.png'"),
    "a fraction": (b"file,x\na.png,1.5\n", "line 2: 'a.png' should be followed by .*, got 1.5;"),
    "a word": (b"file,x\na.png,red\n", "line 2: .* got red;"),
    "too large": (b"file,x\na.png,%d\n" % 2**63, "line 2: .* got 9223372036854775808;"),
    "twice": (b"file,x\na.png,1\n\na.png,1\n", "line 4: 'a.png' has a row already"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD.keys())
def test_a_fault_is_named(text: bytes, message: str):
    with pytest.raises(DataError, match=f"labels.csv.*{message}"):
        read_csv("labels.csv", text)


def test_an_image_without_a_row_is_named():
    table = table_of("the list", ("x",), [["a", "1"], ["b", "2"]], first_line=1)
    with pytest.raises(
        DataError, match=r"the list has no row for the image c and 1 more: it has 2 rows.* 4 images"
    ):
        table.of(["a", "c", "b", "d"])


def test_names_fit_the_columns():
    with pytest.raises(ValueError, match=r"1 names do not fit values of shape \(2, 3\)"):
        Attributes(("x",), np.zeros((2, 3), np.int64))
